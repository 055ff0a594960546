"""Malformed bodies raise CorruptBatch and nothing else, whatever is wrong with them.

Exhaustive: every body is cut at every byte and has every bit flipped, its checksum ignored.
Then headers that claim what is not there, one claim at a time.
"""

from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgpack import packb, unpackb
from strategies import examples

from kappa.codec import encode_column
from kappa.codec.columns import pack_ints
from kappa.errors import CorruptBatch
from kappa.log import body_blocks, body_reader
from kappa.log.body import MAX_BODY_BYTES, decode_body, encode_body, keep_rows
from kappa.log.body_blocks import LARGE, WITH_BOUNDS, assemble

ROWS = [
    {"n": at, "t": at, "x": at / 2, "s": "ab"[at % 2] * 3, "v": [None, (1, at)]} for at in range(3)
]
MANY = ROWS * 12


def bodies():
    times, many = [0, 1, 2], [at % 3 for at in range(36)]
    moment = datetime(2020, 1, 1, tzinfo=UTC)
    yield "one", encode_body([5], [{"a": 1, "b": "x"}])
    yield "small", encode_body(times, ROWS, ["k", 1, ("t", 2)])
    yield "small values", encode_body(times, [1, "a", {moment: b"x"}])
    yield "small kept", keep_rows(encode_body(times, ROWS).data, [0, 2])
    for codec in ("none", "zlib", "zstd"):
        yield f"large {codec}", encode_body(many, MANY, ["key"] * 36, codec=codec)
        yield f"large values {codec}", encode_body(many, [1, "a", 2.5] * 12, codec=codec)
    same = [{"n": 7, "s": "abc", "t": 5}] * 36
    yield "large same", encode_body([5] * 36, same, ["key"] * 36)
    whole = encode_body(many, [{"a": 1, "t": at % 3} for at in range(36)])
    yield "large kept", keep_rows(whole.data, range(1, 36))


BODIES = dict(bodies())


@pytest.fixture(params=BODIES)
def data(request):
    return BODIES[request.param].data


def test_a_cut_body_is_corrupt(data):
    decode_body(data)
    for cut in range(len(data)):
        with pytest.raises(CorruptBatch):
            decode_body(data[:cut])
    with pytest.raises(CorruptBatch):
        decode_body(data + b"\0")


def test_a_flipped_bit_is_corrupt_or_another_body(data):
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        for fields in (None, {"n", "s"}):
            try:
                found = decode_body(bytes(flipped), fields)
            except CorruptBatch:
                continue
            well_formed(found, fields)


@pytest.mark.parametrize(
    ("part", "broken", "body"),
    [
        (body_reader, ("_check_offsets", lambda offsets, count: None), "small kept"),
        (body_blocks, ("check_names", lambda names, count: tuple(names)), "large none"),
        (body_blocks.Header, ("_place", lambda self, end, align: None), "large none"),
    ],
    ids=["offsets", "names", "places"],
)
def test_a_reader_that_believes_too_much_is_caught(part, broken, body, monkeypatch):
    monkeypatch.setattr(part, *broken)
    with pytest.raises((AssertionError, AttributeError, TypeError)):
        test_a_flipped_bit_is_corrupt_or_another_body(BODIES[body].data)


def well_formed(found, fields):
    """What a reader may rely on without asking."""
    assert found.count == len(found.times) > 0
    assert set(map(type, found.times)) == {int}
    assert found.keys is None or len(found.keys) == found.count
    assert found.offsets is None or found.offsets == sorted(set(found.offsets))
    assert (found.columns is None) == (found.values is not None)
    if found.columns is None:
        assert len(found.values) == found.count
        return
    assert set(found.columns) == set(found.names) & (fields or set(found.names))
    assert set(map(type, found.names)) <= {str} and len(set(found.names)) == len(found.names)
    assert all(len(column) == found.count for column in found.columns.values())
    assert all(set(map(type, found.columns[name])) in ({int}, {float}) for name in found.solid)


@examples(300)
@given(st.binary(max_size=60), st.sampled_from([b"", b"\x01", b"\x02", b"\x03\x10\0\0\0"]))
def test_any_bytes_are_corrupt_or_a_body(noise, prefix):
    try:
        found = decode_body(prefix + noise)
    except CorruptBatch:
        return
    well_formed(found, None)


# ---- claims

SMALL = [[5, 6], ["k", "l"], [0, 3], ["a", "b"], [1, 2, "x", "y"]]
SMALL_WRONG = [
    (0, []), (0, [5]), (0, [5, 6.0]), (0, [5, True]), (0, None), (0, "ab"), (0, {}),
    (1, ["k"]), (1, "kl"), (2, [0]), (2, [3, 0]), (2, [0, 0]), (2, [-1, 0]), (2, [0, None]),
    (2, "ab"), (3, ["a"]), (3, ["a", "a"]), (3, ["a", 1]), (3, "ab"), (3, {"a": 1, "b": 2}),
    (3, 5), (3, ["a", "b", "c"]), (4, []), (4, [1, 2, "x"]), (4, [[1, 2], ["x", "y"]]),
    (4, None), (4, {1: 2, 3: 4, 5: 6, 7: 8}), (4, "abcd"), (4, [1, 2, 3, 4, 5]),
]  # fmt: skip


@pytest.mark.parametrize(("part", "claim"), SMALL_WRONG)
def test_a_small_body_that_contradicts_itself_is_corrupt(part, claim):
    decode_body(b"\x01" + packb(SMALL))
    wrong = list(SMALL)
    wrong[part] = claim
    with pytest.raises(CorruptBatch):
        decode_body(b"\x01" + packb(wrong))


def test_a_small_body_of_values_holds_one_per_time():
    for content in ([1], [1, 2, 3], "ab", {1: 2, 3: 4}):
        with pytest.raises(CorruptBatch):
            decode_body(b"\x01" + packb([[5, 6], None, None, None, content]))
    for parts in ([], [1] * 6, {}, "abcde", None):
        with pytest.raises(CorruptBatch):
            decode_body(b"\x01" + packb(parts))


COUNT, HAS_KEYS, HAS_OFFSETS, NAMES, CODEC, ALIGN, KINDS, SIZES, LENGTHS = range(9)
LARGE_WRONG = [
    (COUNT, 3), (COUNT, 0), (COUNT, -2), (COUNT, 1 << 62), (COUNT, 2.0), (COUNT, True),
    (HAS_KEYS, False), (HAS_KEYS, 1), (HAS_OFFSETS, False), (HAS_OFFSETS, None),
    (NAMES, None), (NAMES, ["a"]), (NAMES, ["a", "a"]), (NAMES, ["a", 1]), (NAMES, "ab"),
    (NAMES, ["a", "b", "c"]), (NAMES, {}), (CODEC, "lz4"), (CODEC, None), (CODEC, [1]),
    (ALIGN, 0), (ALIGN, -1), (ALIGN, 1 << 40), (ALIGN, None), (ALIGN, 64),
    (KINDS, ""), (KINDS, "q"), (KINDS, "qvqqvv"), (KINDS, "vvqqv"), (KINDS, "qvvqv"),
    (KINDS, "tvqqv"), (KINDS, "qtqqv"), (KINDS, "qvtqv"), (KINDS, "qvqxv"), (KINDS, 5),
    (KINDS, ["q", "v", "q", "q", "v"]), (KINDS, "qvqqq"), (KINDS, "qvqqd"), (KINDS, None),
    (SIZES, []), (SIZES, [16] * 5), (SIZES, [16, 5, 16, 16, -1]), (SIZES, None),
    (SIZES, [16, 5, 16, 16, 1 << 62]), (SIZES, [16, 5, 16, 16, MAX_BODY_BYTES]),
    (SIZES, [16, 5, 16, 16, 5.0]), (SIZES, [16, 5, 16, 16, None]),
    (LENGTHS, []), (LENGTHS, [16, 5, 16, 16, 1 << 62]), (LENGTHS, [16, 5, 16, 16, 4]),
    (LENGTHS, [-16, 5, 48, 16, 5]), (LENGTHS, [32, 5, 0, 16, 5]), (LENGTHS, [16, 5, 16, 5, 16]),
    (KINDS, "cvqqv"), (KINDS, "qcqqv"), (KINDS, "qvcqv"), (KINDS, "qvqqc"),
]  # fmt: skip


def large():
    columns = [[5, 6], ["k", "l"], [0, 3], [1, 2], ["x", "y"]]
    data = assemble([encode_column(c) for c in columns], (2, True, True, ["a", "b"]), "none")
    length = int.from_bytes(data[1:5], "little")
    return unpackb(data[5 : 5 + length]), data[5 + length :]


def put_together(header, blocks, form=LARGE):
    stored = packb(header)
    return bytes([form]) + pack("<I", len(stored)) + stored + blocks


def test_the_unchanged_large_body_reads_back():
    found = decode_body(put_together(*large()))
    assert found.columns == {"a": [1, 2], "b": ["x", "y"]}
    assert (found.times, found.keys, found.offsets) == ([5, 6], ["k", "l"], [0, 3])


@pytest.mark.parametrize(("part", "claim"), LARGE_WRONG)
def test_a_header_that_contradicts_its_blocks_is_corrupt(part, claim):
    header, blocks = large()
    header[part] = claim
    with pytest.raises(CorruptBatch):
        decode_body(put_together(header, blocks))


@pytest.mark.parametrize(
    "header",
    [[], None, {}, "x" * 9, [None] * 9, [[]] * 9, list(range(9)), list(range(11)), list(range(10))],
)
def test_what_is_no_header_is_corrupt(header):
    with pytest.raises(CorruptBatch):
        decode_body(put_together(header, b""))


def test_the_form_of_earlier_versions_is_read_and_its_bounds_are_not():
    header, blocks = large()
    for bounds in ([[1, 2, 3], [4, 5, 6]], [None, None]):
        found = decode_body(put_together([*header, *bounds], blocks, WITH_BOUNDS))
        assert found.columns == {"a": [1, 2], "b": ["x", "y"]}
    for wrong in (header, [*header, []], [*header, [], [], []]):
        with pytest.raises(CorruptBatch):
            decode_body(put_together(wrong, blocks, WITH_BOUNDS))


def test_offsets_that_do_not_ascend_are_corrupt():
    header, blocks = large()
    for offsets in ([3, 0], [3, 3], [-1, 0]):
        wrong = blocks[:21] + pack("<2q", *offsets) + blocks[37:]
        with pytest.raises(CorruptBatch, match="ascend"):
            decode_body(put_together(header, wrong))


def test_claims_take_no_memory():
    header, blocks = large()
    header[COUNT] = 1 << 40
    claims = [
        put_together(header, blocks),
        b"\x03\xff\xff\xff\xff" + bytes(100),
        put_together(
            [1 << 40, False, False, ["a"], "none", 1, "cc", [2, 2], [2, 2]], b"\x91\1" * 2
        ),
        put_together([1 << 40, False, False, ["a"], "none", 1, "ct", [2, 0], [2, 0]], b"\x91\1"),
        b"\x01\x95\xdd\xff\xff\xff\xff" + bytes(100),
        b"\x01\xdf\xff\xff\xff\xff" + bytes(100),
    ]
    for codec in ("zlib", "zstd"):
        bomb = [pack_ints([0] * 4096), pack_ints([0] * 4096)]
        data = assemble(bomb, (4096, False, False, ["a"]), codec)
        claims.append(data.replace(packb([32768, 32768]), packb([32768, 32769])))
    tracemalloc.start()
    try:
        for claim in claims:
            with pytest.raises(CorruptBatch):
                decode_body(claim)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_keep_rows_reads_as_strictly():
    for data in (b"", b"\x01", b"\x02", b"\x03abc", b"\x04abc"):
        with pytest.raises(CorruptBatch):
            keep_rows(data, [0])
