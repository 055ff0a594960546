"""Every source of a schema, every logical type: through the log and back as it was declared.

The rows that go in are written by hand; what comes out has to equal them in value and type.
Where a library reads the document too (fastavro, jsonschema, protobuf), it is asked as well.
"""

from __future__ import annotations

import datetime as dt
import enum
import io
import json
from dataclasses import dataclass, field
from decimal import Decimal as D
from typing import Annotated, Any, Literal, NotRequired, TypedDict
from uuid import UUID
from zoneinfo import ZoneInfo

import fastavro
import jsonschema
import msgspec
import pydantic
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, timestamp_pb2
from hypothesis import given
from schemas import drawn

from kappa import Log
from kappa.errors import ConfigError, SchemaViolation
from kappa.schemas import (
    Alias,
    Decimal,
    Duration,
    Int,
    List,
    Map,
    Schema,
    Timestamp,
    Union,
    Uuid,
    schema_of,
)
from kappa.schemas.jsonschema import schema_of_json, to_json_schema
from kappa.schemas.texts import to_json
from kappa.schemas.types import walk


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class PointDict(TypedDict):
    x: int
    y: NotRequired[int]


@dataclass
class PointData:
    x: int
    y: int = 0


class PointStruct(msgspec.Struct):
    x: int
    y: int = 0


class PointModel(pydantic.BaseModel):
    x: int
    y: int = 0


ANNOTATIONS: dict[str, Any] = {
    "b": bool, "i": int, "f": float, "s": str, "raw": bytes, "at": dt.datetime,
    "local": Annotated[dt.datetime, Timestamp(zone=False)], "day": dt.date, "time": dt.time,
    "took": dt.timedelta, "money": Annotated[D, Decimal(10, 2)], "exact": D, "id": UUID,
    "color": Color, "level": Level, "side": Literal["buy", "sell"], "tags": list[str],
    "set": set[int], "pair": tuple[int, ...], "by": dict[str, float], "maybe": dt.date | None,
    "many": dict[str, list[dt.date | None]], "either": int | str,
}  # fmt: skip
TOKYO = dt.datetime(2026, 3, 29, 2, 30, 0, 123_456, ZoneInfo("Asia/Tokyo"))
VALUES: dict[str, Any] = {
    "b": True, "i": -(1 << 63), "f": 0.1, "s": "é", "raw": b"\x00", "at": TOKYO,
    "local": dt.datetime(2026, 3, 29, 2, 30), "day": dt.date(1, 1, 1),
    "time": dt.time(23, 59, 59, 999_999), "took": dt.timedelta(-1, microseconds=1),
    "money": D("99999999.99"), "exact": D("0.000000000000000001"), "id": UUID(int=7),
    "color": Color.BLUE, "level": Level.HIGH, "side": "sell", "tags": ["a", ""],
    "set": {3, 1, 2}, "pair": (1, 2), "by": {"k": 0.5}, "maybe": None,
    "many": {"k": [dt.date(2026, 1, 1), None]}, "either": "x",
}  # fmt: skip


def class_of(kind: str, fields: dict[str, Any], point: Any) -> Any:
    fields = {**fields, "point": point, "points": list[point], "where": dict[str, point | None]}
    if kind == "dataclass":
        return dataclass(type("Row", (), {"__annotations__": fields}))
    if kind == "TypedDict":
        return TypedDict("Row", fields)  # type: ignore[operator]
    if kind == "Struct":
        return msgspec.defstruct("Row", list(fields.items()))
    return pydantic.create_model("Row", **{name: (one, ...) for name, one in fields.items()})


KINDS = {
    "dataclass": PointData, "TypedDict": PointDict, "Struct": PointStruct, "model": PointModel,
}  # fmt: skip


@pytest.mark.parametrize("count", [1, 30])
@pytest.mark.parametrize("kind", KINDS)
def test_every_logical_type_of_every_kind_of_class_comes_back_as_it_was(kind: str, count: int):
    point = KINDS[kind]
    cls = class_of(kind, ANNOTATIONS, point)
    values = {
        **VALUES, "point": point(x=1, y=2), "points": [point(x=3, y=0)], "where": {"k": None},
    }  # fmt: skip
    with Log.memory() as log:
        log.create_topic("rows", schema=cls)
        row = cls(**values)
        given = plain_dict(values) if kind == "TypedDict" else row
        log.append("rows", [given] * count)
        found = [record.value for record in log.read("rows", rows=cls)]
        assert found == [row] * count
        for name, value in values.items():
            made = found[0][name] if kind == "TypedDict" else getattr(found[0], name)
            assert (type(made), made) == (type(value), value)
        at = found[0]["at"] if kind == "TypedDict" else found[0].at
        assert at.utcoffset() == dt.timedelta(hours=9)


def plain_dict(values: dict[str, Any]) -> dict[str, Any]:
    """What a TypedDict's row is when it is given as a dict of plain values."""
    return {**values, "color": "blue", "level": 2, "set": [1, 2, 3], "pair": [1, 2]}


def test_defaults_aliases_and_fields_that_may_be_missing_are_read_from_classes():
    @dataclass
    class Row:
        a: int
        b: Annotated[float, Alias("c", "d")] = 2
        tags: list[str] = field(default_factory=list)
        made: list[int] = field(default_factory=lambda: [1])
        note: str | None = None

    schema = Schema.of(dataclass_here(Row))
    assert [(f.name, f.optional, f.aliases) for f in schema.fields] == [
        ("a", False, ()),
        ("b", True, ("c", "d")),
        ("tags", True, ()),
        ("made", False, ()),
        ("note", True, ()),
    ]
    assert schema.field("b").default == 2.0 and type(schema.field("b").default) is float  # type: ignore[union-attr]
    point = Schema.of(PointDict)
    assert point.check({"x": 1}) == [] and point.check({"x": 1, "y": None}) != []


def dataclass_here(cls: Any) -> Any:
    """A class within a function under deferred annotations: names are looked up here."""
    cls.__annotations__ = {
        "a": int, "b": Annotated[float, Alias("c", "d")], "tags": list[str], "made": list[int],
        "note": str | None,
    }  # fmt: skip
    return cls


def test_constraints_of_pydantic_and_msgspec_say_what_they_can():
    class Model(pydantic.BaseModel):
        price: D = pydantic.Field(max_digits=6, decimal_places=2)
        at: pydantic.AwareDatetime
        local: pydantic.NaiveDatetime

    class Struct(msgspec.Struct, rename="camel"):
        unit_price: float
        at: Annotated[dt.datetime, msgspec.Meta(tz=False)]

    assert str(schema_of(Model)) == (
        "Model(price: decimal(6, 2), at: timestamp with a zone, local: timestamp without a zone)"
    )
    assert [f.name for f in schema_of(Struct).fields] == ["unitPrice", "at"]
    with Log.memory() as log:
        log.create_topic("t", schema=Struct)
        given = Struct(unit_price=1.5, at=dt.datetime(2026, 1, 1))
        log.append("t", [given, given])
        assert next(log.read("t")).value["unitPrice"] == 1.5
        assert [r.value for r in log.read("t", rows=Struct)] == [given, given]


class Odd:
    pass


@pytest.mark.parametrize(
    "annotation",
    [complex, Odd, dict[int, str], list[Odd], Literal[b"x"] | Odd, "Nowhere"],
    ids=str,
)
def test_what_no_schema_can_say_is_refused_with_its_place(annotation: Any):
    cls = dataclass(type("Row", (), {"__annotations__": {"fine": int, "odd": annotation}}))
    with pytest.raises(ConfigError, match="Row"):
        schema_of(cls)


# Documents.


@given(drawn.with_defaults())
def test_json_schema_is_its_own_inverse_and_a_valid_document(schema: Schema):
    document = json.loads(json.dumps(to_json_schema(schema)))
    jsonschema.Draft202012Validator.check_schema(document)
    assert schema_of_json(document).fingerprint == schema.fingerprint


@given(drawn.schemas.flatmap(lambda one: drawn.values(one.root, one.names).map(lambda r: (one, r))))
def test_rows_as_json_are_valid_by_the_document(found: tuple[Schema, Any]):
    schema, row = found
    text = json.dumps(to_json(row), allow_nan=True)
    if "NaN" in text or "Infinity" in text:
        return  # JSON has no number for them
    jsonschema.Draft202012Validator(to_json_schema(schema)).validate(json.loads(text))


def test_a_json_schema_as_people_write_them():
    schema = schema_of({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Order", "type": "object", "additionalProperties": False,
        "required": ["id", "at", "lines"],
        "properties": {
            "id": {"type": "string", "format": "uuid"},
            "at": {"type": "string", "format": "date-time"},
            "day": {"type": ["string", "null"], "format": "date"},
            "state": {"enum": ["open", "done"]},
            "lines": {"type": "array", "items": {"$ref": "#/$defs/Line"}},
            "gift": {"$ref": "#/$defs/Line"},
            "notes": {"type": "object", "additionalProperties": {"type": "string"}},
            "count": {"type": "integer", "minimum": 0, "default": 1},
        },
        "$defs": {"Line": {"type": "object", "additionalProperties": False,
                           "properties": {"n": {"type": "integer"}}, "required": ["n"]}},
    })  # fmt: skip
    types = {one.name: str(one.type) for one in schema.fields}
    assert types["id"] == "uuid" and types["day"] == "date or null"
    assert types["notes"] == "map of string" and types["state"] == "one of open, done"
    assert (schema.field("id").type, schema.field("count").default) == (Uuid(), 1)  # type: ignore[union-attr]
    row = {
        "id": UUID(int=1), "at": TOKYO, "day": None, "lines": [{"n": 1}], "gift": {"n": 2},
    }  # fmt: skip
    with Log.memory() as log:
        log.create_topic("orders", schema=schema)
        log.append("orders", [row])
        assert [r.value for r in log.read("orders")] == [row | {"count": 1}]
        with pytest.raises(SchemaViolation, match=r"lines\[0\]"):
            log.append("orders", [{**row, "lines": [{"n": "1"}]}])


@given(drawn.schemas.flatmap(lambda one: drawn.values(one.root, one.names).map(lambda r: (one, r))))
def test_rows_that_fit_an_avro_schema_are_taken_by_fastavro_and_come_back_as_they_were(
    found: tuple[Schema, Any],
):
    schema, row = found
    document = schema.to_dict()
    # Avro has no duration of this kind; of a union fastavro tries branches that do not fit.
    if not any(isinstance(one, Duration | Union) for one in walk(schema.root)):
        fastavro.schemaless_writer(io.BytesIO(), document, row)  # it takes what we take
    again = Schema.from_dict(document)
    with Log.memory() as log:
        log.create_topic("t", schema=again)
        log.append("t", [row])
        (record,) = log.read("t")
        assert again.check(record.value) == []
        assert repr(record.value) == repr(row)


# Protobuf.


def message_class() -> Any:
    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="orders.proto", package="shop", syntax="proto3",
        dependency=["google/protobuf/timestamp.proto"],
    )  # fmt: skip
    side = file.enum_type.add(name="Side")
    for number, name in enumerate(["UNKNOWN", "BUY", "SELL"]):
        side.value.add(name=name, number=number)
    order = file.message_type.add(name="Order")

    def add(name: str, number: int, kind: int, **more: Any) -> Any:
        return order.field.add(
            name=name, number=number, type=kind, label=more.pop("label", 1), **more
        )

    add("id", 1, kinds.TYPE_INT64)
    add("note", 2, kinds.TYPE_STRING, proto3_optional=True, oneof_index=0)
    order.oneof_decl.add(name="_note")
    add("side", 3, kinds.TYPE_ENUM, type_name=".shop.Side")
    add("tags", 4, kinds.TYPE_STRING, label=3)
    add("at", 5, kinds.TYPE_MESSAGE, type_name=".google.protobuf.Timestamp")
    entry = order.nested_type.add(name="ByEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=kinds.TYPE_STRING, label=1)
    entry.field.add(name="value", number=2, type=kinds.TYPE_DOUBLE, label=1)
    add("by", 6, kinds.TYPE_MESSAGE, label=3, type_name=".shop.Order.ByEntry")
    add("parent", 7, kinds.TYPE_MESSAGE, type_name=".shop.Order")
    add("big", 8, kinds.TYPE_UINT64)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(timestamp_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("shop.Order"))


def test_messages_go_in_as_rows_with_what_they_say_and_their_defaults():
    order = message_class()
    schema = schema_of(order)
    assert schema.field("tags").type == List(schema.field("note").type.branches[-1])  # type: ignore[union-attr]
    assert isinstance(schema.field("by").type, Map) and schema.field("id").type == Int()  # type: ignore[union-attr]
    made = order(id=7, side=2, tags=["a"], by={"k": 0.5}, parent=order(id=8))
    made.at.FromDatetime(dt.datetime(2026, 1, 2, tzinfo=dt.UTC))
    with Log.memory() as log:
        log.create_topic("orders", key="id", schema=order)
        log.append("orders", [made, order()])
        first, second = (record.value for record in log.read("orders"))
        assert first["side"] == "SELL" and first["note"] is None and first["by"] == {"k": 0.5}
        assert first["at"] == dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
        assert first["parent"]["id"] == 8 and first["parent"]["parent"] is None
        assert second == {
            "id": 0, "note": None, "side": "UNKNOWN", "tags": [], "at": None, "by": {},
            "parent": None, "big": 0,
        }  # fmt: skip
        with pytest.raises(SchemaViolation, match="'big'"):
            log.append("orders", [order(big=1 << 63)])
    assert schema_of(order.DESCRIPTOR) == schema
