"""From values to Arrow: a column's type, and what widens it.

A type follows from the values' exact Python types. Two types of one column are widened to
one that holds both (int64 and double: double; decimals: the wider), and to text where there
is none, or where a value would not fit. Values of a column that is text are written as they
are if they are text, else as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow as pa

__all__ = ["Misfit", "array_of", "as_type", "widened"]

TEXT = pa.string()
NOTHING = pa.null()
UTC_TIME = pa.timestamp("us", tz="UTC")
MAX_DIGITS = 38
"""Of a decimal, in DuckDB as in Arrow's decimal128."""

_ONE: dict[type, Any] = {
    bool: pa.bool_(),
    int: pa.int64(),
    float: pa.float64(),
    str: TEXT,
    bytes: pa.binary(),
    date: pa.date32(),
    time: pa.time64("us"),
    timedelta: pa.duration("us"),
}
_REFUSALS = (pa.ArrowException, OverflowError, UnicodeEncodeError, TypeError, ValueError)


class Misfit(Exception):
    """A column holds values that its type does not; `type` is one that does."""

    def __init__(self, name: str, type: Any) -> None:
        super().__init__(f"{name} is {type}")
        self.name = name
        self.type = type


def array_of(values: Sequence[Any]) -> Any:
    """Values as the Arrow array that their Python types ask for.

    >>> array_of([1, None, 2.5]).type, array_of([1, "a"]).to_pylist()
    (DataType(double), ['1', 'a'])
    """
    kinds = set(map(type, values))
    kinds.discard(type(None))
    try:
        return _natural(values, kinds)
    except _REFUSALS:
        return _texts(values)


def as_type(name: str, values: Sequence[Any], wanted: Any) -> Any:
    """Values as an array of the type `wanted`.

    Raises:
        Misfit: they need a wider type.

    Cost: 20 to 50 ns per value.
    """
    found = array_of(values)
    if found.type == wanted:
        return found
    wider = widened(found.type, wanted)
    if wider != wanted:
        raise Misfit(name, wider)
    try:
        return _converted(values, wanted)
    except _REFUSALS:  # as an int that no float holds
        raise Misfit(name, TEXT) from None


def widened(one: Any, other: Any) -> Any:
    """The narrowest type that holds what both do.

    >>> widened(pa.int64(), pa.float64()), widened(pa.int64(), pa.bool_())
    (DataType(double), DataType(string))
    """
    if one == other or other == NOTHING:
        return one
    if one == NOTHING:
        return other
    if TEXT in (one, other) or pa.bool_() in (one, other):
        return TEXT
    if _digits(one) and _digits(other):
        return _wider_decimal(_digits(one), _digits(other))
    try:
        schemas = [pa.schema([("x", one)]), pa.schema([("x", other)])]
        return pa.unify_schemas(schemas, promote_options="permissive").field("x").type
    except pa.ArrowException:
        return TEXT


def _digits(kind: Any) -> tuple[int, int] | None:
    """Digits before and behind the point, where a type has a fixed number of them."""
    if pa.types.is_decimal(kind):
        return kind.precision - kind.scale, kind.scale
    return (19, 0) if kind == pa.int64() else None


def _wider_decimal(one: Any, other: Any) -> Any:
    before, behind = map(max, zip(one, other, strict=True))
    if before + behind > MAX_DIGITS:
        return TEXT
    return pa.decimal128(before + behind, behind)


def _natural(values: Sequence[Any], kinds: set[type]) -> Any:
    if not kinds:
        return pa.nulls(len(values))
    if len(kinds) == 1:
        (kind,) = kinds
        if kind is int:
            return _ints(values)
        if kind in _ONE:
            return pa.array(values, type=_ONE[kind])
        if kind is datetime:
            return _instants(values)
        if kind is Decimal:
            return _decimals(values)
        if kind is UUID:
            return _texts(values)
    elif not kinds <= {list, tuple, dict, set, frozenset}:
        return _converted(values, _common(values, kinds))
    return pa.array(_plain_all(values))


def _common(values: Sequence[Any], kinds: set[type]) -> Any:
    """The type that holds values of several Python types, whichever came together."""
    found = NOTHING
    for kind in kinds:
        found = widened(array_of([value for value in values if type(value) is kind]).type, found)
    return found


def _converted(values: Sequence[Any], wanted: Any) -> Any:
    if wanted == TEXT:
        return _texts(values)
    if pa.types.is_decimal(wanted):  # an int does not become one by itself
        values = [None if value is None else Decimal(value) for value in values]
    return pa.array(_plain_all(values), type=wanted)


def _ints(values: Sequence[Any]) -> Any:
    try:
        return pa.array(values, type=pa.int64())
    except OverflowError:
        return pa.array(values, type=pa.decimal128(MAX_DIGITS, 0))


def _instants(values: Sequence[Any]) -> Any:
    zoned = {value.tzinfo is not None for value in values if value is not None}
    if len(zoned) > 1:
        return _texts(values)
    return pa.array(values, type=UTC_TIME if zoned == {True} else pa.timestamp("us"))


def _decimals(values: Sequence[Any]) -> Any:
    found = pa.array(values)
    return found if found.type.precision <= MAX_DIGITS else _texts(values)


def _texts(values: Sequence[Any]) -> Any:
    return pa.array([None if value is None else _text(value) for value in values], type=TEXT)


def _text(value: Any) -> str:
    plain = _plain(value)
    if type(plain) is not str:
        plain = _leaf(plain) if type(plain) in _LEAVES else _json(plain)
    # Arrow's text has no lone surrogate.
    return str(plain).encode("utf-8", "replace").decode("utf-8")


def _json(value: Any) -> str:
    return json.dumps(value, default=_leaf, ensure_ascii=False)


_LEAVES = frozenset({date, datetime, time, timedelta, bytes, Decimal})


def _leaf(value: Any) -> str:
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return str(value)


def _plain_all(values: Sequence[Any]) -> list[Any]:
    return [_plain(value) for value in values]


def _plain(value: Any) -> Any:
    """A value of lists and mappings with text as keys, as Arrow and JSON know them."""
    make = _PLAIN.get(type(value))
    if make is not None:
        return make(value)
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    return value


def _mapping(value: Mapping[Any, Any]) -> dict[str, Any]:
    return {key if type(key) is str else _text(key): _plain(item) for key, item in value.items()}


def _members(value: Any) -> list[Any]:
    return sorted(map(_plain, value), key=repr)


_PLAIN: dict[type, Callable[[Any], Any]] = {
    dict: _mapping,
    list: _plain_all,
    tuple: _plain_all,
    set: _members,
    frozenset: _members,
    UUID: str,
}
