"""Defaults of fields as JSON, in the form that Avro prescribes for each type.

Bytes are text of the characters 0 to 255, a decimal the bytes of its unscaled number, dates
and times numbers. A union's default is one of its first branch, so `Field` puts that first.
A default whose JSON reads as another value, of a branch that comes before, is refused.

Source: Apache Avro 1.12 specification, "Complex Types", table "field default values".
"""

from __future__ import annotations

import datetime as dt
import decimal
import math
import uuid
from collections.abc import Callable
from typing import Any

from kappa.errors import ConfigError
from kappa.schemas.checking import Names, fits
from kappa.schemas.types import (
    MISSING,
    Anything,
    Bool,
    Bytes,
    Date,
    Decimal,
    Duration,
    Enum,
    Fixed,
    Float,
    Int,
    List,
    Map,
    Null,
    Record,
    Ref,
    String,
    Time,
    Timestamp,
    Type,
    Union,
    Uuid,
)

__all__ = ["default_from", "default_to"]

EPOCH = dt.datetime(1970, 1, 1)
_EPOCH_DAY = EPOCH.date().toordinal()
_MICROSECOND = dt.timedelta(microseconds=1)
NO_NAMES: Names = {}
_NO_DEFAULT = (TypeError, ValueError, ArithmeticError, LookupError)
_NOT_FINITE = {"NaN", "Infinity", "-Infinity"}


def default_to(type_: Type, value: Any, names: Names = NO_NAMES) -> Any:
    """The JSON of a value.

    Args:
        type_: which it fits.
        value: the default.
        names: what refs stand for.

    >>> default_to(Decimal(4, 2), decimal.Decimal("1.50")), default_to(Date(), dt.date(1970, 1, 3))
    ('\\x00\\x96', 2)
    """
    if isinstance(type_, Ref):
        type_ = names[type_.name]
    match type_:
        case Union():
            fitting = (one for one in type_.branches if fits(one, value, names))
            return default_to(next(fitting), value, names)
        case List():
            return [default_to(type_.items, one, names) for one in value]
        case Map():
            return {key: default_to(type_.values, one, names) for key, one in value.items()}
        case Record():
            own = {field.name: field.type for field in type_.fields}
            return {
                name: default_to(own[name], one, names) if name in own else one
                for name, one in value.items()
            }
    write = _TO.get(type(type_))
    return value if write is None else write(type_, value)


def _float_to(type_: Type, value: float) -> Any:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return float(value)


def _decimal_to(type_: Decimal, value: decimal.Decimal) -> str:
    unscaled = int(value.scaleb(type_.scale, decimal.Context(prec=2 * type_.precision)))
    length = (unscaled + (unscaled < 0)).bit_length() // 8 + 1
    return unscaled.to_bytes(length, "big", signed=True).decode("latin-1")


def _time_to(type_: Time, value: dt.time) -> int:
    seconds = (value.hour * 60 + value.minute) * 60 + value.second
    return _in_unit(seconds * 1_000_000 + value.microsecond, type_.unit)


def _timestamp_to(type_: Timestamp, value: dt.datetime) -> int:
    naive = value.astimezone(dt.UTC).replace(tzinfo=None) if type_.zone else value
    return _in_unit((naive - EPOCH) // _MICROSECOND, type_.unit)


def _in_unit(microseconds: int, unit: str) -> int:
    return microseconds if unit == "us" else microseconds // 1000


_TO: dict[type[Type], Callable[[Any, Any], Any]] = {
    Float: _float_to,
    Bytes: lambda _, value: value.decode("latin-1"),
    Fixed: lambda _, value: value.decode("latin-1"),
    Uuid: lambda _, value: str(value),
    Date: lambda _, value: value.toordinal() - _EPOCH_DAY,
    Time: _time_to,
    Timestamp: _timestamp_to,
    Duration: lambda _, value: value // _MICROSECOND,
    Decimal: _decimal_to,
}


def default_from(type_: Type, document: Any, where: str, names: Names = NO_NAMES) -> Any:
    """The value of a default's JSON.

    Args:
        type_: of the field.
        document: the default as it was written.
        where: the field, for errors.
        names: what refs stand for, as far as it is known.

    Raises:
        ConfigError: it is no default of that type.
    """
    try:
        return _from(type_, document, names)
    except _NO_DEFAULT:
        raise ConfigError(f"{where}: {document!r:.80} is no default of type {type_}") from None


def _from(type_: Type, document: Any, names: Names) -> Any:
    if isinstance(type_, Ref):
        type_ = names[type_.name]
    match type_, document:
        case Union(), _:
            return _from_union(type_, document, names)
        case Record(), dict():
            return _record_from(type_, document, names)
        case List(), list():
            return [_from(type_.items, one, names) for one in document]
        case Map(), dict():
            return {key: _from(type_.values, one, names) for key, one in document.items()}
        case Anything(), _:
            return document
    takes, read = _FROM[type(type_)]
    if type(document) not in takes:
        raise ValueError(document)
    value = read(type_, document)
    if type(value) not in type_.free and not type_.holds(value):
        raise ValueError(document)
    return value


def _from_union(type_: Union, document: Any, names: Names) -> Any:
    for branch in type_.branches:
        try:
            return _from(branch, document, names)
        except _NO_DEFAULT:
            continue
    raise ValueError(document)


def _record_from(type_: Record, document: dict[str, Any], names: Names) -> dict[str, Any]:
    made = {}
    for field in type_.fields:
        if field.name in document:
            made[field.name] = _from(field.type, document[field.name], names)
        elif field.default is not MISSING:
            made[field.name] = field.default
        elif field.required:
            raise ValueError(field.name)
    return made


def _float_from(type_: Float, document: Any) -> float:
    if isinstance(document, str) and document not in _NOT_FINITE:
        raise ValueError(document)
    return float(document)


def _decimal_from(type_: Decimal, document: str) -> decimal.Decimal:
    unscaled = int.from_bytes(document.encode("latin-1"), "big", signed=True)
    digits = tuple(map(int, str(abs(unscaled))))
    return decimal.Decimal((unscaled < 0, digits, -type_.scale))


def _time_from(type_: Time, document: int) -> dt.time:
    span = dt.timedelta(microseconds=document * (1 if type_.unit == "us" else 1000))
    if not dt.timedelta(0) <= span < dt.timedelta(days=1):
        raise ValueError(document)
    return (EPOCH + span).time()


def _timestamp_from(type_: Timestamp, document: int) -> dt.datetime:
    span = dt.timedelta(microseconds=document * (1 if type_.unit == "us" else 1000))
    return (EPOCH + span).replace(tzinfo=dt.UTC if type_.zone else None)


_INT, _STR = (int,), (str,)
_FROM: dict[type[Type], tuple[tuple[type, ...], Callable[[Any, Any], Any]]] = {
    Null: ((type(None),), lambda _, document: None),
    Bool: ((bool,), lambda _, document: document),
    Int: (_INT, lambda _, document: document),
    Float: ((int, float, str), _float_from),
    String: (_STR, lambda _, document: document),
    Enum: (_STR, lambda _, document: document),
    Bytes: (_STR, lambda _, document: document.encode("latin-1")),
    Fixed: (_STR, lambda _, document: document.encode("latin-1")),
    Uuid: (_STR, lambda _, document: uuid.UUID(document)),
    Date: (_INT, lambda _, document: dt.date.fromordinal(document + _EPOCH_DAY)),
    Time: (_INT, _time_from),
    Timestamp: (_INT, _timestamp_from),
    Duration: (_INT, lambda _, document: dt.timedelta(microseconds=document)),
    Decimal: (_STR, _decimal_from),
}
