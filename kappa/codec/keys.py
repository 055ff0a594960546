"""Keys as bytes: one canonical encoding that follows Python's equality and order.

Two keys have the same bytes exactly if Python holds them equal: True, 1, 1.0 and
Decimal(1) are one key, -0.0 is 0, tuples go element by element, an aware datetime is
its instant. So a dict of keys and a dict of their bytes hold the same entries. Bytes
compare as the keys do, for numbers (by value, across types), str (by code point),
bytes, date, datetime, timedelta, UUID and tuples of these; between kinds by tag.

    tag    key          then
    01     None
    20     -inf
    21     <= -2^64     u16 length ^ ffff, then as below
    22-29  int < 0      the int + 256^n - 1 in n = 8 .. 1 bytes
    2a     0
    2b-32  int > 0      1 .. 8 bytes
    33     >= 2^64      u16 length, bytes
    34     +inf
    40     str          UTF-8 with 00 as 00 ff, then 00
    41     bytes        likewise
    50     date         u32 ordinal
    51     datetime     u64 microseconds since year 1, UTC
    52     time         u64 microseconds of the day
    53     timedelta    u32 days + 10^9, u40 microseconds
    54     UUID         16 bytes
    60     tuple        its elements, then 00
    61     frozenset    its members' bytes in order, then 00

A number that is not whole is its floor, then ff, its decimal digits in pairs (each + 1),
and 00: every float is a finite decimal, and ff is above any tag, so order holds.

The hash of a key is the CRC-32 of its bytes, never Python's own, which differs between
processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zlib import crc32

from kappa.errors import RecordRefused

__all__ = [
    "KEY_GROUPS",
    "MAX_KEY_BYTES",
    "check_key",
    "encode_key",
    "encode_keys",
    "key_group",
    "sort_keys",
    "stable_hash",
]

KEY_GROUPS = 128
MAX_KEY_BYTES = 1 << 16
"""The longest encoded key."""

MAX_DIGITS = 4096
"""Digits and exponent of a decimal key together; the finest float takes 1825."""
_ABOVE = [bytes([0x2A + size]) for size in range(9)]
_BELOW = [bytes([0x2A - size]) for size in range(9)]
_MICROSECOND = timedelta(microseconds=1)
_YEAR_ONE = datetime(1, 1, 1, tzinfo=UTC)


def encode_key(key: object) -> bytes:
    """The canonical bytes of a key.

    Raises:
        RecordRefused: NaN, a naive datetime, a time that its zone has twice or not at
            all, something unhashable, of another type, or too long; named in the message.

    Cost: 0.3 µs for an int or str.

    >>> encode_key(1) == encode_key(1.0) == encode_key(True)
    True
    >>> encode_key(-2) < encode_key(0) < encode_key(0.5) < encode_key(1) < encode_key(300)
    True
    >>> encode_key(["a"])
    Traceback (most recent call last):
    kappa.errors.RecordRefused: key ['a'] is a list: cannot be a key; use a tuple
    """
    encoder = _ENCODERS.get(type(key))
    if encoder is None:
        raise RecordRefused(f"key {_show(key)} is a {_name(key)}: cannot be a key{_advice(key)}")
    data = encoder(key)
    if len(data) > MAX_KEY_BYTES:
        raise RecordRefused(f"key {_show(key)} takes {len(data)} bytes; at most {MAX_KEY_BYTES}")
    return data


def encode_keys(keys: Iterable[object]) -> list[bytes]:
    """`encode_key` of each.

    >>> encode_keys([0, None])
    [b'*', b'\\x01']
    """
    return list(map(encode_key, keys))


def check_key(key: object) -> None:
    """Refuse what cannot be a key.

    Raises:
        RecordRefused: as `encode_key`.

    >>> check_key(float("nan"))
    Traceback (most recent call last):
    kappa.errors.RecordRefused: key NaN is not a number: it equals nothing, itself included
    """
    encode_key(key)


def stable_hash(key: object) -> int:
    """CRC-32 of the key's bytes: the same in every process, for equal keys.

    >>> stable_hash(7) == stable_hash(7.0)
    True
    """
    return crc32(encode_key(key))


def key_group(key: object) -> int:
    """The key's group, 0 to `KEY_GROUPS` - 1.

    >>> key_group("user-7")
    74
    """
    return crc32(encode_key(key)) % KEY_GROUPS


def sort_keys(keys: Sequence[Any]) -> list[Any]:
    """The keys in the order of their bytes.

    Natively in C where Python's own order is that order: all int, all str, or tuples of
    one length with such columns; about ten times as fast as by bytes.

    >>> sort_keys([(2, "a"), (1, "b"), (1, "a")])
    [(1, 'a'), (1, 'b'), (2, 'a')]
    >>> sort_keys(["b", None, 1.5, 1])
    [None, 1, 1.5, 'b']
    """
    if _native(keys):
        return sorted(keys)
    return sorted(keys, key=encode_key)


def _native(keys: Sequence[Any]) -> bool:
    """Whether Python orders these keys as their bytes do, and none needs refusing."""
    types = set(map(type, keys))
    if types == {int} or types == {str}:
        return True
    if types != {tuple} or len(set(map(len, keys))) != 1:
        return False
    return all(map(_native, zip(*keys, strict=True)))


def _encode_int(key: int) -> bytes:
    size = (key.bit_length() + 7) >> 3
    if key >= 0:
        if size <= 8:
            return _ABOVE[size] + key.to_bytes(size)
        _check_size(size)
        return b"\x33" + size.to_bytes(2) + key.to_bytes(size)
    if size <= 8:
        return _BELOW[size] + (key + (1 << 8 * size) - 1).to_bytes(size)
    _check_size(size)
    return b"\x21" + (size ^ 0xFFFF).to_bytes(2) + (key + (1 << 8 * size) - 1).to_bytes(size)


def _check_size(size: int) -> None:
    if size >= MAX_KEY_BYTES:
        raise RecordRefused(f"an int of {size} bytes is too long for a key: under {MAX_KEY_BYTES}")


def _encode_float(key: float) -> bytes:
    if key.is_integer():
        return _encode_int(int(key))
    return _encode_decimal(Decimal(key))


def _encode_decimal(key: Decimal) -> bytes:
    if key.is_nan():
        raise RecordRefused(f"key {key} is not a number: it equals nothing, itself included")
    if key.is_infinite():
        return b"\x34" if key > 0 else b"\x20"
    sign, digits, exponent = key.as_tuple()
    assert isinstance(exponent, int)
    if len(digits) + abs(exponent) > MAX_DIGITS:
        raise RecordRefused(f"a key of more than {MAX_DIGITS} decimal digits is too long")
    whole = int(key)  # towards zero
    # By digits, not through text: int and str refuse each other beyond some length.
    rest = [0] * (-exponent - len(digits)) + list(digits[exponent:]) if exponent < 0 else []
    while rest and not rest[-1]:
        rest.pop()
    if not rest:
        return _encode_int(whole)
    if sign:  # the floor is one less, and the rest what is missing to zero
        rest = [*(9 - digit for digit in rest[:-1]), 10 - rest[-1]]
    if len(rest) % 2:
        rest.append(0)
    pairs = bytes(10 * high + low + 1 for high, low in zip(rest[::2], rest[1::2], strict=True))
    return _encode_int(whole - sign) + b"\xff" + pairs + b"\0"


def _encode_str(key: str) -> bytes:
    try:
        data = key.encode()
    except UnicodeEncodeError:
        raise RecordRefused(f"key {key!r} has a lone surrogate: not text") from None
    return b"\x40" + (data.replace(b"\0", b"\0\xff") if 0 in data else data) + b"\0"


def _encode_bytes(key: bytes) -> bytes:
    return b"\x41" + key.replace(b"\0", b"\0\xff") + b"\0"


def _encode_datetime(key: datetime) -> bytes:
    offset = key.utcoffset()
    if offset is None:
        raise RecordRefused(f"key {key!r} has no time zone; add one")
    # Python holds such a time unequal to its own instant in UTC, and equal to the other
    # time of its zone that reads the same: no encoding can follow that.
    if key.replace(fold=1 - key.fold).utcoffset() != offset:
        raise RecordRefused(
            f"key {key!r} is a time that its zone has twice or not at all:"
            " convert it with .astimezone(UTC)"
        )
    micros = (key - _YEAR_ONE) // _MICROSECOND
    return b"\x51" + (micros + (1 << 63)).to_bytes(8)  # an offset may lead before year 1


def _encode_time(key: time) -> bytes:
    if key.tzinfo is not None:
        raise RecordRefused(f"key {key!r} is a time of day with a zone: not an instant")
    seconds = key.hour * 3600 + key.minute * 60 + key.second
    return b"\x52" + (seconds * 1_000_000 + key.microsecond).to_bytes(8)


def _encode_timedelta(key: timedelta) -> bytes:
    micros = key.seconds * 1_000_000 + key.microseconds
    return b"\x53" + (key.days + 10**9).to_bytes(4) + micros.to_bytes(5)


def _encode_tuple(key: tuple[object, ...]) -> bytes:
    try:
        return b"\x60" + b"".join(map(encode_key, key)) + b"\0"
    except RecursionError:
        raise RecordRefused("key is nested too deep") from None


def _encode_frozenset(key: frozenset[object]) -> bytes:
    return b"\x61" + b"".join(sorted(map(encode_key, key))) + b"\0"


_ENCODERS: dict[type, Callable[[Any], bytes]] = {
    type(None): lambda key: b"\x01",
    bool: lambda key: b"\x2b\x01" if key else b"\x2a",
    int: _encode_int,
    float: _encode_float,
    Decimal: _encode_decimal,
    str: _encode_str,
    bytes: _encode_bytes,
    datetime: _encode_datetime,
    date: lambda key: b"\x50" + key.toordinal().to_bytes(4),
    time: _encode_time,
    timedelta: _encode_timedelta,
    UUID: lambda key: b"\x54" + key.bytes,
    tuple: _encode_tuple,
    frozenset: _encode_frozenset,
}


def _show(key: object) -> str:
    try:
        text = repr(key)
    except ValueError:  # an int of more digits than Python prints
        return "(too long to print)"
    return text if len(text) <= 80 else text[:77] + "..."


def _name(key: object) -> str:
    return type(key).__qualname__


def _advice(key: object) -> str:
    if isinstance(key, list):
        return "; use a tuple"
    if isinstance(key, set):
        return "; use a frozenset"
    for base in _ENCODERS:
        if isinstance(key, base) and base is not bool:
            return f"; convert it to a plain {base.__name__}"
    return ""
