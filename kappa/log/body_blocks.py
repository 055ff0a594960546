"""The large form of a body: a header, then a block per column, each found without reading others.

    large  = 03, u32 length of the header, header, (padding, block)*
    header = msgpack [count, has keys, has offsets, names | nil, codec, align,
                      kinds, sizes, lengths]

The blocks are times, keys if any, offsets if any, then one per name, or one of values if
names is nil. `kinds` has a letter per block (`kappa.codec.columns`), `sizes` the bytes of
each, `lengths` the bytes as stored: where the two differ the block is compressed. Blocks
start at multiples of `align`, counted from the body's first byte; there are no bytes behind
the last. Form 02 is read as well: its header has two more parts, which nobody needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import Any

from kappa.codec import compression, values
from kappa.codec.columns import Block, decode_column
from kappa.errors import CorruptBatch

__all__ = [
    "ALIGN",
    "ALIGN_FROM",
    "LARGE",
    "MAX_BODY_BYTES",
    "WITH_BOUNDS",
    "Header",
    "assemble",
    "check_names",
    "full_size",
]

LARGE = 3
WITH_BOUNDS = 2
"""The large form of earlier versions."""
MAX_BODY_BYTES = 1 << 28
"""Bytes of the blocks of one body, uncompressed: 256 MiB, at 8 per value that is not stored."""
ALIGN = 64
ALIGN_FROM = 4096
"""Bodies above this many bytes start their blocks where Arrow can read them as they lie."""
_MAX_ALIGN = 4096
_PARTS = {LARGE: 9, WITH_BOUNDS: 11}
_UNSTORED = "tc"
"""Kinds whose number of values does not follow from their bytes."""
_PREFIX = Struct("<BI")


def assemble(
    blocks: list[Block],
    shape: tuple[int, bool, bool, list[str] | None],
    codec: str,
) -> bytes:
    """The large body of these blocks.

    Args:
        blocks: in the order of the form.
        shape: count, has keys, has offsets, names.
        codec: "none", "zlib" or "zstd".
    """
    data = [block.data for block in blocks]
    sizes = list(map(len, data))
    if codec != "none":
        data = [compression.compress(codec, block) for block in data]
    align = ALIGN if sum(sizes) > ALIGN_FROM else 1
    kinds = "".join([block.kind for block in blocks])
    lengths = list(map(len, data))
    header = values.pack([*shape, codec, align, kinds, sizes, lengths])
    parts = [_PREFIX.pack(LARGE, len(header)), header]
    end = _PREFIX.size + len(header)
    for block in data:
        gap = -end % align
        parts += (bytes(gap), block)
        end += gap + len(block)
    return b"".join(parts)


def full_size(kinds: str, sizes: Sequence[int], count: int) -> int:
    """Bytes that the values of blocks take, those that are not stored at 8 each.

    >>> full_size("qtv", [16, 0, 5], 2)
    37
    """
    return sum(sizes) + 8 * count * sum(map(kinds.count, _UNSTORED))


class Header:
    """The parsed header of a large body and the place of each block, all checked.

    Args:
        view: the whole body.

    Raises:
        CorruptBatch: not a header that `assemble` writes, or other than the bytes there.
    """

    __slots__ = (
        "codec", "count", "first", "has_keys", "has_offsets",
        "kinds", "lengths", "names", "sizes", "starts", "view",
    )  # fmt: skip

    def __init__(self, view: memoryview) -> None:
        if len(view) < _PREFIX.size:
            raise CorruptBatch(f"a large body of {len(view)} bytes")
        end = _PREFIX.size + _PREFIX.unpack_from(view)[1]
        if end > len(view):
            raise CorruptBatch(f"a header of {end - _PREFIX.size} bytes in a body of {len(view)}")
        parts = values.unpack(view[_PREFIX.size : end])
        if type(parts) is not list or len(parts) != _PARTS.get(view[0]):
            raise CorruptBatch(f"a header is not a list of {_PARTS.get(view[0])} parts")
        self.view = view
        count, has_keys, has_offsets, names, self.codec, align, kinds, sizes, lengths = parts[:9]
        self._take_shape(count, has_keys, has_offsets, names, kinds)
        self._take_blocks(sizes, lengths)
        if self.codec not in compression.CODECS:
            raise CorruptBatch(f"codec {self.codec!r} is unknown: written by a newer version?")
        if type(align) is not int or not 1 <= align <= _MAX_ALIGN:
            raise CorruptBatch(f"alignment {align!r} is not within 1 to {_MAX_ALIGN}")
        self._place(end, align)

    def _take_shape(
        self, count: Any, has_keys: Any, has_offsets: Any, names: Any, kinds: Any
    ) -> None:
        if type(count) is not int or count < 1:
            raise CorruptBatch(f"a header with count {count!r}")
        if type(has_keys) is not bool or type(has_offsets) is not bool or type(kinds) is not str:
            raise CorruptBatch("a header without flags and kinds")
        self.count, self.has_keys, self.has_offsets = count, has_keys, has_offsets
        self.kinds = kinds
        self.first = 1 + has_keys + has_offsets
        self.names: tuple[str, ...] | None = None
        if names is not None:
            self.names = check_names(names, len(kinds) - self.first)
        elif len(kinds) != self.first + 1:
            raise CorruptBatch("a header without exactly one block of values")
        if "t" in kinds[: self.first + (names is None)]:
            raise CorruptBatch("only a field can be the times again")
        if kinds[:1] not in ("q", "c") or (has_offsets and kinds[self.first - 1] != "q"):
            raise CorruptBatch("the block of times or of offsets is not packed")

    def _take_blocks(self, sizes: Any, lengths: Any) -> None:
        for numbers in (sizes, lengths):
            if type(numbers) is not list or not set(map(type, numbers)) <= {int}:
                raise CorruptBatch("a header without lists of numbers")
        if not len(sizes) == len(lengths) == len(self.kinds):
            raise CorruptBatch("a header with sizes of other blocks")
        if min(sizes) < 0 or min(lengths) < 0:
            raise CorruptBatch("a header with sizes below 0")
        size = full_size(self.kinds, sizes, self.count)
        if size > MAX_BODY_BYTES:
            raise CorruptBatch(f"blocks of {size} bytes: at most {MAX_BODY_BYTES}")
        self.sizes, self.lengths = sizes, lengths

    def _place(self, end: int, align: int) -> None:
        self.starts: list[int] = []
        for length in self.lengths:
            start = end + -end % align
            self.starts.append(start)
            end = start + length
        if end != len(self.view):
            raise CorruptBatch(f"blocks end at byte {end} of a body of {len(self.view)}")

    def holds(self, at: int) -> bool:
        """Whether a packed block is there, uncompressed and whole: reading it cannot fail."""
        size = self.sizes[at]
        return self.kinds[at] in "qd" and self.lengths[at] == size == 8 * self.count

    def column(self, at: int) -> list[Any]:
        """The values of block number `at`; the only bytes looked at are its own.

        Raises:
            CorruptBatch: the block is malformed or holds another number of values.
        """
        start, length, size = self.starts[at], self.lengths[at], self.sizes[at]
        data: bytes | memoryview = self.view[start : start + length]
        if length != size:
            data = compression.decompress(self.codec, data, size)
        return decode_column(self.kinds[at], data, self.count)


def check_names(names: Any, count: int) -> tuple[str, ...]:
    """The names of fields as read, if they are `count` different strings.

    Raises:
        CorruptBatch: they are not.

    >>> check_names(["a", "a"], 2)
    Traceback (most recent call last):
    kappa.errors.CorruptBatch: not 2 different names of fields
    """
    if type(names) is not list or not set(map(type, names)) <= {str}:
        raise CorruptBatch("the names of fields are not text")
    if len(names) != count or len(set(names)) != count:
        raise CorruptBatch(f"not {count} different names of fields")
    return tuple(names)
