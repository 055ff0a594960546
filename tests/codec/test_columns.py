"""Columns: packed only where every value's exact type allows it, and back as they were."""

from __future__ import annotations

import sys
from array import array

import pytest
from codec.drawn import exactly, leaves, stored
from hypothesis import given
from hypothesis import strategies as st
from strategies import examples

from kappa.codec import columns as codec
from kappa.codec import decode_column, encode_column
from kappa.errors import CorruptBatch, RecordRefused

words = st.integers(-(1 << 63), (1 << 63) - 1)
drawn = st.one_of(
    st.lists(words, min_size=1, max_size=8),
    st.lists(st.integers(-(1 << 66), 1 << 66), min_size=1, max_size=8),
    st.lists(st.floats(), min_size=1, max_size=8),
    st.lists(st.integers(-3, 3) | st.booleans(), min_size=1, max_size=8),
    st.lists(st.integers(-3, 3) | st.none(), min_size=1, max_size=8),
    st.lists(leaves, min_size=1, max_size=8),
    st.lists(stored, min_size=1, max_size=4),
    st.tuples(stored, st.integers(2, 5)).map(lambda drawn: [drawn[0]] * drawn[1]),
)


@examples(500)
@given(drawn)
def test_a_column_comes_back_as_it_was(column):
    block = encode_column(column)
    assert exactly(decode_column(block.kind, block.data, len(column)), column)
    packed = block.kind in "qd" or (block.kind == "c" and codec.solid(column[:1]))
    assert codec.solid(column) == packed


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ([1, -1], "q"),
        ([(1 << 63) - 1, -(1 << 63)], "q"),
        ([1 << 63], "v"),
        ([-(1 << 63) - 1], "v"),
        ([1, True], "v"),
        ([1, None], "v"),
        ([1, 1.0], "v"),
        ([1.0, float("nan"), -0.0], "d"),
        ([1.0, None], "v"),
        ([True], "v"),
        ([7], "q"),
        ([7, 7], "c"),
        ([7, 8, 7], "q"),
        ([1 << 63, 1 << 63], "c"),
        (["a", "a", "a"], "c"),
        (["a", "b", "a"], "v"),
        ([None, None], "c"),
        ([True, True], "c"),
        ([True, 1], "v"),
        ([0.0, 0.0], "d"),
        ([(1,), (1,)], "v"),
        (["a"], "v"),
        ([[1]], "v"),
    ],
)
def test_a_column_is_packed_only_by_exact_types(column, kind):
    assert encode_column(column).kind == kind


def test_every_bit_of_a_float_is_kept():
    quiet = array("d", bytes.fromhex("010000000000f87f0500000000 00f8ff".replace(" ", "")))
    block = encode_column(quiet.tolist())
    assert block.data == quiet.tobytes()
    assert array("d", decode_column("d", block.data, 2)).tobytes() == quiet.tobytes()


def test_what_makes_an_int_of_itself_is_no_int():
    class Index:
        def __index__(self) -> int:
            return 1

    with pytest.raises(RecordRefused):
        encode_column([1, Index()])


def test_only_exact_ints_are_the_times_again():
    assert encode_column([5, 7], times=[5, 7]).kind == "t"
    assert encode_column([5, 8], times=[5, 7]).kind == "q"
    assert encode_column([5.0, 7.0], times=[5, 7]).kind == "d"
    assert encode_column([1, True], times=[1, 1]).kind == "v"


def test_equality_is_asked_of_ints_only():
    class Trap:
        def __eq__(self, other: object) -> bool:
            raise AssertionError("compared")

        __hash__ = None  # type: ignore[assignment]

    with pytest.raises(RecordRefused):
        encode_column([5, Trap()], times=[5, 7])
    with pytest.raises(RecordRefused):
        encode_column([Trap(), Trap()])


@pytest.mark.parametrize(
    ("kind", "data", "count"),
    [
        ("q", bytes(15), 2), ("q", bytes(8), 2), ("q", bytes(24), 2), ("d", b"", 1),
        ("v", b"\x92\x01", 2), ("v", b"\x91\x01", 2), ("v", b"\x81\x01\x02", 1), ("v", b"\x01", 1),
        ("t", b"", 1), ("x", bytes(8), 1), ("", b"", 0),
        ("c", b"", 2), ("c", b"\x90", 2), ("c", b"\x92\x01\x01", 2), ("c", b"\x01", 2),
        ("c", b"\x91\x90", 2), ("c", b"\x91\xcb" + bytes(8), 2),
    ],
)  # fmt: skip
def test_a_block_of_another_size_is_corrupt(kind, data, count):
    with pytest.raises(CorruptBatch):
        decode_column(kind, data, count)


def test_blocks_are_little_endian_on_every_host(monkeypatch):
    data = (1).to_bytes(8, "little") + (-2).to_bytes(8, "little", signed=True)
    assert encode_column([1, -2]).data == data
    assert decode_column("q", data, 2) == [1, -2]
    # What a host of the other order would do: read its own order, then swap.
    monkeypatch.setattr(codec, "_SWAP", not codec._SWAP)
    swapped = array("q", [1, -2])
    swapped.byteswap()
    native = "big" if sys.byteorder == "little" else "little"
    assert swapped.tobytes()[:8] == (1).to_bytes(8, native)
    assert decode_column("q", swapped.tobytes(), 2) == [1, -2]
