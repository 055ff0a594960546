"""One value to bytes and back: msgpack with typed extensions, nothing evaluated (R6).

A value is stored only if it comes back equal and of the same type, at every depth.
Types are judged exactly: a subclass (an IntEnum, an OrderedDict, a numpy scalar) would
come back as something else and is refused. The bytes of equal values of the same types
are the same in every process: sets are stored in the order of their members' bytes,
never in hash order.

    code  extension        payload
    1     int              two's complement, big-endian, where 64 bits do not hold it
    2     date             u32 ordinal
    3     time             u32 seconds of the day, u32 microseconds, u8 fold, zone
    4     datetime         u32 ordinal, then as time
    5     timedelta        i32 days, u32 seconds, u32 microseconds
    6     Decimal          its text
    7     tuple            msgpack list of the members
    8     set              msgpack list, sorted by the members' bytes
    9     frozenset        likewise
    10    UUID             16 bytes
    11    dataclass        msgpack [registered name, {field: value}]

    zone: nothing (naive), "o" and msgpack [microseconds, name or nil] (fixed offset),
    or "z" and the key of a zone in the tz database. Wall time is stored, not UTC, so
    that times in a gap or a repeated hour come back as they were.

msgpack's own timestamp (code -1) is never written; it reads as an aware datetime.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import chain, islice
from operator import attrgetter
from typing import Any

from kappa.codec.kinds import BY_CLASS, CONTAINERS, LEAVES, PLAIN, refused, register
from kappa.codec.wire import MAX_DEPTH, MAX_INT_BYTES, pack, unpack, unpack_many
from kappa.errors import RecordRefused

__all__ = [
    "MAX_DEPTH",
    "MAX_INT_BYTES",
    "MAX_ITEMS",
    "PLAIN",
    "check",
    "decode",
    "encode",
    "pack",
    "register",
    "unpack",
    "unpack_many",
]

MAX_ITEMS = 1 << 24
"""Members on one level of nesting of what is encoded at once."""


def encode(value: object) -> bytes:
    """The bytes of one value.

    Args:
        value: None, bool, int, float, str, bytes, list, dict, tuple, set, frozenset,
            date, time, datetime, timedelta, Decimal, UUID, or an instance of a
            registered dataclass; members likewise.

    Raises:
        RecordRefused: it, or something in it, would not come back equal in value and type.

    Cost: 0.5 µs plus about 20 ns per member; 1 µs more per level of nesting.

    >>> from decimal import Decimal
    >>> decode(encode({"price": Decimal("1.50"), "tags": ("a", 1)}))
    {'price': Decimal('1.50'), 'tags': ('a', 1)}
    >>> encode(object())
    Traceback (most recent call last):
    kappa.errors.RecordRefused: object cannot be stored: not a type that comes back as it was
    """
    if type(value) not in PLAIN and not _shallow(value):
        check((value,))
    return pack(value)


def _shallow(value: Any) -> bool:
    """Whether it is a container of plain values: most states are, and `check` takes longer."""
    kind = type(value)
    if kind is dict and not PLAIN.issuperset(map(type, value.values())):
        return False
    return kind in CONTAINERS and PLAIN.issuperset(map(type, value))


def decode(data: bytes | memoryview) -> Any:
    """The value whose bytes are `data`.

    Raises:
        CorruptBatch: not the bytes of one value, or of a dataclass or zone unknown here.

    >>> decode(encode([1, 2.5, None]))
    [1, 2.5, None]
    """
    return unpack(data)


def check(values: Collection[object]) -> None:
    """Refuse what would not come back as it was, whole levels of nesting at a time.

    msgpack's strict types alone do not do: it takes a bytearray or memoryview as bytes.

    Args:
        values: the values of one level, a column for example.

    Raises:
        RecordRefused: a type that cannot be stored, or nesting deeper than `MAX_DEPTH`.

    >>> check([1, {"a": [bytearray()]}])
    Traceback (most recent call last):
    kappa.errors.RecordRefused: bytearray cannot be stored: convert it to bytes
    """
    for _ in range(MAX_DEPTH + 1):
        types = set(map(type, values))
        inner = types - LEAVES
        if not inner:
            return
        members = chain.from_iterable(_members(kind, values) for kind in inner)
        values = list(islice(members, MAX_ITEMS + 1))
        if len(values) > MAX_ITEMS:
            raise RecordRefused(f"a value has more than {MAX_ITEMS} members on one level")
    raise RecordRefused(f"a value is nested deeper than {MAX_DEPTH} levels, or contains itself")


def _members(kind: type, values: Collection[object]) -> chain[object]:
    """What lies within those of `values` that are of type `kind`."""
    found: list[Any] = [value for value in values if type(value) is kind]
    if kind is dict:
        return chain(chain.from_iterable(found), chain.from_iterable(map(dict.values, found)))
    if kind in CONTAINERS:
        return chain.from_iterable(found)
    known = BY_CLASS.get(kind)
    if known is None:
        raise refused(kind)
    return chain.from_iterable(map(attrgetter(field), found) for field in known.fields)
