"""Snapshot frames: the bytes that one handle writes at one checkpoint.

    frame  = u32 header length · header · block · block …     (little-endian)
    header = {"kind", "name", "spaces": [namespace …], "dropped": [namespace …],
              "blocks": [[key group | -1, length in bytes] …]}
    block  = [changed, gone], each [numbers, spaces | None, keys, values | None]

Header and blocks are in the values codec. A block holds the entries of one key group, or,
in a small frame, of all (-1), as columns: `numbers` are the places of the entries in
iteration order, `spaces` index the header's namespaces (None for a handle without). What is
`gone` is removed before what `changed` is put; namespaces in `dropped` go first of all.
A reader of some key groups decodes only their blocks.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import compress, groupby
from typing import Any

from kappa.codec.keys import key_group
from kappa.codec.values import decode, encode
from kappa.errors import CorruptCheckpoint, KappaError, StateError

GROUPED_FROM = 2_048
"""Entries from which a frame is split by key group; below, filtering costs a reader less."""

MIXED = -1
_LENGTH = struct.Struct("<I")


@dataclass(slots=True)
class Entries:
    """Columns of entries: keys, values (or none), and namespaces by index (or none)."""

    keys: list[Any] = field(default_factory=list)
    values: list[Any] | None = None
    spaces: list[int] | None = None

    def take(self, places: Sequence[int]) -> list[Any]:
        """The entries at `places` as one list of columns, as a block holds it."""
        keys, values, spaces = self.keys, self.values, self.spaces
        return [
            list(places),
            None if spaces is None else [spaces[i] for i in places],
            [keys[i] for i in places],
            None if values is None else [values[i] for i in places],
        ]


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


def encode_frame(frame: Frame, *, step: str) -> bytes:
    """The bytes of `frame`; about half a microsecond per entry.

    Raises:
        StateError: a key or value that the values codec does not take, named with its
            step and handle.
    """
    changed, gone = frame.changed, frame.gone
    try:
        if len(changed.keys) + len(gone.keys) < GROUPED_FROM:
            places = range(len(changed.keys)), range(len(gone.keys))
            blocks = [(MIXED, encode([changed.take(places[0]), gone.take(places[1])]))]
        else:
            blocks = _grouped(changed, gone)
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


def _grouped(changed: Entries, gone: Entries) -> list[tuple[int, bytes]]:
    there, away = _places(changed.keys), _places(gone.keys)
    return [
        (group, encode([changed.take(there.get(group, ())), gone.take(away.get(group, ()))]))
        for group in sorted(there.keys() | away.keys())
    ]


def _places(keys: Sequence[Any]) -> dict[int, list[int]]:
    """The places of `keys`, ascending, by key group."""
    groups = list(map(key_group, keys))
    order = sorted(range(len(keys)), key=groups.__getitem__)
    return {group: list(run) for group, run in groupby(order, key=groups.__getitem__)}


def _refusal(frame: Frame, step: str, error: Exception) -> StateError:
    """The error that names the key and value which cannot be stored."""
    where = f"step {step!r}, state {frame.name!r}"
    values = frame.changed.values or []
    for place, key in enumerate(frame.changed.keys):
        try:
            encode(key)
            key_group(key)
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
    header = decode(bytes(data[4 : 4 + length]))
    frame = Frame(
        kind=header["kind"],
        name=header["name"],
        spaces=header["spaces"],
        dropped=header["dropped"],
    )
    position = 4 + length
    blocks: list[list[Any]] = []
    for group, size in header["blocks"]:
        if position + size > len(data):
            raise ValueError("it is cut short")
        if groups is None or group == MIXED or group in groups:
            block = decode(bytes(data[position : position + size]))
            blocks.append([_of_groups(part, groups) for part in block] if group == MIXED else block)
        position += size
    if position != len(data):
        raise ValueError("bytes follow its last block")
    frame.changed = _joined([block[0] for block in blocks])
    frame.gone = _joined([block[1] for block in blocks])
    return frame


def _of_groups(columns: list[Any], groups: Collection[int] | None) -> list[Any]:
    """Of a mixed block's columns, the entries that belong to `groups`."""
    if groups is None:
        return columns
    mask = [key_group(key) in groups for key in columns[2]]
    return [None if column is None else list(compress(column, mask)) for column in columns]


def _joined(parts: list[list[Any]]) -> Entries:
    """The entries of all blocks, in the order of their numbers."""
    numbers = [number for part in parts for number in part[0]]
    order = sorted(range(len(numbers)), key=numbers.__getitem__)
    columns: list[list[Any] | None] = []
    for index in (2, 3, 1):
        if any(part[index] is None for part in parts):
            columns.append(None)
            continue
        column = [value for part in parts for value in part[index]]
        if len(column) != len(numbers):
            raise ValueError("its columns differ in length")
        columns.append([column[i] for i in order] if len(parts) > 1 else column)
    return Entries(columns[0] or [], columns[1], columns[2])
