"""Reading bodies: only the asked fields are decoded, and nothing read is believed.

Every length is held against the bytes that are there, or against `MAX_BODY_BYTES`, before
memory is taken; malformed bytes raise `CorruptBatch`, whatever is wrong with them. The
checksum is the caller's to compare: it lies in the journal.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from operator import lt
from typing import Any

from kappa.codec import values
from kappa.codec.columns import solid
from kappa.errors import CorruptBatch
from kappa.log.body_blocks import LARGE, WITH_BOUNDS, Header

__all__ = ["SMALL", "Decoded", "codec_of", "decode_body"]

SMALL = 1


class Decoded:
    """What a body holds, or the asked part of it.

    Attributes:
        count: records.
        times: event time of each, in milliseconds.
        keys: key of each, or None where the body has none.
        columns: the asked fields by name; None where the body is not columnar.
        names: all fields that the body has; empty where it is not columnar.
        values: the value of each record where the body is not columnar, else None.
        offsets: offset of each relative to the body's first; None for 0, 1, 2, ...
    """

    __slots__ = (
        "_header", "_solid", "_times", "columns", "count", "keys", "names", "offsets", "values",
    )  # fmt: skip

    def __init__(
        self,
        times: list[int] | Header,
        keys: list[Any] | None,
        offsets: list[int] | None,
        names: tuple[str, ...],
        columns: dict[str, list[Any]] | None,
        values: list[Any] | None,
    ) -> None:
        self._header: Header | None = None
        self._times: list[int] | None = None
        if isinstance(times, Header):  # decoded when they are asked for
            self._header, self.count = times, times.count
        else:
            self._times, self.count = times, len(times)
        self.keys = keys
        self.offsets = offsets
        self.names = names
        self.columns = columns
        self.values = values
        self._solid: frozenset[str] | None = None

    @property
    def times(self) -> list[int]:
        """Event time of each; of a large body, decoded when first asked for."""
        if self._times is None:
            assert self._header is not None
            self._times = self._header.column(0)
        return self._times

    @property
    def solid(self) -> frozenset[str]:
        """Names of the decoded columns that are all exactly int (64 bits) or all float.

        >>> decode_body(bytes.fromhex("01959105c0c092a161a1629201c0")).solid
        frozenset({'a'})
        """
        if self._solid is None:  # a small body does not say; few ask
            known = self.columns or {}
            self._solid = frozenset(name for name in known if solid(known[name]))
        return self._solid

    def set_solid(self, names: frozenset[str]) -> None:
        """What `solid` is, where whoever read the columns knows it without looking.

        >>> found = decode_body(bytes.fromhex("01959105c0c092a161a1629201c0"))
        >>> found.set_solid(frozenset()); found.solid
        frozenset()
        """
        self._solid = names

    def with_columns(
        self, columns: dict[str, list[Any]], names: tuple[str, ...], solid: frozenset[str]
    ) -> Decoded:
        """The same records with other columns."""
        made = self._twin(names, columns, None)
        made._solid = solid
        return made

    def with_rows(self, rows: list[Any]) -> Decoded:
        """The same records with other values."""
        return self._twin((), None, rows)

    def _twin(
        self, names: tuple[str, ...], columns: dict[str, list[Any]] | None, rows: list[Any] | None
    ) -> Decoded:
        times = self._times if self._header is None else self._header
        assert times is not None
        return Decoded(times, self.keys, self.offsets, names, columns, rows)

    def rows(self) -> list[Any]:
        """The value of each record: dicts of the decoded fields, or the stored values.

        >>> decode_body(bytes.fromhex("01959105c0c092a161a1629201c0")).rows()
        [{'a': 1, 'b': None}]
        """
        if self.values is not None:
            return self.values
        if not self.columns:
            return [{} for _ in self.times]
        names = tuple(self.columns)
        return [dict(zip(names, row)) for row in zip(*self.columns.values())]


def decode_body(data: bytes | memoryview, fields: Collection[str] | None = None) -> Decoded:
    """What a body holds.

    Args:
        data: the whole body; its checksum is the caller's to compare.
        fields: the fields to decode, None for all. Names that the body lacks are
            passed over: `names` says what it has.

    Raises:
        CorruptBatch: `data` is not a whole, well-formed body.
        MissingExtra: compressed with zstd, and zstandard is not installed.

    Cost: 16 ns per packed value, 25 to 50 per str; 3 µs for one record.

    >>> found = decode_body(bytes.fromhex("01959105c0c092a161a1629201c0"), ["b"])
    >>> found.columns, found.names, found.times
    ({'b': [None]}, ('a', 'b'), [5])
    """
    view = memoryview(data)
    if len(view) < 2:
        raise CorruptBatch(f"a body of {len(view)} bytes")
    form = view[0]
    if form == SMALL:
        return _decode_small(view[1:], fields)
    if form in (LARGE, WITH_BOUNDS):
        return _decode_large(view, fields)
    raise CorruptBatch(f"unknown form of body {form}: written by a newer version?")


def codec_of(data: bytes | memoryview) -> str:
    """The codec that a body was written with; "none" for a small body.

    Raises:
        CorruptBatch: `data` is not a well-formed body.

    >>> codec_of(bytes.fromhex("01959105c0c092a161a1629201c0"))
    'none'
    """
    view = memoryview(data)
    return Header(view).codec if len(view) and view[0] != SMALL else "none"


def _decode_small(data: memoryview, fields: Collection[str] | None) -> Decoded:
    parts = values.unpack(data)
    if type(parts) is not list or len(parts) != 5:
        raise CorruptBatch("a small body is not a list of 5 parts")
    times, keys, offsets, names, content = parts
    if type(times) is not list or set(map(type, times)) != {int}:
        raise CorruptBatch("a small body without times")
    count = len(times)
    if keys is not None and (type(keys) is not list or len(keys) != count):
        raise CorruptBatch(f"not {count} keys in a small body")
    if offsets is not None:
        _check_offsets(offsets, count)
    if type(content) is not list:
        raise CorruptBatch("a small body without content")
    if names is None:
        if len(content) != count:
            raise CorruptBatch(f"not {count} values in a small body")
        return Decoded(times, keys, offsets, (), None, content)
    stored = _small_names(names)
    if len(content) != count * len(stored):
        raise CorruptBatch(f"not {count} values for each field of a small body")
    if count == 1:
        columns = {
            name: [value]
            for name, value in zip(stored, content)
            if fields is None or name in fields
        }
    else:
        columns = {
            name: content[at * count : (at + 1) * count]
            for at, name in enumerate(stored)
            if fields is None or name in fields
        }
    return Decoded(times, keys, offsets, stored, columns, None)


def _small_names(names: Any) -> tuple[str, ...]:
    try:
        "".join(names)  # one call into C; fails for what is not text
    except TypeError:
        raise CorruptBatch("the names of fields are not text") from None
    if type(names) is not list or len(set(names)) != len(names):
        raise CorruptBatch("the names of fields are not different")
    return tuple(names)


def _check_offsets(offsets: Any, count: int) -> None:
    if type(offsets) is not list or set(map(type, offsets)) != {int} or len(offsets) != count:
        raise CorruptBatch(f"not {count} offsets")
    if offsets[0] < 0 or not ascending(offsets):
        raise CorruptBatch("offsets that do not ascend from 0")


def ascending(numbers: Sequence[int]) -> bool:
    """Whether each is greater than the one before.

    >>> ascending([1, 2, 5]), ascending([1, 1])
    (True, False)
    """
    return all(map(lt, numbers, numbers[1:]))


def _decode_large(view: memoryview, fields: Collection[str] | None) -> Decoded:
    header = Header(view)
    # A step that takes in rows of one window needs no times: the journal has their bounds.
    times = header if header.holds(0) else _times(header)
    keys = header.column(1) if header.has_keys else None
    offsets = None
    if header.has_offsets:
        offsets = header.column(header.first - 1)
        _check_offsets(offsets, header.count)
    names = header.names
    if names is None:
        return Decoded(times, keys, offsets, (), None, header.column(header.first))
    asked = {
        name: at for at, name in enumerate(names, header.first) if fields is None or name in fields
    }
    kinds = header.kinds
    columns = {name: [] if kinds[at] == "t" else header.column(at) for name, at in asked.items()}
    found = Decoded(times, keys, offsets, names, columns, None)
    for name, at in asked.items():
        if kinds[at] == "t":
            columns[name] = list(found.times)
    found.set_solid(
        frozenset(name for name, at in asked.items() if _packed(kinds[at], columns[name]))
    )
    return found


def _times(header: Header) -> list[int]:
    times = header.column(0)
    if type(times[0]) is not int:  # of one kind throughout
        raise CorruptBatch("event times that are no numbers")
    return times


def _packed(kind: str, column: Sequence[Any]) -> bool:
    return solid(column[:1]) if kind == "c" else kind != "v"
