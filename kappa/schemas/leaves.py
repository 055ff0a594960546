"""The types of single values: numbers, text, bytes, dates and times.

A type says which values fit by their exact Python types, as the log stores them, and where
not all values of these Python types fit, by `holds`.
"""

from __future__ import annotations

import datetime as dt
import decimal
import uuid
from dataclasses import dataclass
from typing import Any, ClassVar

from kappa.errors import ConfigError

__all__ = [
    "NO_TYPES",
    "Anything",
    "Bool",
    "Bytes",
    "Date",
    "Decimal",
    "Duration",
    "Float",
    "Int",
    "Null",
    "String",
    "Time",
    "Timestamp",
    "Type",
    "Uuid",
]

MAX_PRECISION = 1000
UNITS = ("us", "ms")
NO_TYPES: frozenset[type] = frozenset()
_FLOAT: frozenset[type] = frozenset({float})


@dataclass(frozen=True, slots=True)
class Type:
    """What all types share; each says which values it takes.

    Attributes:
        kind: one word for it.
        classes: the exact Python types of its values; empty where its parts decide.
    """

    kind: ClassVar[str]
    classes: ClassVar[frozenset[type]] = frozenset()

    @property
    def free(self) -> frozenset[type]:
        """Those of `classes` of which every value fits, so that `holds` need not be asked."""
        return self.classes

    def holds(self, value: Any) -> bool:
        """Whether a value of one of `classes` fits."""
        return True

    def parts(self) -> tuple[Type, ...]:
        """The types within it, one level down."""
        return ()

    def __str__(self) -> str:
        return self.kind


@dataclass(frozen=True, slots=True)
class Null(Type):
    """Nothing but None."""

    kind: ClassVar[str] = "null"
    classes: ClassVar[frozenset[type]] = frozenset({type(None)})


@dataclass(frozen=True, slots=True)
class Bool(Type):
    """True or False; 0 and 1 are ints."""

    kind: ClassVar[str] = "bool"
    classes: ClassVar[frozenset[type]] = frozenset({bool})


@dataclass(frozen=True, slots=True)
class Int(Type):
    """A whole number.

    Args:
        bits: 32 or 64, sign included.

    >>> str(Int()), Int(32).holds(1 << 31), Int(32).holds(-(1 << 31))
    ('int64', False, True)
    """

    bits: int = 64
    kind: ClassVar[str] = "int"
    classes: ClassVar[frozenset[type]] = frozenset({int})

    @property
    def free(self) -> frozenset[type]:
        return NO_TYPES

    def __post_init__(self) -> None:
        if self.bits not in (32, 64):
            raise ConfigError(f"an int of {self.bits!r} bits: give 32 or 64")

    @property
    def low(self) -> int:
        """The least value."""
        return -(1 << (self.bits - 1))

    @property
    def high(self) -> int:
        """The greatest value."""
        return (1 << (self.bits - 1)) - 1

    def holds(self, value: int) -> bool:
        return self.low <= value <= self.high

    def __str__(self) -> str:
        return f"int{self.bits}"


@dataclass(frozen=True, slots=True)
class Float(Type):
    """A floating-point number, NaN and infinities included.

    An int that equals a float fits too and is stored as that float: Python's own type
    checkers take an int where a float is declared.

    Args:
        bits: 64; 32 takes only values that 32 bits hold exactly.
    """

    bits: int = 64
    kind: ClassVar[str] = "float"
    classes: ClassVar[frozenset[type]] = frozenset({float, int})

    @property
    def free(self) -> frozenset[type]:
        return _FLOAT if self.bits == 64 else NO_TYPES

    def __post_init__(self) -> None:
        if self.bits not in (32, 64):
            raise ConfigError(f"a float of {self.bits!r} bits: give 32 or 64")

    def holds(self, value: float) -> bool:
        try:
            number = float(value)
            return (number == value and (self.bits == 64 or _single(number))) or number != number
        except OverflowError:
            return False

    def __str__(self) -> str:
        return f"float{self.bits}"


def _single(number: float) -> bool:
    from struct import pack, unpack

    try:
        return bool(unpack("<f", pack("<f", number))[0] == number)
    except OverflowError:
        return False


@dataclass(frozen=True, slots=True)
class String(Type):
    """Text."""

    kind: ClassVar[str] = "string"
    classes: ClassVar[frozenset[type]] = frozenset({str})


@dataclass(frozen=True, slots=True)
class Bytes(Type):
    """Bytes of any number."""

    kind: ClassVar[str] = "bytes"
    classes: ClassVar[frozenset[type]] = frozenset({bytes})


@dataclass(frozen=True, slots=True)
class Uuid(Type):
    """A UUID."""

    kind: ClassVar[str] = "uuid"
    classes: ClassVar[frozenset[type]] = frozenset({uuid.UUID})


@dataclass(frozen=True, slots=True)
class Date(Type):
    """A day of the calendar; a datetime is none."""

    kind: ClassVar[str] = "date"
    classes: ClassVar[frozenset[type]] = frozenset({dt.date})


@dataclass(frozen=True, slots=True)
class Time(Type):
    """A time of the day, without a zone.

    Args:
        unit: "us" or "ms", the smallest difference that it keeps.
    """

    unit: str = "us"
    kind: ClassVar[str] = "time"
    classes: ClassVar[frozenset[type]] = frozenset({dt.time})

    @property
    def free(self) -> frozenset[type]:
        return NO_TYPES

    def __post_init__(self) -> None:
        _check_unit(self.unit)

    def holds(self, value: dt.time) -> bool:
        return value.tzinfo is None and (self.unit == "us" or not value.microsecond % 1000)

    def __str__(self) -> str:
        return "time without a zone" + _in_ms(self.unit)


@dataclass(frozen=True, slots=True)
class Timestamp(Type):
    """An instant, or a date and time on an unknown clock.

    Args:
        zone: values have a zone (and keep it); without, they must have none.
        unit: "us" or "ms", the smallest difference that it keeps.

    >>> str(Timestamp()), str(Timestamp(zone=False))
    ('timestamp with a zone', 'timestamp without a zone')
    """

    zone: bool = True
    unit: str = "us"
    kind: ClassVar[str] = "timestamp"
    classes: ClassVar[frozenset[type]] = frozenset({dt.datetime})

    @property
    def free(self) -> frozenset[type]:
        return NO_TYPES

    def __post_init__(self) -> None:
        _check_unit(self.unit)

    def holds(self, value: dt.datetime) -> bool:
        aware = value.tzinfo is not None and value.utcoffset() is not None
        return aware is self.zone and (self.unit == "us" or not value.microsecond % 1000)

    def __str__(self) -> str:
        with_zone = "with a zone" if self.zone else "without a zone"
        return f"timestamp {with_zone}{_in_ms(self.unit)}"


def _check_unit(unit: str) -> None:
    if unit not in UNITS:
        raise ConfigError(f'unit is {unit!r}: give "us" or "ms"')


def _in_ms(unit: str) -> str:
    return "" if unit == "us" else ", in whole milliseconds"


@dataclass(frozen=True, slots=True)
class Duration(Type):
    """A span of time: a timedelta."""

    kind: ClassVar[str] = "duration"
    classes: ClassVar[frozenset[type]] = frozenset({dt.timedelta})


@dataclass(frozen=True, slots=True)
class Decimal(Type):
    """A decimal number of at most so many digits, stored as it is written.

    Args:
        precision: digits in all, at least 1.
        scale: of them, those behind the point.

    >>> from decimal import Decimal as D
    >>> [Decimal(4, 2).holds(D(text)) for text in ("12.34", "1.5", "123.45", "1.234", "NaN")]
    [True, True, False, False, False]
    """

    precision: int
    scale: int = 0
    kind: ClassVar[str] = "decimal"
    classes: ClassVar[frozenset[type]] = frozenset({decimal.Decimal})

    @property
    def free(self) -> frozenset[type]:
        return NO_TYPES

    def __post_init__(self) -> None:
        if not 1 <= self.precision <= MAX_PRECISION or not 0 <= self.scale <= self.precision:
            raise ConfigError(
                f"decimal({self.precision}, {self.scale}): give a precision from 1 to"
                f" {MAX_PRECISION} and a scale from 0 to the precision"
            )

    def holds(self, value: decimal.Decimal) -> bool:
        _, digits, exponent = value.as_tuple()
        if not isinstance(exponent, int):
            return False  # NaN or infinite
        if digits == (0,):
            return exponent >= -self.scale
        return exponent >= -self.scale and len(digits) + exponent <= self.precision - self.scale

    def __str__(self) -> str:
        return f"decimal({self.precision}, {self.scale})"


@dataclass(frozen=True, slots=True)
class Anything(Type):
    """Whatever the log can store."""

    kind: ClassVar[str] = "anything"
