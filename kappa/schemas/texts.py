"""Values of a schema's types as JSON has them, and back.

JSON knows text, numbers, true, false, null, lists and objects. A timestamp, date, time, UUID
or decimal is text there, bytes are base64, a duration is ISO 8601 text of seconds. `from_json`
takes a value that is of its type already as it is, so that it may also be asked of rows whose
texts have been read before.

Sources: RFC 3339 (dates and times), RFC 4648 (base64), ISO 8601 (durations).
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import decimal
import re
import uuid
from collections.abc import Callable
from typing import Any

from kappa.schemas.checking import Names
from kappa.schemas.types import (
    Bytes,
    Date,
    Decimal,
    Duration,
    Fixed,
    Float,
    Int,
    List,
    Map,
    Record,
    Ref,
    Time,
    Timestamp,
    Type,
    Union,
    Uuid,
)

__all__ = ["from_json", "to_json"]

_DURATION = re.compile(r"(-)?P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.(\d{1,6}))?S)?)?")


def from_json(type_: Type, value: Any, names: Names | None = None) -> Any:
    """The value that JSON stands for; what has no reading comes back as it is.

    Args:
        type_: what is expected.
        value: as JSON has it, or of the type already.
        names: what refs stand for.

    Raises:
        ValueError: a text that does not say what it should.

    >>> from_json(Date(), "2013-07-03"), from_json(Decimal(4, 2), "1.50")
    (datetime.date(2013, 7, 3), Decimal('1.50'))
    """
    if isinstance(type_, Ref):
        type_ = (names or {}).get(type_.name, type_)
    match type_, value:
        case Union(), _:
            return _from_union(type_, value, names)
        case List(items), list():
            return [from_json(items, one, names) for one in value]
        case Map(values), dict():
            return {key: from_json(values, one, names) for key, one in value.items()}
        case Record(), dict():
            own = {field.name: field.type for field in type_.fields}
            return {
                key: from_json(own[key], one, names) if key in own else one
                for key, one in value.items()
            }
        case Float(), int() if type(value) is int:
            return float(value)
        case Int(), float() if value.is_integer():
            return int(value)  # to JSON, 3.0 is an integer
    read = _READ.get(type(type_))
    return read(value) if read is not None and type(value) is str else _read_number(type_, value)


def _read_number(type_: Type, value: Any) -> Any:
    if isinstance(type_, Decimal) and type(value) in (int, float):
        return decimal.Decimal(repr(value))
    return value


def _from_union(type_: Union, value: Any, names: Names | None) -> Any:
    """The first branch that the value is of, else the first that it can be read as."""
    from kappa.schemas.checking import fits

    known = names or {}
    for branch in type_.branches:
        if fits(branch, value, known):
            return value
    for branch in type_.branches:
        try:
            made = from_json(branch, value, names)
        except ValueError:
            continue
        if fits(branch, made, known):
            return made
    return value


def _timestamp(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


def _duration(text: str) -> dt.timedelta:
    found = _DURATION.fullmatch(text)
    if found is None or text in ("P", "-P") or text.endswith("T"):
        raise ValueError(f"{text!r} is no duration")
    sign, days, hours, minutes, seconds, fraction = found.groups()
    span = dt.timedelta(
        days=int(days or 0),
        hours=int(hours or 0),
        minutes=int(minutes or 0),
        seconds=int(seconds or 0),
        microseconds=int((fraction or "0").ljust(6, "0")),
    )
    return -span if sign else span


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None


def _decimal(text: str) -> decimal.Decimal:
    try:
        return decimal.Decimal(text)
    except decimal.InvalidOperation:
        raise ValueError(f"{text!r} is no decimal") from None


_READ: dict[type[Type], Callable[[str], Any]] = {
    Timestamp: _timestamp,
    Date: dt.date.fromisoformat,
    Time: dt.time.fromisoformat,
    Duration: _duration,
    Uuid: uuid.UUID,
    Decimal: _decimal,
    Bytes: _bytes,
    Fixed: _bytes,
}


def to_json(value: Any) -> Any:
    """A value as JSON has it.

    >>> to_json({"at": dt.date(2013, 7, 3), "for": dt.timedelta(days=1, milliseconds=1500)})
    {'at': '2013-07-03', 'for': 'P1DT1.5S'}
    """
    match value:
        case dict():
            return {key: to_json(one) for key, one in value.items()}
        case list():
            return list(map(to_json, value))
        case dt.datetime() | dt.date() | dt.time():
            return value.isoformat()
        case dt.timedelta():
            return _duration_text(value)
        case bytes():
            return base64.b64encode(value).decode()
        case decimal.Decimal():
            return format(value, "f")
        case uuid.UUID():
            return str(value)
    return value


def _duration_text(value: dt.timedelta) -> str:
    if value < dt.timedelta(0):
        return "-" + _duration_text(-value)
    days = f"{value.days}D" if value.days else ""
    micros = f".{value.microseconds:06d}".rstrip("0") if value.microseconds else ""
    if not days or value.seconds or micros:
        return f"P{days}T{value.seconds}{micros}S"
    return f"P{days}"
