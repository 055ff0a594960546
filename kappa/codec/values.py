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

import dataclasses
from collections.abc import Callable, Collection
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from itertools import chain, islice
from operator import attrgetter
from struct import Struct
from typing import Any, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from msgpack import ExtType, Packer, Unpacker, unpackb

from kappa.errors import ConfigError, CorruptBatch, RecordRefused

__all__ = ["MAX_DEPTH", "MAX_INT_BYTES", "MAX_ITEMS", "check", "decode", "encode", "register"]

MAX_DEPTH = 32
"""Containers within containers; also bounds the C stack that reading back can take."""
MAX_ITEMS = 1 << 24
"""Members on one level of nesting of what is encoded at once."""
MAX_INT_BYTES = 1 << 16
"""Bytes of one big int: turning it into text would be quadratic."""

# Two live Packers with msgpack's own 256 KiB make the allocator map and unmap memory for
# every tuple: 13 µs instead of 1. A small buffer that grows costs large values nothing.
_BUFFER = 256

Class = TypeVar("Class", bound=type)

PLAIN = frozenset({int, float, str, bytes, bool, type(None)})
"""Types that msgpack's C code stores exactly by itself; only an int may need the hook."""
CONTAINERS = frozenset({list, dict, tuple, set, frozenset})
LEAVES = PLAIN | {date, time, datetime, timedelta, Decimal, UUID}

_BIG_INT, _DATE, _TIME, _DATETIME, _TIMEDELTA, _DECIMAL = 1, 2, 3, 4, 5, 6
_TUPLE, _SET, _FROZENSET, _UUID, _DATACLASS = 7, 8, 9, 10, 11
_DAY = Struct(">I")
_CLOCK = Struct(">IIB")
_SPAN = Struct(">iII")


@dataclasses.dataclass(frozen=True, slots=True)
class _Registered:
    """How one dataclass is taken apart and built again."""

    cls: type
    name: str
    fields: tuple[str, ...]
    defaults: dict[str, Callable[[], object]]


_BY_CLASS: dict[type, _Registered] = {}
_BY_NAME: dict[str, _Registered] = {}


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


def register(cls: Class, *, name: str | None = None) -> Class:
    """Let instances of a dataclass be stored; usable as a decorator.

    Fields are stored by name and set without calling `__init__` or `__post_init__`. A
    field that stored bytes do not have takes its default, so fields may be added.

    Args:
        cls: the dataclass.
        name: what stands for it in stored bytes; keep it when the class moves.

    Raises:
        ConfigError: not a dataclass, or another class has that name.

    >>> from dataclasses import make_dataclass
    >>> Point = register(make_dataclass("Point", ["x", "y"]), name="Point")
    >>> decode(encode(Point(1, y=(2,))))
    Point(x=1, y=(2,))
    """
    if not isinstance(cls, type) or not dataclasses.is_dataclass(cls):
        raise ConfigError(f"{cls!r} is not a dataclass; only dataclasses can be registered")
    name = name or f"{cls.__module__}.{cls.__qualname__}"
    known = _BY_NAME.get(name)
    if known is not None and _full_name(known.cls) != _full_name(cls):
        raise ConfigError(f"{name!r} already stands for {_full_name(known.cls)}; give name=")
    defaults: dict[str, Callable[[], object]] = {}
    for field in dataclasses.fields(cls):
        if field.default_factory is not dataclasses.MISSING:
            defaults[field.name] = field.default_factory
        elif field.default is not dataclasses.MISSING:
            defaults[field.name] = _constant(field.default)
    names = tuple(field.name for field in dataclasses.fields(cls))
    _BY_CLASS[cls] = _BY_NAME[name] = _Registered(cls, name, names, defaults)
    return cls


def _full_name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _constant(value: object) -> Callable[[], object]:
    return lambda: value


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
    known = _BY_CLASS.get(kind)
    if known is None:
        raise RecordRefused(f"{_name(kind)} cannot be stored: {_advice(kind)}")
    return chain.from_iterable(map(attrgetter(field), found) for field in known.fields)


def _name(kind: type) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else _full_name(kind)


def _advice(kind: type) -> str:
    if dataclasses.is_dataclass(kind):
        return "register the dataclass with kappa.codec.register"
    if kind in (bytearray, memoryview):
        return "convert it to bytes"
    for base in (bool, int, float, str, bytes, dict, list, tuple, set, frozenset):
        if issubclass(kind, base):
            return f"it would come back as a plain {base.__name__}; convert it to one"
    if callable(getattr(kind, "item", None)):
        return "convert it with .item()"
    return "not a type that comes back as it was"


def pack(value: object) -> bytes:
    """`encode` for a value that `check` has passed or that is of a plain type."""
    try:
        # A new Packer costs 0.1 µs; a shared one would not survive the hook or a thread.
        return Packer(strict_types=True, default=_extend, buf_size=_BUFFER).pack(value)  # type: ignore[no-any-return]
    except UnicodeEncodeError as error:
        raise RecordRefused(f"text with a lone surrogate cannot be stored: {error}") from None
    except (ValueError, OverflowError, TypeError, RecursionError) as error:
        raise RecordRefused(f"a value cannot be stored: {error}") from error


def _extend(value: Any) -> ExtType:
    """msgpack's hook for what it does not know; `check` has let through only what is below."""
    kind = type(value)
    writer = _WRITERS.get(kind)
    if writer is not None:
        code, payload = writer
        return ExtType(code, payload(value))
    known = _BY_CLASS.get(kind)
    if known is None:
        raise RecordRefused(f"{_name(kind)} cannot be stored: {_advice(kind)}")
    fields = {field: getattr(value, field) for field in known.fields}
    return ExtType(_DATACLASS, pack([known.name, fields]))


def _write_int(value: int) -> bytes:
    size = value.bit_length() // 8 + 1
    if size > MAX_INT_BYTES:
        raise RecordRefused(f"an int of {size} bytes cannot be stored: at most {MAX_INT_BYTES}")
    return value.to_bytes(size, "big", signed=True)


def _write_clock(value: time | datetime) -> bytes:
    seconds = value.hour * 3600 + value.minute * 60 + value.second
    return _CLOCK.pack(seconds, value.microsecond, value.fold) + _write_zone(value.tzinfo)


def _write_zone(zone: tzinfo | None) -> bytes:
    if zone is None:
        return b""
    if type(zone) is timezone:
        offset, *name = zone.__getinitargs__()  # type: ignore[attr-defined]
        return b"o" + pack([offset // timedelta(microseconds=1), name[0] if name else None])
    if type(zone) is ZoneInfo and zone.key is not None:
        return b"z" + zone.key.encode()
    raise RecordRefused(
        f"a time zone of type {_name(type(zone))} cannot be stored:"
        " use datetime.timezone or a zoneinfo.ZoneInfo with a key"
    )


def _write_set(value: set[object] | frozenset[object]) -> bytes:
    members = sorted(map(pack, value))
    return bytes(Packer(buf_size=_BUFFER).pack_array_header(len(members))) + b"".join(members)


_WRITERS: dict[type, tuple[int, Callable[[Any], bytes]]] = {
    int: (_BIG_INT, _write_int),
    date: (_DATE, lambda value: _DAY.pack(value.toordinal())),
    time: (_TIME, _write_clock),
    datetime: (_DATETIME, lambda value: _DAY.pack(value.toordinal()) + _write_clock(value)),
    timedelta: (_TIMEDELTA, lambda v: _SPAN.pack(v.days, v.seconds, v.microseconds)),
    Decimal: (_DECIMAL, lambda value: str(value).encode()),
    tuple: (_TUPLE, lambda value: pack(list(value))),
    set: (_SET, _write_set),
    frozenset: (_FROZENSET, _write_set),
    UUID: (_UUID, lambda value: value.bytes),
}


def unpack(data: bytes | memoryview) -> Any:
    """`decode`; every failure of malformed bytes becomes `CorruptBatch` here."""
    try:
        return _unpack(data, _HOOKS[0])
    except MemoryError:
        raise
    except Exception as error:
        raise CorruptBatch(f"stored value does not read back: {error or type(error)}") from error


def unpack_many(data: bytes) -> list[Any]:
    """The values whose bytes lie one behind the other in `data`.

    Raises:
        CorruptBatch: not the bytes of whole values.

    Cost: what it saves is 0.5 µs per value for calling `decode`.

    >>> unpack_many(encode(1) + encode(["a"]))
    [1, ['a']]
    """
    try:
        unpacker = Unpacker(
            ext_hook=_HOOKS[0],
            strict_map_key=False,
            timestamp=3,
            max_buffer_size=len(data) or 1,  # the lengths within are limited to this as well
        )
        unpacker.feed(data)
        found = list(unpacker)
    except MemoryError:
        raise
    except Exception as error:
        raise CorruptBatch(f"stored values do not read back: {error or type(error)}") from error
    if unpacker.tell() != len(data):
        raise CorruptBatch("stored values end within one")
    return found


def _unpack(data: bytes | memoryview, hook: Callable[[int, bytes], object]) -> Any:
    size = len(data)
    return unpackb(
        data,
        ext_hook=hook,
        strict_map_key=False,
        timestamp=3,
        max_str_len=size,
        max_bin_len=size,
        max_array_len=size,
        max_map_len=size,
        max_ext_len=size,
    )


def _hook(depth: int) -> Callable[[int, bytes], object]:
    """The reader of extensions `depth` levels down; each level takes 40 KB of C stack."""

    def read(code: int, data: bytes) -> object:
        reader = _READERS.get(code)
        if reader is None:
            raise CorruptBatch(f"unknown extension {code}")
        return reader(data, _HOOKS[depth + 1])

    return read


def _too_deep(code: int, data: bytes) -> object:
    raise CorruptBatch(f"extensions nested deeper than {MAX_DEPTH} levels")


Hook = Callable[[int, bytes], object]
# One more than MAX_DEPTH: a leaf extension within the deepest container.
_HOOKS: list[Hook] = [*(_hook(depth) for depth in range(MAX_DEPTH + 1)), _too_deep]


def _read_int(data: bytes, hook: Hook) -> int:
    if len(data) > MAX_INT_BYTES:
        raise CorruptBatch(f"an int of {len(data)} bytes: at most {MAX_INT_BYTES}")
    return int.from_bytes(data, "big", signed=True)


def _read_date(data: bytes, hook: Hook) -> date:
    return date.fromordinal(_DAY.unpack(data)[0])


def _read_time(data: bytes, hook: Hook) -> time:
    seconds, micros, fold = _CLOCK.unpack_from(data)
    minutes, second = divmod(seconds, 60)
    zone = _read_zone(data[_CLOCK.size :], hook)
    return time(minutes // 60, minutes % 60, second, micros, zone, fold=fold)


def _read_datetime(data: bytes, hook: Hook) -> datetime:
    return datetime.combine(
        _read_date(data[: _DAY.size], hook), _read_time(data[_DAY.size :], hook)
    )


def _read_zone(data: bytes, hook: Hook) -> tzinfo | None:
    if not data:
        return None
    if data[:1] == b"z":
        return ZoneInfo(data[1:].decode())
    if data[:1] != b"o":
        raise CorruptBatch(f"unknown kind of time zone {data[:1]!r}")
    micros, name = _unpack(data[1:], hook)
    offset = timedelta(microseconds=micros)
    if name is not None:
        return timezone(offset, name)
    return UTC if not offset else timezone(offset)


def _read_timedelta(data: bytes, hook: Hook) -> timedelta:
    days, seconds, micros = _SPAN.unpack(data)
    return timedelta(days, seconds, micros)


def _read_decimal(data: bytes, hook: Hook) -> Decimal:
    return Decimal(data.decode("ascii"))


def _read_list(data: bytes, hook: Hook) -> list[Any]:
    members = _unpack(data, hook)
    if type(members) is not list:
        raise CorruptBatch("the members of a tuple or set are not a list")
    return members


def _read_dataclass(data: bytes, hook: Hook) -> object:
    name, stored = _unpack(data, hook)
    known = _BY_NAME.get(name)
    if known is None:
        raise CorruptBatch(
            f"no dataclass is registered as {name!r}: import the module that registers it,"
            " or call kappa.codec.register"
        )
    surplus = [field for field in stored if field not in known.fields]
    if surplus:
        raise CorruptBatch(f"{name} has no field {surplus[0]!r} (any more)")
    value: object = object.__new__(known.cls)
    for field in known.fields:
        if field in stored:
            content = stored[field]
        elif field in known.defaults:
            content = known.defaults[field]()
        else:
            raise CorruptBatch(f"stored {name} lacks field {field!r}, which has no default")
        object.__setattr__(value, field, content)  # as a frozen class allows it
    return value


_READERS: dict[int, Callable[[bytes, Hook], object]] = {
    _BIG_INT: _read_int,
    _DATE: _read_date,
    _TIME: _read_time,
    _DATETIME: _read_datetime,
    _TIMEDELTA: _read_timedelta,
    _DECIMAL: _read_decimal,
    _TUPLE: lambda data, hook: tuple(_read_list(data, hook)),
    _SET: lambda data, hook: set(_read_list(data, hook)),
    _FROZENSET: lambda data, hook: frozenset(_read_list(data, hook)),
    _UUID: lambda data, hook: UUID(bytes=data),
    _DATACLASS: _read_dataclass,
}
