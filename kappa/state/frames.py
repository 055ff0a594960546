"""Snapshot frames: the bytes that one handle writes at one checkpoint.

    frame  = u32 header length · header · block · block …     (little-endian)
    header = {"kind", "name", "spaces": [namespace …], "dropped": [namespace …],
              "blocks": [[key group | -1, length in bytes] …]}
    block  = [changed, gone], each [numbers | None, spaces | None, keys, width, values]

Header and blocks are in the values codec. A block holds entries as columns: `numbers` are
their places in iteration order (None: as they stand), `spaces` index the header's namespaces
(None for a handle that has none), and `values` is None where there are none, one list where
`width` is 0, else `width` lists: the columns of values that are all lists of that length.

What is `gone` is removed before what `changed` is put; namespaces in `dropped` go first of
all. A full frame has a block per key group, and a reader of some groups decodes only theirs;
an increment has one block of all (-1), of which such a reader keeps what belongs to it.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, compress, groupby
from typing import Any

from kappa.codec import decode, encode, key_group
from kappa.errors import CorruptCheckpoint, KappaError, StateError

ALL_GROUPS = -1
PIECE = 32_768
"""Entries of a frame at most: grouping a million at once would run at memory speed."""
_LENGTH = struct.Struct("<I")


@dataclass(slots=True)
class Entries:
    """Columns of entries: keys, values (or none), and namespaces by index (or none)."""

    keys: list[Any] = field(default_factory=list)
    values: list[Any] | None = None
    spaces: list[int] | None = None

    def take(self, places: Sequence[int]) -> Entries:
        """The entries at `places`."""
        keys, values, spaces = self.keys, self.values, self.spaces
        return Entries(
            [keys[i] for i in places],
            None if values is None else [values[i] for i in places],
            None if spaces is None else [spaces[i] for i in places],
        )

    def slice(self, start: int, stop: int) -> Entries:
        """The entries at places from `start` up to `stop`."""
        keys, values, spaces = self.keys, self.values, self.spaces
        return Entries(
            keys[start:stop],
            None if values is None else values[start:stop],
            None if spaces is None else spaces[start:stop],
        )

    def only(self, groups: Collection[int]) -> Entries:
        """The entries whose keys belong to `groups`."""
        mask = [key_group(key) in groups for key in self.keys]
        return self.take(list(compress(range(len(mask)), mask)))


@dataclass(slots=True)
class Frame:
    """One handle's part of a snapshot: what changed, and what is gone."""

    kind: str
    name: str
    changed: Entries = field(default_factory=Entries)
    gone: Entries = field(default_factory=Entries)
    spaces: list[Any] = field(default_factory=list)
    dropped: list[Any] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.changed.keys or self.gone.keys or self.dropped)

    def pieces(self) -> Iterator[Frame]:
        """The frame in pieces of a size that a processor's cache can hold, in order."""
        count = len(self.changed.keys)
        if count <= PIECE:
            yield self
            return
        for start in range(0, count, PIECE):
            piece = self.changed.slice(start, start + PIECE)
            if start:
                yield Frame(self.kind, self.name, piece, spaces=self.spaces)
            else:
                yield replace(self, changed=piece)


def encode_frame(frame: Frame, *, step: str, grouped: bool) -> bytes:
    """The bytes of `frame`.

    Args:
        frame: what to store.
        step: the step's name, for the message.
        grouped: a block per key group, which costs 0.7 µs per entry more.

    Raises:
        StateError: a key or value that the values codec does not take, named with its
            step and handle.
    """
    try:
        blocks = _by_group(frame) if grouped else [(ALL_GROUPS, _block(frame.changed, frame.gone))]
        header = encode(
            {
                "kind": frame.kind,
                "name": frame.name,
                "spaces": frame.spaces,
                "dropped": frame.dropped,
                "blocks": [[group, len(block)] for group, block in blocks],
            }
        )
    except (KappaError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise _refusal(frame, step, error) from error
    return b"".join([_LENGTH.pack(len(header)), header, *(block for _, block in blocks)])


def _by_group(frame: Frame) -> list[tuple[int, bytes]]:
    changed, gone = frame.changed, frame.gone
    there, away = _places(changed.keys), _places(gone.keys)
    blocks = []
    for group in sorted(there.keys() | away.keys()):
        numbers, places = there.get(group, []), away.get(group, [])
        block = _block(changed.take(numbers), gone.take(places), numbers, places)
        blocks.append((group, block))
    return blocks


def _places(keys: Sequence[Any]) -> dict[int, list[int]]:
    """The places of `keys`, ascending, by key group."""
    groups = list(map(key_group, keys))
    order = sorted(range(len(keys)), key=groups.__getitem__)
    return {group: list(run) for group, run in groupby(order, key=groups.__getitem__)}


def _block(
    changed: Entries,
    gone: Entries,
    numbers: list[int] | None = None,
    places: list[int] | None = None,
) -> bytes:
    return encode([_columns(changed, numbers), _columns(gone, places)])


def _columns(entries: Entries, numbers: list[int] | None) -> list[Any]:
    values = entries.values
    width = 0
    if values and set(map(type, values)) == {list}:
        widths = set(map(len, values))
        if len(widths) == 1:
            width = widths.pop()
    if width and values:
        values = list(map(list, zip(*values, strict=True)))
    return [numbers, entries.spaces, entries.keys, width, values]


def _refusal(frame: Frame, step: str, error: Exception) -> StateError:
    """The error that names the key and value which cannot be stored."""
    where = f"step {step!r}, state {frame.name!r}"
    values = frame.changed.values or []
    for place, key in enumerate(frame.changed.keys):
        try:
            key_group(key)
            encode(key)
        except Exception as cause:
            return StateError(f"{where}: the key {key!r} cannot be stored: {cause}", step=step)
        try:
            encode(values[place])
        except Exception as cause:
            message = f"{where}: the value of key {key!r} cannot be stored: {cause}"
            return StateError(message, step=step)
    return StateError(f"{where}: cannot be stored: {error}", step=step)


def decode_frame(data: bytes | memoryview, groups: Collection[int] | None = None) -> Frame:
    """The frame in `data`, or of it only what belongs to some key groups.

    Entries come back in the order in which they were written.

    Raises:
        CorruptCheckpoint: `data` is not a frame.
    """
    try:
        return _decode(memoryview(data), groups)
    except (KappaError, ValueError, TypeError, KeyError, IndexError, struct.error) as error:
        raise CorruptCheckpoint(f"a state frame does not decode: {error}") from error


def _decode(data: memoryview, groups: Collection[int] | None) -> Frame:
    (length,) = _LENGTH.unpack_from(data)
    header = decode(data[4 : 4 + length])
    frame = Frame(
        kind=header["kind"],
        name=header["name"],
        spaces=header["spaces"],
        dropped=header["dropped"],
    )
    position = 4 + length
    changed: list[tuple[list[int] | None, Entries]] = []
    gone: list[tuple[list[int] | None, Entries]] = []
    for group, size in header["blocks"]:
        if groups is None or group == ALL_GROUPS or group in groups:
            for parts, columns in zip(
                (changed, gone), decode(data[position : position + size]), strict=True
            ):
                numbers, entries = _entries(*columns)
                if groups is not None and group == ALL_GROUPS:
                    entries = entries.only(groups)
                parts.append((numbers, entries))
        position += size
    if position != len(data):
        raise ValueError("it is not as long as its blocks")
    frame.changed, frame.gone = _joined(changed), _joined(gone)
    return frame


def _entries(
    numbers: list[int] | None,
    spaces: list[int] | None,
    keys: list[Any],
    width: int,
    values: list[Any] | None,
) -> tuple[list[int] | None, Entries]:
    if width and values is not None:
        values = list(map(list, zip(*values, strict=True)))
    for column in (numbers, spaces, values):
        if column is not None and len(column) != len(keys):
            raise ValueError("its columns differ in length")
    return numbers, Entries(keys, values, spaces)


def _joined(parts: list[tuple[list[int] | None, Entries]]) -> Entries:
    """The entries of all blocks, in the order of their numbers."""
    if len(parts) == 1:
        return parts[0][1]  # a single block is in order
    columns = zip(*((numbers, e.keys, e.values, e.spaces) for numbers, e in parts), strict=True)
    numbers, keys, values, spaces = map(_chained, columns) if parts else (None,) * 4
    entries = Entries(keys or [], values, spaces)
    return entries.take(sorted(range(len(entries.keys)), key=(numbers or []).__getitem__))


def _chained(parts: Sequence[list[Any] | None]) -> list[Any] | None:
    return list(chain.from_iterable(part for part in parts if part is not None)) or None
