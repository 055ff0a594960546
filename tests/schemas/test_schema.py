"""A schema takes exactly the values of its types, and is itself again from its document."""

from __future__ import annotations

import datetime as dt
import json
import math
from decimal import Decimal as D
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st
from schemas import drawn

from kappa.codec import decode, encode
from kappa.errors import ConfigError
from kappa.schemas import (
    Anything,
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
    Record,
    Ref,
    Schema,
    String,
    Time,
    Timestamp,
    Type,
    Union,
    Uuid,
    optional,
)

UTC = dt.UTC
NOON = dt.datetime(2026, 1, 2, 12, tzinfo=UTC)
FITS: list[tuple[Type, list[Any], list[Any]]] = [
    (Bool(), [True, False], [0, 1, None, "true"]),
    (Int(32), [0, (1 << 31) - 1, -(1 << 31)], [1 << 31, -(1 << 31) - 1, True, 1.0, "1"]),
    (Int(), [(1 << 63) - 1, -(1 << 63)], [1 << 63, -(1 << 63) - 1, False, None]),
    (Float(), [0.5, math.nan, -math.inf, 3, 1 << 60], ["1.0", True, (1 << 53) + 1, 10**400]),
    (Float(32), [0.5, math.nan, math.inf, 3], [0.1, 1e300, (1 << 24) + 1]),
    (String(), ["", "x"], [b"x", 1, None]),
    (Bytes(), [b""], ["", bytearray()]),
    (Fixed("F", 2), [b"ab"], [b"a", b"abc", "ab"]),
    (Uuid(), [UUID(int=1)], [str(UUID(int=1))]),
    (Date(), [dt.date(1, 1, 1)], [NOON, "2026-01-02"]),
    (Time(), [dt.time(1, 2, 3, 4)], [dt.time(1, tzinfo=UTC), "01:02"]),
    (Time("ms"), [dt.time(1, 2, 3, 4000)], [dt.time(1, 2, 3, 4)]),
    (Timestamp(), [NOON, NOON.astimezone(ZoneInfo("Asia/Tokyo"))], [NOON.replace(tzinfo=None), 1]),
    (Timestamp(unit="ms"), [NOON.replace(microsecond=5000)], [NOON.replace(microsecond=5)]),
    (Timestamp(zone=False), [NOON.replace(tzinfo=None)], [NOON, dt.date(2026, 1, 2)]),
    (Duration(), [dt.timedelta(-1)], [1.0]),
    (Decimal(4, 2), [D("99.99"), D("-0.01"), D("1E+1"), D(0)], [D("100"), D("0.001"), D("Inf")]),
    (Decimal(2), [D("99"), D("-7")], [D("100"), D("1.0"), 7]),
    (Enum("E", ("a", "b")), ["a", "b"], ["c", "", None]),
    (List(Int()), [[], [1]], [(1,), [1, None], {1}]),
    (Map(Int()), [{}, {"a": 1}], [{1: 1}, {"a": "1"}, [("a", 1)]]),
    (optional(Int()), [None, 1], ["1", 1.5]),
    (Union((String(), List(String()))), ["a", ["a"]], [[1], 1]),
    (Anything(), [None, 1, {"a": object}], []),
]


@pytest.mark.parametrize(("type_", "good", "bad"), FITS, ids=lambda one: str(one)[:30])
def test_a_type_takes_its_values_and_no_others(type_: Type, good: list[Any], bad: list[Any]):
    schema = Schema(type_)
    assert [schema.check(value) for value in good] == [[] for _ in good]
    assert [value for value in bad if not schema.check(value)] == []


def test_every_place_that_is_wrong_is_named():
    point = Record("Point", (Field("x", Int()), Field("y", Int(), default=0)))
    schema = Schema.record(
        "Track", [Field("points", List(point)), Field("by", Map(point)), Field("end", point)]
    )
    row = {
        "points": [{"x": 1}, {"x": "1"}, {"y": 2}],
        "by": {"k": {"x": 1, "z": 3}},
        "more": 1,
    }
    assert [(one.field, one.expected, one.got) for one in schema.check(row)] == [
        ("points[1].x", "int64", "str '1'"),
        ("points[2].x", "int64", "no such field"),
        ("by['k'].z", "no such field", "int 3"),
        ("end", "record Point", "no such field"),
        ("more", "no such field", "int 1"),
    ]
    assert "row 7" in str(schema.check(row, number=7)[0])


def test_an_open_record_takes_other_fields_and_a_field_may_be_left_out():
    fields = [Field("a", Int()), Field("b", Int(), required=False)]
    closed, opened = Schema.record("R", fields), Schema.record("R", fields, open=True)
    assert not closed.check({"a": 1}) and not closed.check({"a": 1, "b": 2})
    assert closed.check({"a": 1, "c": 2}) and not opened.check({"a": 1, "c": 2})
    assert closed.check({"a": 1, "b": None}), "without it is not None"


def test_a_record_may_hold_others_of_its_kind():
    tree = Schema.record("Tree", [Field("n", Int()), Field("kids", List(Ref("Tree")))])
    assert not tree.check({"n": 1, "kids": [{"n": 2, "kids": []}]})
    (problem,) = tree.check({"n": 1, "kids": [{"n": 2, "kids": [{"n": 3}]}]})
    assert problem.field == "kids[0].kids[0].kids"
    assert Schema.from_dict(tree.to_dict()) == tree
    deep: dict[str, Any] = {"n": 0, "kids": []}
    for _ in range(300):
        deep = {"n": 0, "kids": [deep]}
    assert "levels" in str(tree.check(deep)[0])


def test_one_type_in_two_places_is_one_and_two_of_one_name_are_refused():
    inner = Record("Inner", (Field("x", Int()),))
    outer = Record("Outer", (Field("i", inner),))
    schema = Schema.record("R", [Field("a", inner), Field("b", inner), Field("c", outer)])
    again = Schema.record("R", [Field("c", outer), Field("a", inner), Field("b", outer)])
    for one in (schema, again):
        assert Schema.from_dict(one.to_dict()) == one
        fastavro.parse_schema(one.to_dict())
    other = Record("Inner", (Field("x", String()),))
    with pytest.raises(ConfigError, match="two things of 'Inner'"):
        Schema.record("R", [Field("a", inner), Field("b", other)])


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"type": "record", "name": "R", "fields": [{"name": "a", "type": "lng"}]}, "'lng'"),
        ({"type": "record", "name": "R", "fields": [{"name": "a"}]}, "field 'a': 'type'"),
        ({"type": "record", "fields": []}, "'name' is missing"),
        ({"type": "enum", "name": "E", "symbols": ["a", "a"]}, "different symbols"),
        ({"type": "enum", "name": "E", "symbols": "ab"}, "must be a list"),
        ({"type": "fixed", "name": "F", "size": -1}, "size"),
        ({"type": "bytes", "logicalType": "decimal", "precision": 2, "scale": 3}, "scale"),
        ({"type": "bytes", "logicalType": "decimal"}, "precision"),
        (
            {
                "type": "record",
                "name": "R",
                "fields": [{"name": "a", "type": "int", "default": ""}],
            },
            "no default of type int32",
        ),
        (["int", ["string"]], "union"),
        (7, "no schema"),
    ],
)
def test_what_is_no_schema_is_refused_with_its_place(document: Any, message: str):
    with pytest.raises(ConfigError, match=message):
        Schema.from_dict(document)


def test_a_document_without_end_is_refused():
    document: Any = "int"
    for _ in range(70):
        document = {"type": "array", "items": document}
    with pytest.raises(ConfigError, match="deeper than 64"):
        Schema.from_dict(document)


def test_names_follow_their_namespaces_as_in_avro():
    document = {
        "type": "record",
        "name": "a.b.R",
        "fields": [
            {"name": "e", "type": {"type": "enum", "name": "E", "symbols": ["x"]}},
            {"name": "f", "type": "E"},
            {"name": "g", "type": {"type": "fixed", "name": "F", "namespace": "", "size": 1}},
        ],
    }
    schema = Schema.from_dict(document)
    assert (
        set(schema.names)
        == {"a.b.R", "a.b.E", "F"}
        == set(fastavro.schema.parse_schema(document)["__named_schemas"])
    )
    assert Schema.from_dict(schema.to_dict()) == schema


def test_the_fingerprint_stays_and_documentation_is_no_part_of_it():
    schema = Schema.record("R", [Field("a", Int(), default=1, aliases=("b",))])
    assert schema.fingerprint == "f20c6a8294d514f3ac3a81498e8dbd69"
    noted = Schema.record("R", [Field("a", Int(), default=1, aliases=("b",), doc="x")], doc="y")
    assert noted.fingerprint == schema.fingerprint and noted != schema
    others = [
        Schema.record("R", [Field("a", Int(), default=2, aliases=("b",))]),
        Schema.record("R", [Field("a", Int(), default=1)]),
        Schema.record("R", [Field("a", Int(), default=1, aliases=("b",), required=False)]),
        Schema.record("R", [Field("a", Int(), default=1, aliases=("b",))], open=True),
    ]
    assert len({one.fingerprint for one in (schema, *others)}) == 5


@given(drawn.with_defaults())
def test_a_schema_is_itself_again_from_json(schema: Schema):
    again = Schema.from_dict(json.loads(json.dumps(schema.to_dict())))
    assert again.fingerprint == schema.fingerprint
    assert again.to_dict() == schema.to_dict()


@given(drawn.with_defaults())
def test_its_document_is_an_avro_schema(schema: Schema):
    fastavro.parse_schema(schema.to_dict())


@given(st.data(), drawn.schemas)
def test_rows_that_fit_are_stored_as_they_are(data: st.DataObject, schema: Schema):
    row = data.draw(drawn.values(schema.root, schema.names))
    assert schema.check(row) == []
    stored = encode(row)
    assert encode(decode(stored)) == stored
