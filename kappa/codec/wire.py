"""Values as msgpack: the extensions for what msgpack does not have, both ways.

The table of extensions stands in `kappa.codec.values`, which is what to call; this writes
what has been checked there, and reads what may be anything.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from struct import Struct
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from msgpack import ExtType, Packer, Unpacker, unpackb

from kappa.codec.kinds import BY_CLASS, BY_NAME, refused, type_name
from kappa.errors import CorruptBatch, RecordRefused

__all__ = ["MAX_DEPTH", "MAX_INT_BYTES", "pack", "unpack", "unpack_many"]

MAX_DEPTH = 32
"""Containers within containers; also bounds the C stack that reading back can take."""
MAX_INT_BYTES = 1 << 16
"""Bytes of one big int: turning it into text would be quadratic."""

Hook = Callable[[int, bytes], object]

_BIG_INT, _DATE, _TIME, _DATETIME, _TIMEDELTA, _DECIMAL = 1, 2, 3, 4, 5, 6
_TUPLE, _SET, _FROZENSET, _UUID, _DATACLASS = 7, 8, 9, 10, 11
_DAY = Struct(">I")
_CLOCK = Struct(">IIB")
_SPAN = Struct(">iII")
# Two live Packers with msgpack's own 256 KiB make the allocator map and unmap memory for
# every tuple: 13 µs instead of 1. A small buffer that grows costs large values nothing.
_BUFFER = 256


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
    known = BY_CLASS.get(kind)
    if known is None:
        raise refused(kind)
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
        f"a time zone of type {type_name(type(zone))} cannot be stored:"
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

    >>> unpack_many(pack(1) + pack(["a"]))
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
    known = BY_NAME.get(name)
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
