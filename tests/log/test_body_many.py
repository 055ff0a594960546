"""Many bodies read as one hold what each of them holds, one behind the other."""

from __future__ import annotations

from contextlib import suppress

import pytest
from codec.drawn import exactly, leaves
from hypothesis import given
from hypothesis import strategies as st
from strategies import examples

from kappa.errors import ConfigError, CorruptBatch
from kappa.log import body_many
from kappa.log.body import decode_bodies, decode_body, encode_body, keep_rows

cells = st.one_of(st.integers(-5, 5), st.floats(allow_nan=False), leaves)
same = st.fixed_dictionaries({"a": st.integers(-5, 5), "b": cells})
other = st.one_of(
    same, st.fixed_dictionaries({"a": cells}), st.fixed_dictionaries({"b": cells, "a": cells}),
    st.just({}), cells,
)  # fmt: skip


@st.composite
def bodies(draw):
    kind = draw(st.sampled_from([same, same, other]))
    keyed = draw(st.sampled_from([True, False, None]))
    found = []
    for _ in range(draw(st.integers(1, 5))):
        rows = draw(st.lists(kind, min_size=1, max_size=3)) * draw(st.sampled_from([1, 1, 1, 30]))
        has_keys = draw(st.booleans()) if keyed is None else keyed
        times = [draw(st.integers(0, 99))] * len(rows)
        found.append(encode_body(times, rows, list(range(len(rows))) if has_keys else None).data)
    return found


@examples(400)
@given(bodies(), st.sampled_from([None, {"a"}, {"b", "x"}, set()]))
def test_bodies_read_together_hold_what_each_holds(data, fields):
    found = decode_bodies(data, fields)
    each = [decode_body(one, fields) for one in data]
    assert exactly(found.times, [time for one in each for time in one.times])
    assert found.count == len(found.times)
    with_keys = all(one.keys is not None for one in each)
    assert found.keys == ([key for one in each for key in one.keys] if with_keys else None)
    assert found.offsets is None
    one_shape = all(one.columns is not None for one in each)
    one_shape = one_shape and len({frozenset(one.names) for one in each}) == 1
    assert (found.columns is not None) == one_shape
    if one_shape:
        assert found.names == each[0].names
        assert list(found.columns) == list(each[0].columns)
        for name, column in found.columns.items():
            assert exactly(column, [value for one in each for value in one.columns[name]])
            if name in found.solid:
                assert set(map(type, column)) in ({int}, {float})
        assert all(one.solid >= found.solid for one in each)
    else:
        assert exactly(found.values, [row for one in each for row in one.rows()])


def test_small_bodies_of_one_shape_are_one_stream(monkeypatch):
    data = [encode_body([at], [{"a": at, "b": str(at)}], [at]).data for at in range(50)]
    data.append(encode_body([1, 2, 3], [{"a": at, "b": ""} for at in range(3)], "xyz").data)
    monkeypatch.setattr(body_many, "decode_body", None)
    found = decode_bodies(data, {"a"})
    assert found.columns == {"a": [*range(50), 0, 1, 2]}
    assert found.keys == [*range(50), "x", "y", "z"]
    assert found.solid == {"a"}
    assert decode_bodies([memoryview(one) for one in data], {"a"}).columns == found.columns


def test_compacted_bodies_are_read_without_their_offsets():
    kept = keep_rows(encode_body([1, 2, 3], [{"a": at} for at in range(3)]).data, [0, 2]).data
    assert decode_bodies([kept, kept]).columns == {"a": [0, 2, 0, 2]}
    assert decode_bodies([kept]).offsets is None


def test_no_bodies_are_wrong_use():
    with pytest.raises(ConfigError):
        decode_bodies([])


SMALL = [encode_body([at], [{"a": at, "b": "x"}], [at]).data for at in range(3)]


@pytest.mark.parametrize("place", range(3))
def test_one_cut_or_flipped_body_is_corrupt_or_another(place):
    def without(one):
        return [*SMALL[:place], one, *SMALL[place + 1 :]]

    for cut in range(len(SMALL[place])):
        with pytest.raises(CorruptBatch):
            decode_bodies(without(SMALL[place][:cut]))
    with pytest.raises(CorruptBatch):
        decode_bodies(without(SMALL[place] + b"\1"))
    for bit in range(8 * len(SMALL[place])):
        flipped = bytearray(SMALL[place])
        flipped[bit // 8] ^= 1 << bit % 8
        with suppress(CorruptBatch):
            found = decode_bodies(without(bytes(flipped)))
            assert found.count == len(found.times) >= 3
            for column in (found.columns or {}).values():
                assert len(column) == found.count
