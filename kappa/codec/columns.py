"""One column of values to one block of bytes and back.

    kind  the column                                block
    q     every value exactly int, within 64 bits   little-endian int64s
    d     every value exactly float                 little-endian float64s, all bits kept
    t     the event times of the same records       nothing
    c     one int, str, bytes, bool or None         a msgpack list of that one value
          throughout
    v     anything else                             a msgpack list, with the extensions of
                                                    `kappa.codec.values`

A packed block holds no None and no bool, so what reads it needs no test per value. The event
times are a field of most records: kind "t" spares storing, testing and decoding it twice. The
results of a window have its start, its end and their event time in common: kind "c".
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from operator import countOf
from struct import calcsize, error, pack
from typing import Any, NamedTuple

from kappa.codec import values
from kappa.errors import CorruptBatch

__all__ = [
    "Block",
    "decode_column",
    "encode_column",
    "exact_types",
    "pack_ints",
    "same_throughout",
    "solid",
]

_INT, _FLOAT = {int}, {float}
_SWAP = sys.byteorder == "big"
# A C long where it has the format's size and order: packs event times twice as fast as "<q".
_LONG = "{}l" if calcsize("l") == 8 and not _SWAP else "<{}q"
_MIN, _MAX = -(1 << 63), (1 << 63) - 1
_COMPARED = {int, str, bytes, bool, type(None)}
"""Types whose equal values come back as one another, unlike 0.0 and -0.0."""


class Block(NamedTuple):
    """One encoded column.

    Args:
        kind: "q", "d", "t", "c" or "v".
        data: its bytes.
    """

    kind: str
    data: bytes


_SAME = Block("t", b"")


def encode_column(
    column: Sequence[object], *, times: list[int] | None = None, solid: bool = False
) -> Block:
    """The block of a column.

    Args:
        column: its values, at least one.
        times: the event times of the same records; a column equal to them is kind "t".
        solid: the values are known to be of the first one's exact type, int or float.

    Raises:
        RecordRefused: a value would not come back equal in value and type.

    Cost: 35 ns per int (20 of them the exact types), 35 per float, 40 per short str, 5 where
    all are one and the same, and the exact types (20) where they are not known.

    >>> encode_column([1, -1]).kind, encode_column([7, 7]).kind
    ('q', 'c')
    >>> encode_column([1, None])
    Block(kind='v', data=b'\\x92\\x01\\xc0')
    """
    types = {type(column[0])} if solid else exact_types(column)
    if types == _INT:
        # Only now: equality asked of other types could be anything, or run user code.
        if column == times:
            return _SAME
        if same_throughout(column):
            return Block("c", values.pack([column[0]]))
        try:
            return pack_ints(column)  # type: ignore[arg-type]
        except error:  # beyond 64 bits
            pass
    elif types == _FLOAT:
        return Block("d", pack(f"<{len(column)}d", *column))
    if not types <= values.PLAIN:
        values.check(column)
    if len(types) == 1 and types <= _COMPARED and same_throughout(column):
        return Block("c", values.pack([column[0]]))
    return Block("v", values.pack(list(column)))


def same_throughout(column: Sequence[object]) -> bool:
    """Whether all of two or more values, of one type in `_COMPARED`, are equal.

    >>> same_throughout([7, 7]), same_throughout([7, 8, 7])
    (True, False)
    """
    first = column[0]
    # The last one is rarely as the first by chance.
    return len(column) > 1 and column[-1] == first and column.count(first) == len(column)


def pack_ints(column: Sequence[int]) -> Block:
    """The "q" block of ints whose types are known.

    Raises:
        struct.error: one has more than 64 bits.

    >>> pack_ints([3, -1]) == encode_column([3, -1])
    True
    """
    # Twice as fast as an array, which looks up each value through its own item setter.
    return Block("q", pack(_LONG.format(len(column)), *column))


def exact_types(column: Sequence[object]) -> set[type]:
    """The types of the values.

    >>> exact_types([1, 2]) == {int}, exact_types([1, True]) == {int, bool}
    (True, True)
    """
    kind = type(column[0])
    # Most columns have one type, and counting it takes two thirds of gathering all.
    if countOf(map(type, column), kind) == len(column):
        return {kind}
    return set(map(type, column))


def decode_column(kind: str, data: bytes | memoryview, count: int) -> list[Any]:
    """The values of a block.

    Args:
        kind: "q", "d", "c" or "v".
        data: the block, whole.
        count: how many values it must hold; the caller has held it against a limit.

    Raises:
        CorruptBatch: it does not hold exactly that many, or is malformed.

    Cost: 16 ns per int or float, 25 to 50 per str.

    >>> decode_column("v", b"\\x92\\x01\\xc0", 2)
    [1, None]
    """
    if kind == "v":
        column = values.unpack(data)
        if type(column) is not list or len(column) != count:
            raise CorruptBatch(f"a block of values does not hold {count} of them")
        return column
    if kind == "c":
        column = values.unpack(data)
        if type(column) is not list or len(column) != 1 or type(column[0]) not in _COMPARED:
            raise CorruptBatch("a block of one value does not hold one")
        return column * count
    if kind not in ("q", "d"):
        raise CorruptBatch(f"unknown kind of block {kind!r}")
    if len(data) != 8 * count:
        raise CorruptBatch(f"a packed block of {count} values has {len(data)} bytes")
    packed = array(kind)
    packed.frombytes(data)
    if _SWAP:
        packed.byteswap()
    return packed.tolist()


def solid(column: Sequence[Any]) -> bool:
    """Whether the column would be packed: all exactly int within 64 bits, or all float.

    >>> solid([1, 2]), solid([1, None]), solid([1.0]), solid([1 << 63]), solid([])
    (True, False, True, False, False)
    """
    types = exact_types(column) if len(column) else set()
    if types == _INT:
        return bool(min(column) >= _MIN and max(column) <= _MAX)
    return types == _FLOAT
