"""What the tests of schemas draw: schemas with every type, and rows that fit them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal as D
from itertools import count
from typing import Any

from hypothesis import reject
from hypothesis import strategies as st

from kappa.errors import ConfigError
from kappa.schemas import (
    MISSING,
    Bool,
    Bytes,
    Date,
    Decimal,
    Duration,
    Enum,
    Field,
    Fixed,
    Float,
    Int,
    List,
    Map,
    Null,
    Record,
    Ref,
    Schema,
    String,
    Time,
    Timestamp,
    Type,
    Union,
    Uuid,
)

LEAVES: list[Type] = [
    Bool(), Int(32), Int(), Float(32), Float(), String(), Bytes(), Uuid(), Date(), Time(),
    Time("ms"), Timestamp(), Timestamp(unit="ms"), Timestamp(zone=False), Duration(),
    Decimal(6, 2), Decimal(3), Null(),
]  # fmt: skip
_numbers = count()


def fresh(word: str) -> str:
    return f"{word}{next(_numbers)}"


enums = st.lists(st.sampled_from("abcdefgh"), min_size=1, unique=True).map(
    lambda symbols: Enum(fresh("Enum"), tuple(symbols))
)
fixed = st.integers(0, 4).map(lambda size: Fixed(fresh("Fixed"), size))
leaves = st.one_of(st.sampled_from(LEAVES), enums, fixed)


def avro_kind(type_: Type) -> object:
    """What a union may hold one of only."""
    from kappa.schemas.document import written

    document = written(type_, {})
    if isinstance(document, dict):
        return document.get("name", document["type"])
    return document


def unions(inner: st.SearchStrategy[Type]) -> st.SearchStrategy[Type]:
    plain = inner.filter(lambda one: not isinstance(one, Union))
    return st.lists(plain, min_size=1, max_size=3, unique_by=avro_kind).map(
        lambda branches: Union(tuple(branches))
    )


def records(inner: st.SearchStrategy[Type]) -> st.SearchStrategy[Type]:
    fields = st.lists(
        st.tuples(st.sampled_from("pqrst"), inner), max_size=4, unique_by=lambda pair: pair[0]
    )
    return fields.map(
        lambda pairs: Record(fresh("Record"), tuple(Field(name, one) for name, one in pairs))
    )


types = st.recursive(
    leaves,
    lambda inner: st.one_of(inner.map(List), inner.map(Map), unions(inner), records(inner)),
    max_leaves=6,
)
schemas = records(types).map(Schema)

texts = st.text("aü€", max_size=3)
ZONES = st.sampled_from([dt.UTC, dt.timezone(dt.timedelta(hours=-5, minutes=30))])
_MS = 1000


def values(type_: Type, names: Any = None) -> st.SearchStrategy[Any]:
    """Values that fit a type; `names` says what refs stand for."""
    match type_:
        case Ref():
            return values(names[type_.name], names)
        case Record():
            return st.fixed_dictionaries({f.name: values(f.type, names) for f in type_.fields})
        case List():
            return st.lists(values(type_.items, names), max_size=3)
        case Map():
            return st.dictionaries(texts, values(type_.values, names), max_size=3)
        case Union():
            return st.one_of(*(values(one, names) for one in type_.branches))
    return _leaf(type_)


def _leaf(type_: Type) -> st.SearchStrategy[Any]:
    match type_:
        case Int():
            return st.integers(type_.low, type_.high)
        case Float():
            return st.floats(width=type_.bits)  # type: ignore[arg-type]
        case Time(unit):
            return st.times().map(lambda one: _in(unit, one))
        case Timestamp(True, unit):
            return st.datetimes(timezones=ZONES).map(lambda one: _in(unit, one))
        case Timestamp(False, unit):
            return st.datetimes().map(lambda one: _in(unit, one))
        case Decimal(precision, scale):
            top = 10**precision - 1
            return st.integers(-top, top).map(lambda n: D(n).scaleb(-scale))
        case Enum():
            return st.sampled_from(type_.symbols)
        case Fixed():
            return st.binary(min_size=type_.size, max_size=type_.size)
    return {
        Null: st.none(),
        Bool: st.booleans(),
        String: texts,
        Bytes: st.binary(max_size=5),
        Uuid: st.uuids(),
        Date: st.dates(),
        Duration: st.timedeltas(),
    }[type(type_)]


def _in(unit: str, value: Any) -> Any:
    return value if unit == "us" else value.replace(microsecond=value.microsecond // _MS * _MS)


@st.composite
def with_defaults(draw: st.DrawFn) -> Schema:
    """A schema some of whose fields have defaults that fit."""
    schema = draw(schemas)
    fields = []
    for field in schema.fields:
        default = draw(st.just(MISSING) | values(field.type))
        fields.append(Field(field.name, field.type, default))
    try:
        return Schema.record(schema.name, fields)
    except ConfigError:  # JSON cannot tell the default from one of another branch
        reject()
