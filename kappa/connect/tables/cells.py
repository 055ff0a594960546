"""Values into a column of a fixed type: exactly, or refused.

A value fits by its exact Python type. An int fits a float or decimal that equals it, a
decimal one of more digits; nothing is rounded, cut off, or made text. A field that is null
and one that is missing are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from kappa.connect.tables.columns import DIGITS, MAX_DIGITS, UUID_TEXT, arrow

Convert = Callable[[Any], Any]
MANY = frozenset({list, tuple, set, frozenset})
LONG = 1 << 63


class Misfit(Exception):
    """A value that does not fit; the text says why, and is empty where its type is the reason."""

    def __init__(self, value: Any, why: str = "") -> None:
        super().__init__(why)
        self.value = value
        self.why = why


def array_of(values: Sequence[Any], type_: Any) -> Any:
    """Values as an Arrow array of a type.

    Raises:
        Misfit: one of them is not of that type.

    Cost: about 20 ns per value, 100 ns where each one has to be looked at.
    """
    pa = arrow()
    kinds = set(map(type, values))
    if any(map(is_dataclass, kinds)):
        values = simple(values)
        kinds = set(map(type, values))
    known = _converters(type_)
    if not all(known.get(kind) is _same for kind in kinds):
        values = [_converted(value, known) for value in values]
    try:
        return pa.array(values, type=type_)
    except (pa.ArrowException, OverflowError, UnicodeError, TypeError, ValueError):
        for value in values:
            try:
                pa.array([value], type=type_)
            except (pa.ArrowException, OverflowError, UnicodeError, TypeError, ValueError) as error:
                raise Misfit(value, str(error)) from None
        raise


def simple(values: Sequence[Any]) -> Sequence[Any]:
    """Values with dataclasses as dicts."""
    if not any(is_dataclass(kind) for kind in set(map(type, values))):
        return values
    return [
        asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
        for value in values
    ]


def _same(value: Any) -> Any:
    return value


def _converted(value: Any, known: Mapping[type, Convert]) -> Any:
    convert = known.get(type(value))
    if convert is None:
        raise Misfit(value)
    return convert(value)


def _converters(type_: Any) -> Mapping[type, Convert]:
    """What is done with values of the Python types that fit, None included."""
    types = arrow().types
    nothing: dict[type, Convert] = {type(None): _same}
    if types.is_timestamp(type_) or types.is_time(type_):
        return nothing | _of_clock(type_, types)
    if types.is_list(type_):
        inner = _converters(type_.value_type)
        return nothing | dict.fromkeys(MANY, _list(inner))
    if types.is_map(type_):
        return nothing | {dict: _map(_converters(type_.item_type))}
    if types.is_struct(type_):
        return nothing | {dict: _struct(type_)}
    plain: list[tuple[Callable[[Any], bool], dict[type, Convert]]] = [
        (types.is_boolean, {bool: _same}),
        (types.is_integer, {int: _same}),
        (types.is_floating, {float: _same, int: _exact_float}),
        (types.is_decimal, {Decimal: _finite, int: Decimal}),
        (types.is_string, {str: _same, UUID: str}),
        (types.is_large_string, {str: _same, UUID: str}),
        (types.is_date, {date: _same}),
        (types.is_duration, {timedelta: _same}),
        (types.is_null, {}),
    ]
    for fits, found in plain:
        if fits(type_):
            return nothing | found
    if str(type_) == UUID_TEXT:
        return nothing | {UUID: _bytes_of}
    return nothing | {bytes: _same}


def _bytes_of(value: UUID) -> bytes:
    return value.bytes


def _exact_float(value: int) -> float:
    try:
        found = float(value)
    except OverflowError:
        raise Misfit(value, "no float is as large") from None
    if found != value:
        raise Misfit(value, "no float equals it")
    return found


def _finite(value: Decimal) -> Decimal:
    if not value.is_finite():
        raise Misfit(value, "a decimal column has finite numbers")
    # Arrow reads 1E+3 only where it is written out.
    exponent = value.as_tuple().exponent
    return Decimal(int(value)) if isinstance(exponent, int) and exponent > 0 else value


def _of_clock(type_: Any, types: Any) -> dict[type, Convert]:
    step = {"s": 1_000_000, "ms": 1_000}.get(type_.unit, 1)
    zoned = types.is_timestamp(type_) and type_.tz is not None

    def convert(value: Any) -> Any:
        if (value.tzinfo is not None) is not zoned:
            raise Misfit(value, "it has no zone" if zoned else "it has a zone")
        if value.microsecond % step:
            raise Misfit(value, f"it is finer than {type_.unit}")
        return value

    if types.is_time(type_):
        return {time: convert}
    # Milliseconds since the epoch are how rows tell times, window_start among them.
    return {datetime: convert, **({int: _same} if type_.unit == "ms" else {})}


def _list(inner: Mapping[type, Convert]) -> Convert:
    def convert(value: Any) -> Any:
        items = sorted(value, key=repr) if isinstance(value, set | frozenset) else value
        return [_converted(item, inner) for item in simple(items)]

    return convert


def _map(inner: Mapping[type, Convert]) -> Convert:
    def convert(value: dict[Any, Any]) -> Any:
        wrong = [key for key in value if type(key) is not str]
        if wrong:
            raise Misfit(value, f"its key {wrong[0]!r} is no text")
        items = zip(value, simple(list(value.values())), strict=True)
        return [(key, _converted(item, inner)) for key, item in items]

    return convert


def _struct(type_: Any) -> Convert:
    inner = {one.name: _converters(one.type) for one in type_}
    needed = [one.name for one in type_ if not one.nullable]

    def convert(value: dict[Any, Any]) -> Any:
        for name, item in value.items():
            if name not in inner and item is not None:
                raise Misfit(value, f"its field {name!r} is none of the column's")
        for name in needed:
            if value.get(name) is None:
                raise Misfit(value, f"its field {name!r} may not be null")
        names = list(inner)
        items = simple([value.get(name) for name in names])
        return {name: _converted(item, inner[name]) for name, item in zip(names, items)}

    return convert


# The type that values ask for.


def type_of(values: Sequence[Any]) -> Any:
    """The type of a column with these values; null for none but nulls.

    Decimals get all the digits there are, so that later ones fit too.

    Raises:
        Misfit: they are of several types, or of one that no column has.

    >>> type_of([1, None, 2.5]), type_of([None])
    (DataType(double), DataType(null))
    """
    pa = arrow()
    values = simple(values)
    kinds = set(map(type, values))
    kinds.discard(type(None))
    if not kinds:
        return pa.null()
    if kinds <= MANY:
        return pa.list_(type_of([item for value in values if value is not None for item in value]))
    if kinds == {dict}:
        return _struct_of([value for value in values if value is not None])
    if kinds <= {int, float} or kinds <= {int, Decimal}:
        return _number_of(values, kinds)
    if len(kinds) > 1:
        names = " and ".join(sorted(kind.__name__ for kind in kinds))
        raise Misfit(_first(values), f"the column has values of {names}")
    return _one_of(values, kinds.pop())


def _first(values: Sequence[Any]) -> Any:
    return next(value for value in values if value is not None)


def _one_of(values: Sequence[Any], kind: type) -> Any:
    pa = arrow()
    if kind is datetime:
        zoned = {value.tzinfo is not None for value in values if value is not None}
        if len(zoned) > 1:
            raise Misfit(_first(values), "some values have a zone and some have none")
        return pa.timestamp("us", tz="UTC" if zoned == {True} else None)
    found = {
        bool: pa.bool_(), str: pa.string(), UUID: pa.string(), bytes: pa.binary(),
        date: pa.date32(), time: pa.time64("us"), timedelta: pa.duration("us"),
    }.get(kind)  # fmt: skip
    if found is None:
        raise Misfit(_first(values), "no column has such values")
    return found


def _number_of(values: Sequence[Any], kinds: set[type]) -> Any:
    pa = arrow()
    if float in kinds:
        return pa.float64()
    ints = [value for value in values if type(value) is int]
    if Decimal not in kinds and all(-LONG <= value < LONG for value in ints):
        return pa.int64()
    exact = [Decimal(value) for value in ints]
    exact += [_finite(value) for value in values if type(value) is Decimal]
    exponents = [value.as_tuple().exponent for value in exact]
    behind = max(-one for one in exponents if isinstance(one, int))
    before = max(value.adjusted() + 1 for value in exact)
    if before + behind <= DIGITS:
        return pa.decimal128(DIGITS, behind)
    if before + behind <= MAX_DIGITS:
        return pa.decimal256(MAX_DIGITS, behind)
    raise Misfit(max(exact, key=abs), f"no column has more than {MAX_DIGITS} digits")


def _struct_of(values: Sequence[Mapping[Any, Any]]) -> Any:
    names = sorted({name for value in values for name in value}, key=str)
    for name in names:
        if type(name) is not str:
            raise Misfit(_first(values), f"its key {name!r} is no text")
    pa = arrow()
    return pa.struct([(name, type_of([value.get(name) for value in values])) for name in names])


def is_known(type_: Any) -> bool:
    """Whether a type says what its values are, down to its last part."""
    types = arrow().types
    if types.is_struct(type_):
        return len(type_.names) > 0 and all(is_known(one.type) for one in type_)
    return is_known(type_.value_type) if types.is_list(type_) else not types.is_null(type_)
