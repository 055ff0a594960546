"""Bodies come back equal in value and type, by field, and are refused whole if they would not.

Drawn rows are mostly of one shape; small and large forms, every codec, keys and offsets.
"""

from __future__ import annotations

import dataclasses
import math
from collections import OrderedDict
from zlib import crc32

import pytest
from codec.drawn import exactly, hashables, leaves, shape, stored
from hypothesis import given
from hypothesis import strategies as st
from strategies import examples

from kappa.codec import register
from kappa.errors import ConfigError, CorruptBatch, RecordRefused
from kappa.log import body as writer
from kappa.log.body import decode_body, encode_body, encode_columns, keep_rows
from kappa.log.body_blocks import ALIGN, LARGE, Header
from kappa.time import MAX_TIME, MIN_TIME

CODECS = ("none", "zlib", "zstd")
cells = st.one_of(st.integers(-9, 9), st.floats(), st.text(max_size=4), leaves, stored)
names = st.lists(st.text(max_size=3), unique=True, max_size=4)


@st.composite
def columnar(draw):
    fields = draw(names)
    count = draw(st.integers(1, 5))
    kinds = [draw(st.sampled_from([st.integers(-9, 9), st.floats(), cells])) for _ in fields]
    rows = [{name: draw(kind) for name, kind in zip(fields, kinds)} for _ in range(count)]
    return rows * draw(st.sampled_from([1, 1, 1, 20]))


rows_of_any_shape = st.one_of(
    columnar(),
    st.lists(stored, min_size=1, max_size=5),
    st.lists(st.dictionaries(st.sampled_from("abc"), cells), min_size=1, max_size=5),
    st.lists(st.dictionaries(hashables, cells, max_size=2), min_size=1, max_size=3),
)


def rows_of(decoded):
    """Rows as a reader that knows only the interface makes them."""
    if decoded.columns is None:
        return decoded.values
    return [
        {name: decoded.columns[name][at] for name in decoded.names} for at in range(decoded.count)
    ]


def same_rows(left, right):
    """Equal in value and type, whatever the order of a record's fields."""

    def ordered(row):
        return sorted(row.items(), key=lambda item: shape(item[0])) if type(row) is dict else row

    return exactly(list(map(ordered, left)), list(map(ordered, right)))


@examples(300)
@given(rows_of_any_shape, st.sampled_from(CODECS), st.booleans(), st.data())
def test_a_body_comes_back_as_it_was(rows, codec, keyed, data):
    times = [data.draw(st.integers(MIN_TIME, MAX_TIME))] * len(rows)
    times[-1] = data.draw(st.integers(MIN_TIME, MAX_TIME))
    keys = data.draw(st.lists(hashables, min_size=len(rows), max_size=len(rows))) if keyed else None
    body = encode_body(times, rows, keys, codec=codec)
    assert (body.count, body.min_time, body.max_time) == (len(rows), min(times), max(times))
    assert body.crc == crc32(body.data)
    found = decode_body(body.data)
    assert exactly(found.times, times)
    assert exactly(found.keys, keys)
    assert found.offsets is None
    assert same_rows(rows_of(found), rows)
    assert same_rows(found.rows(), rows)
    assert found.count == len(rows)
    # The same records give the same bytes whichever way they came.
    assert encode_body(times, rows_of(found), found.keys, codec=codec) == body
    if found.columns is not None:
        assert encode_columns(times, found.columns, keys, codec=codec) == body
        tuples = {name: tuple(column) for name, column in found.columns.items()}
        assert encode_columns(tuple(times), tuples, keys, codec=codec) == body


@examples(200)
@given(columnar(), st.sampled_from(CODECS), st.data())
def test_only_asked_fields_are_decoded(rows, codec, data):
    times = list(range(len(rows)))
    body = encode_body(times, rows, codec=codec)
    stored_names = tuple(rows[0])
    asked = data.draw(st.sets(st.sampled_from([*stored_names, "not there"])))
    found = decode_body(body.data, asked)
    assert found.names == stored_names
    assert set(found.columns) == asked & set(stored_names)
    whole = decode_body(body.data)
    for name in found.columns:
        assert exactly(found.columns[name], whole.columns[name])
    assert found.solid == whole.solid & asked
    for name in whole.names:
        types = set(map(type, whole.columns[name]))
        if name in whole.solid:
            assert types in ({int}, {float})
            assert types == {float} or all(-(1 << 63) <= n < 1 << 63 for n in whole.columns[name])


def rows_and_times(count):
    rows = [
        {"auction": at % 7, "price": at * 1.5, "ts": 1_700_000_000_000 + at, "who": f"p{at}",
         "tags": [at]}
        for at in range(count)
    ]  # fmt: skip
    return rows, [row["ts"] for row in rows]


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("count", [1, 2, writer.SMALL_ROWS, writer.SMALL_ROWS + 1, 500])
def test_small_and_large_forms_hold_the_same(count, codec):
    rows, times = rows_and_times(count)
    body = encode_body(times, rows, [row["auction"] for row in rows], codec=codec)
    found = decode_body(body.data)
    assert rows_of(found) == rows
    assert found.solid == {"auction", "price", "ts"}
    assert (body.data[0] == LARGE) == (count > writer.SMALL_ROWS)
    if body.data[0] == LARGE:
        assert found.columns["ts"] is not found.times  # nobody else's list


def test_one_large_value_is_not_small():
    body = encode_body([1], [{"a": "x" * 10_000}], codec="zlib")
    assert body.data[0] == LARGE
    assert len(body.data) < 400
    assert decode_body(body.data).columns == {"a": ["x" * 10_000]}


def test_a_field_that_is_the_event_time_is_stored_once():
    rows, times = rows_and_times(500)
    with_time = len(encode_body(times, rows).data)
    without = len(encode_body(times, [{**row, "ts": None} for row in rows]).data)
    assert with_time < without + 20


def test_a_value_that_all_records_have_is_stored_once():
    rows = [{"start": 5, "zone": "NYC", "none": None, "n": at} for at in range(500)]
    body = encode_body([9] * 500, rows)
    assert len(body.data) < 8 * 500 + 200
    found = decode_body(body.data)
    assert found.rows() == rows and found.times == [9] * 500
    assert found.solid == {"start", "n"}
    found.columns["start"][0] = 6
    assert decode_body(body.data).columns["start"][0] == 5
    assert not decode_body(encode_body([9] * 500, [{"big": 1 << 63}] * 500).data).solid


def test_times_that_are_known_are_taken_as_they_are():
    rows, times = rows_and_times(500)
    assert encode_body(times, rows, span=(times[0], times[-1])) == encode_body(times, rows)
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    span = times[0], times[-1]
    assert encode_columns(times, columns, span=span) == encode_columns(times, columns)


def test_large_bodies_start_their_blocks_where_arrow_can_read_them():
    rows, times = rows_and_times(500)
    header = Header(memoryview(encode_body(times, rows).data))
    assert all(start % ALIGN == 0 for start in header.starts)
    rows, times = rows_and_times(writer.SMALL_ROWS + 1)
    header = Header(memoryview(encode_body(times, rows).data))
    assert header.starts[1] == header.starts[0] + header.lengths[0]


@pytest.mark.parametrize("codec", ["zlib", "zstd"])
def test_a_compressed_body_decompresses_only_what_is_asked(codec, monkeypatch):
    from kappa.codec import compression

    rows, times = rows_and_times(500)
    body = encode_body(times, rows, codec=codec)
    assert len(body.data) < len(encode_body(times, rows).data)
    sizes = []
    inner = compression.decompress

    def counted(codec, data, size):
        sizes.append(size)
        return inner(codec, data, size)

    monkeypatch.setattr(compression, "decompress", counted)
    decode_body(body.data, {"price"})
    assert len(sizes) == 2  # the times and the price


def test_the_content_crc_does_not_depend_on_the_codec():
    rows, times = rows_and_times(500)
    bodies = [encode_body(times, rows, codec=codec) for codec in CODECS]
    assert len({body.content_crc for body in bodies}) == 1
    assert len({body.crc for body in bodies}) == 3
    assert bodies[0].crc == bodies[0].content_crc


def test_missing_and_none_differ():
    rows = [{"a": 1}, {"a": 2, "b": None}, {"b": None}, {}]
    assert decode_body(encode_body([1] * 4, rows).data).values == rows


def test_the_order_of_fields_is_no_part_of_a_record():
    rows = [{"a": 1, "b": "x"}, {"b": "y", "a": 2}]
    found = decode_body(encode_body([1, 2], rows).data)
    assert found.columns == {"a": [1, 2], "b": ["x", "y"]}


def test_dicts_without_fields_and_with_other_names_come_back():
    for rows in ([{}, {}], [{1: "a"}, {1: "b"}], [{("a", 1): 2}], [{None: 1, "a": 2}]):
        times = list(range(len(rows)))
        assert rows_of(decode_body(encode_body(times, rows).data)) == rows
        many = rows * 50
        assert rows_of(decode_body(encode_body([0] * len(many), many).data)) == many


@register
@dataclasses.dataclass
class Bid:
    auction: int
    price: float


def test_dataclasses_are_values():
    bids = [Bid(1, 2.5), Bid(2, math.inf)] * 30
    found = decode_body(encode_body(list(range(60)), bids).data)
    assert found.values == bids and found.columns is None and found.names == ()


# ---- refusals


@pytest.mark.parametrize("copies", [1, 40], ids=["small", "large"])
def test_a_refusal_names_topic_field_and_row(copies):
    rows = [{"a": 1, "b": "x"}] * copies + [{"a": 2, "b": bytearray(b"x")}]
    with pytest.raises(RecordRefused, match=f"topic 'bids': field 'b' of row {copies}") as caught:
        encode_body(list(range(copies + 1)), rows, where="bids")
    assert (caught.value.field, caught.value.topic) == ("b", "bids")
    with pytest.raises(RecordRefused, match="the key of row 0"):
        encode_body([1], [1], [object()])
    with pytest.raises(RecordRefused, match="the value of row 1"):
        encode_body([1, 2], [1, OrderedDict(a=1)])
    with pytest.raises(RecordRefused, match="surrogate"):
        encode_body([1], [{"\ud800": 1}])
    with pytest.raises(RecordRefused, match="field 'a' of row 0"):
        encode_columns([1], {"a": ["\ud800"]}, where="bids")


class Text(str):
    pass


def test_names_and_rows_of_sub_classes_are_refused():
    with pytest.raises(RecordRefused):
        encode_body([1], [{Text("a"): 1}])
    with pytest.raises(ConfigError, match="names of columns"):
        encode_columns([1], {Text("a"): [1]})
    with pytest.raises(RecordRefused):
        encode_body([1, 2], [{"a": 1}, OrderedDict(a=1)])


@pytest.mark.parametrize("time", [True, 1.0, None, MIN_TIME - 1, MAX_TIME + 1, 1 << 70])
def test_a_time_that_is_no_time_is_refused(time):
    with pytest.raises(RecordRefused, match="event time"):
        encode_body([5, time], ["a", "b"])


def test_lengths_that_differ_are_wrong_use():
    with pytest.raises(ConfigError):
        encode_body([], [])
    with pytest.raises(ConfigError):
        encode_columns([], {})
    with pytest.raises(ConfigError):
        encode_body([1], ["a", "b"])
    with pytest.raises(ConfigError):
        encode_body([1], ["a"], ["k", "l"])
    with pytest.raises(ConfigError):
        encode_columns([1], {"a": [1, 2]})
    with pytest.raises(ConfigError):
        encode_body([1], ["a"], codec="lz4")


def test_a_body_above_the_limit_is_refused(monkeypatch):
    monkeypatch.setattr(writer, "MAX_BODY_BYTES", 5000)
    with pytest.raises(RecordRefused, match="append fewer"):
        encode_body([1], ["x" * 5000])
    rows = [{"t": 1, "zone": "NYC"}] * 200  # stored once, but read as often as there are rows
    encode_body([1] * 200, rows)
    with pytest.raises(RecordRefused, match="append fewer"):
        encode_body([1] * 210, [*rows, *rows[:10]])


# ---- compaction


@examples(150)
@given(rows_of_any_shape, st.sampled_from(CODECS), st.booleans(), st.data())
def test_kept_rows_keep_their_offsets(rows, codec, keyed, data):
    times = list(range(len(rows)))
    keys = [f"k{at}" for at in times] if keyed else None
    body = encode_body(times, rows, keys, codec=codec)
    indices = data.draw(st.sets(st.sampled_from(times), min_size=1).map(sorted))
    once = keep_rows(body.data, indices)
    found = decode_body(once.data)
    assert same_rows(rows_of(found), [rows[at] for at in indices])
    assert found.offsets == found.times == indices
    assert found.keys == (keys and [keys[at] for at in indices])
    assert (once.count, once.min_time, once.max_time) == (len(indices), indices[0], indices[-1])
    again = keep_rows(once.data, [len(indices) - 1])
    assert decode_body(again.data).offsets == [indices[-1]]


def test_compaction_keeps_the_codec():
    rows, times = rows_and_times(500)
    body = encode_body(times, rows, codec="zstd")
    assert Header(memoryview(keep_rows(body.data, range(400)).data)).codec == "zstd"


@pytest.mark.parametrize("indices", [[], [1, 1], [2, 1], [-1], [3]])
def test_rows_to_keep_ascend_within_the_body(indices):
    body = encode_body([1, 2, 3], ["a", "b", "c"])
    with pytest.raises(ConfigError):
        keep_rows(body.data, indices)


def test_reading_takes_a_view_into_a_larger_buffer():
    rows, times = rows_and_times(100)
    data = encode_body(times, rows).data
    view = memoryview(b"before" + data + b"after")[6 : 6 + len(data)]
    assert rows_of(decode_body(view)) == rows
    with pytest.raises(CorruptBatch):
        decode_body(b"")
