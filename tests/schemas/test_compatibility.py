"""The rules of Avro's schema resolution, case by case, against two other implementations.

Whether a schema can be read through another is asked of the `avro` package's checker, what a
row becomes of `fastavro`'s reader, which knows nothing of ours but the JSON of the schemas.
"""

from __future__ import annotations

import io
import json
import math
from typing import Any

import fastavro
import pytest
from avro.compatibility import (
    ReaderWriterCompatibilityChecker,
    SchemaCompatibilityType,
)
from avro.schema import parse
from hypothesis import given, settings
from hypothesis import strategies as st
from schemas import drawn

from kappa.errors import ConfigError
from kappa.schemas import (
    MISSING,
    Break,
    Enum,
    Field,
    Fixed,
    Float,
    Int,
    List,
    Map,
    Null,
    Record,
    Schema,
    String,
    Type,
    Union,
    breaks,
    conflicts,
)
from kappa.schemas.resolution import Resolution
from kappa.schemas.types import walk

PRIMITIVES = ["null", "boolean", "int", "long", "float", "double", "bytes", "string"]
VALUES: dict[str, Any] = {
    "null": None, "boolean": True, "int": 7, "long": 1 << 40, "float": 0.5, "double": 0.1,
    "bytes": b"ab", "string": "ab",
}  # fmt: skip
PROMOTIONS = {
    ("int", "long"), ("int", "float"), ("int", "double"), ("long", "float"), ("long", "double"),
    ("float", "double"), ("string", "bytes"), ("bytes", "string"),
}  # fmt: skip


def through_fastavro(writer: Any, reader: Any, row: Any) -> Any:
    """What fastavro's reader makes of a row; it raises where it cannot."""
    file = io.BytesIO()
    fastavro.schemaless_writer(file, writer, row)
    file.seek(0)
    return fastavro.schemaless_reader(file, writer, reader)


def avro_says(writer: Any, reader: Any) -> bool:
    found = ReaderWriterCompatibilityChecker().get_compatibility(
        parse(json.dumps(reader)), parse(json.dumps(writer))
    )
    return found.compatibility is SchemaCompatibilityType.compatible


def same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return one == other or (math.isnan(one) and math.isnan(other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and bool(one == other)


@pytest.mark.parametrize("writer", PRIMITIVES)
@pytest.mark.parametrize("reader", PRIMITIVES)
def test_promotions_are_those_of_the_specification(writer: str, reader: str):
    expected = writer == reader or (writer, reader) in PROMOTIONS
    old, new = Schema.from_dict(writer), Schema.from_dict(reader)
    assert (not conflicts(old, new)) is expected is avro_says(writer, reader)
    if expected:
        ours = Resolution(old, new).row(VALUES[writer])
        assert same(ours, through_fastavro(writer, reader, VALUES[writer]))
    else:
        with pytest.raises(fastavro.read.SchemaResolutionError):
            through_fastavro(writer, reader, VALUES[writer])


def record(*fields: Any, name: str = "R", **more: Any) -> dict[str, Any]:
    made = [{"name": one[0], "type": one[1], **(one[2] if one[2:] else {})} for one in fields]
    return {"type": "record", "name": name, "fields": made, **more}


def enum(*symbols: str, name: str = "E", **more: Any) -> dict[str, Any]:
    return {"type": "enum", "name": name, "symbols": list(symbols), **more}


def fixed(size: int, name: str = "F", **more: Any) -> dict[str, Any]:
    return {"type": "fixed", "name": name, "size": size, **more}


INNER = record(("x", "int"), name="Inner")
LIST = record(("n", "long"), ("next", ["null", "List"]), name="List")
LIST_MORE = record(
    ("n", "double"), ("next", ["null", "List"]), ("tag", "string", {"default": "-"}), name="List"
)

# name, writer, reader, whether it can be read, a row (of the kind that cannot, where not)
CASES: list[tuple[str, Any, Any, bool, Any]] = [
    ("order of fields", record(("a", "int"), ("b", "string")),
     record(("b", "string"), ("a", "int")), True, {"a": 1, "b": "x"}),
    ("a field of the writer's is ignored", record(("a", "int"), ("b", "string")),
     record(("a", "int")), True, {"a": 1, "b": "x"}),
    ("a new field with a default", record(("a", "int")),
     record(("a", "int"), ("b", "int", {"default": 5})), True, {"a": 1}),
    ("a new field without one", record(("a", "int")), record(("a", "int"), ("b", "int")),
     False, {"a": 1}),
    ("a new field that may be null, without a default", record(("a", "int")),
     record(("a", "int"), ("b", ["null", "int"])), False, {"a": 1}),
    ("a new field that is null by default", record(("a", "int")),
     record(("a", "int"), ("b", ["null", "int"], {"default": None})), True, {"a": 1}),
    ("a new field with a list as default", record(("a", "int")),
     record(("b", {"type": "array", "items": "int"}, {"default": [1]})), True, {"a": 1}),
    ("a promoted field", record(("a", "int")), record(("a", "double")), True, {"a": 1}),
    ("a narrowed field", record(("a", "long")), record(("a", "int")), False, {"a": 1}),
    ("a field by its alias", record(("a", "int")), record(("b", "int", {"aliases": ["a"]})),
     True, {"a": 1}),
    ("a field by its alias, promoted", record(("a", "int")),
     record(("b", "double", {"aliases": ["z", "a"]})), True, {"a": 1}),
    ("a field renamed without an alias", record(("a", "int")), record(("b", "int")), False,
     {"a": 1}),
    ("the writer's alias is nothing to the reader", record(("b", "int", {"aliases": ["a"]})),
     record(("a", "int")), False, {"b": 1}),
    ("a record renamed", record(("a", "int")), record(("a", "int"), name="S"), False, {"a": 1}),
    ("a record renamed with an alias", record(("a", "int")),
     record(("a", "int"), name="S", aliases=["R"]), True, {"a": 1}),
    ("a record in another namespace", record(("a", "int"), name="x.R"),
     record(("a", "int"), name="y.R"), True, {"a": 1}),
    ("a record within", record(("i", INNER)),
     record(("i", record(("x", "double"), ("y", "int", {"default": 2}), name="Inner"))),
     True, {"i": {"x": 1}}),
    ("a record within that lacks a field", record(("i", INNER)),
     record(("i", record(("x", "int"), ("y", "int"), name="Inner"))), False, {"i": {"x": 1}}),
    ("records within records of their kind", LIST, LIST_MORE, True,
     {"n": 1, "next": {"n": 2, "next": None}}),
    ("fewer symbols", record(("e", enum("a", "b"))), record(("e", enum("a"))), False, {"e": "b"}),
    ("fewer symbols and a default", record(("e", enum("a", "b", "c"))),
     record(("e", enum("a", "b", default="a"))), True, {"e": "c"}),
    ("more symbols", record(("e", enum("a"))), record(("e", enum("a", "b"))), True, {"e": "a"}),
    ("symbols in another order", record(("e", enum("a", "b"))), record(("e", enum("b", "a"))),
     True, {"e": "a"}),
    ("an enum renamed", record(("e", enum("a"))), record(("e", enum("a", name="G"))), False,
     {"e": "a"}),
    ("an enum renamed with an alias", record(("e", enum("a"))),
     record(("e", enum("a", name="G", aliases=["E"]))), True, {"e": "a"}),
    ("an enum is no text", record(("e", enum("a"))), record(("e", "string")), False, {"e": "a"}),
    ("fixed", record(("f", fixed(2))), record(("f", fixed(2))), True, {"f": b"ab"}),
    ("fixed of another size", record(("f", fixed(2))), record(("f", fixed(3))), False,
     {"f": b"ab"}),
    ("fixed of another name", record(("f", fixed(2))), record(("f", fixed(2, "G"))), False,
     {"f": b"ab"}),
    ("fixed is not bytes", record(("f", fixed(2))), record(("f", "bytes")), False, {"f": b"ab"}),
    ("lists by their items", {"type": "array", "items": "int"}, {"type": "array", "items": "long"},
     True, [1, 2]),
    ("lists whose items differ", {"type": "array", "items": "int"},
     {"type": "array", "items": "string"}, False, [1]),
    ("maps by their values", {"type": "map", "values": "int"}, {"type": "map", "values": "double"},
     True, {"k": 1}),
    ("maps whose values differ", {"type": "map", "values": "int"},
     {"type": "map", "values": "bytes"}, False, {"k": 1}),
    ("a list is no map", {"type": "array", "items": "int"}, {"type": "map", "values": "int"},
     False, [1]),
    ("into a union", "int", ["null", "int"], True, 1),
    ("into a union, promoted", "int", ["null", "double"], True, 1),
    ("into a union without it", "int", ["null", "string"], False, 1),
    ("out of a union", ["int", "long"], "long", True, 1),
    ("out of a union with more", ["null", "int"], "int", False, None),
    ("a union with more branches", ["null", "int"], ["null", "string", "int"], True, 1),
    ("a union with fewer branches", ["null", "int", "string"], ["null", "int"], False, "x"),
    ("a union in another order", ["null", "int"], ["int", "null"], True, None),
    ("a union of promoted branches", ["null", "int"], ["null", "double"], True, 3),
    ("records in a union by name", ["null", INNER],
     ["null", record(("x", "long"), ("y", "int", {"default": 1}), name="Inner")], True, {"x": 1}),
    ("a list of a union", {"type": "array", "items": "int"},
     {"type": "array", "items": ["null", "long"]}, True, [1]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("writer", "reader", "expected", "row"), [one[1:] for one in CASES], ids=[c[0] for c in CASES]
)
def test_the_rules_one_by_one(writer: Any, reader: Any, expected: bool, row: Any):
    old, new = Schema.from_dict(writer), Schema.from_dict(reader)
    assert not old.check(row)
    found = conflicts(old, new)
    assert (not found) is expected is avro_says(writer, reader), [str(one) for one in found]
    if expected:
        ours = Resolution(old, new).row(row)
        assert same(ours, through_fastavro(writer, reader, row))
        assert not new.check(ours)
    else:
        with pytest.raises(fastavro.read.SchemaResolutionError):
            through_fastavro(writer, reader, row)


# Any two schemas over one vocabulary.

PLAIN = [Null(), Int(32), Int(), Float(32), Float(), String()]
enums = st.builds(
    lambda symbols, has_default: Enum("E", tuple(symbols), symbols[0] if has_default else None),
    st.lists(st.sampled_from("abc"), min_size=1, unique=True),
    st.booleans(),
)
singles = st.one_of(
    st.sampled_from(PLAIN), enums, st.builds(Fixed, st.just("F"), st.integers(1, 2))
)


@st.composite
def fields(draw: st.DrawFn, type_: Type) -> Field:
    name = draw(st.sampled_from("pqr"))
    alias = draw(st.sampled_from([(), (), ("p",), ("q",)]))
    # fastavro hands out the JSON of a default of bytes as it is, so none is drawn.
    has_bytes = any(isinstance(one, Fixed) for one in walk(type_))
    default = draw(st.just(MISSING) if has_bytes else st.just(MISSING) | drawn.values(type_))
    return Field(name, type_, default, aliases=tuple(one for one in alias if one != name))


def shapes(inner: st.SearchStrategy[Type]) -> st.SearchStrategy[Type]:
    return st.one_of(inner, inner.map(List), inner.map(Map), drawn.unions(inner))


nested = st.builds(
    lambda made: Record("N", tuple(made)),
    st.lists(singles.flatmap(fields), max_size=2, unique_by=lambda field: field.name),
)


@st.composite
def rows_schemas(draw: st.DrawFn) -> Schema:
    made = draw(
        st.lists(
            shapes(singles | nested).flatmap(fields),
            min_size=1,
            max_size=3,
            unique_by=lambda field: field.name,
        )
    )
    try:
        return Schema.record("R", made)
    except ConfigError:  # two enums of one name, or a default that JSON cannot tell
        from hypothesis import reject

        reject()


@settings(max_examples=50)
@given(rows_schemas(), rows_schemas(), st.data())
def test_any_two_schemas_get_the_verdict_of_the_avro_package_and_the_rows_of_fastavro(
    old: Schema, new: Schema, data: st.DataObject
):
    writer, reader = old.to_dict(), new.to_dict()
    found = conflicts(old, new)
    assert (not found) is avro_says(writer, reader), [str(one) for one in found]
    if not found:
        row = data.draw(drawn.values(old.root, old.names))
        ours = Resolution(old, new).row(row)
        assert new.check(ours) == []
        if not (_ambiguous(old, new) or _crossing(writer, reader)):
            assert same(ours, through_fastavro(writer, reader, row))


def _crossing(writer: object, reader: object) -> bool:
    """Aliases beside the names they stand for: we go by names first, fastavro by aliases."""
    names = [{name for name, _ in _fields_of(part)} for part in (writer, reader)]
    return any(
        name in names[0] or alias in names[1]
        for name, aliases in _fields_of(reader)
        for alias in aliases
    )


def _fields_of(part: Any) -> list[tuple[str, list[str]]]:
    """The names and aliases of all fields in a document, of nested records too."""
    if isinstance(part, list):
        return [found for one in part for found in _fields_of(one)]
    if not isinstance(part, dict):
        return []
    own = [(one["name"], one.get("aliases", [])) for one in part.get("fields", [])]
    inner = [part.get("type"), part.get("items"), part.get("values")]
    inner += [one["type"] for one in part.get("fields", [])]
    return own + _fields_of(inner)


def _ambiguous(old: Schema, new: Schema) -> bool:
    """A union of several numbers: we read a value as its own type, fastavro as the first."""
    return any(
        sum(isinstance(branch, Int | Float) for branch in one.branches) > 1
        for schema in (old, new)
        for field in schema.fields
        for one in [field.type]
        if isinstance(one, Union)
    )


# The modes, as Confluent's documentation has them.

BASE = record(("a", "int"), ("b", "int"))
DROP = record(("a", "int"))
ADD = record(("a", "int"), ("b", "int"), ("c", "int"))
ADD_OPTIONAL = record(("a", "int"), ("b", "int"), ("c", "int", {"default": 0}))
BASE_OPTIONAL = record(("a", "int"), ("b", "int", {"default": 0}))
CHANGES = {
    "delete a field": (BASE, DROP),
    "delete an optional field": (BASE_OPTIONAL, DROP),
    "add a field": (BASE, ADD),
    "add an optional field": (BASE, ADD_OPTIONAL),
}
ALLOWED = {
    "BACKWARD": {"delete a field", "delete an optional field", "add an optional field"},
    "FORWARD": {"delete an optional field", "add a field", "add an optional field"},
    "FULL": {"delete an optional field", "add an optional field"},
    "NONE": set(CHANGES),
}


@pytest.mark.parametrize("transitive", ["", "_TRANSITIVE"])
@pytest.mark.parametrize("mode", ALLOWED)
@pytest.mark.parametrize("change", CHANGES)
def test_a_mode_allows_the_changes_that_its_table_says(mode: str, transitive: str, change: str):
    old, new = map(Schema.from_dict, CHANGES[change])
    mode = mode if mode == "NONE" else mode + transitive
    assert (not breaks(new, [(1, old)], mode)) is (change in ALLOWED[mode.split("_")[0]])


def test_only_a_transitive_mode_looks_past_the_last_version():
    versions = [
        (1, Schema.from_dict(record(("a", "int")))),
        (2, Schema.from_dict(record(("a", "int"), ("b", "int", {"default": 0})))),
    ]
    third = Schema.from_dict(record(("a", "int"), ("b", "int")))
    assert breaks(third, versions, "BACKWARD") == []
    problem = "version 1 has no such field, and there is no default"
    assert breaks(third, versions, "BACKWARD_TRANSITIVE") == [Break(1, "backward", "b", problem)]
    assert breaks(third, versions, "FULL_TRANSITIVE") == [Break(1, "backward", "b", problem)]
    back = [(1, third), (2, Schema.from_dict(record(("a", "int"), ("b", "int", {"default": 0}))))]
    gone = Schema.from_dict(record(("a", "int")))
    assert breaks(gone, back, "FORWARD") == []
    assert [(one.version, one.direction) for one in breaks(gone, back, "FORWARD_TRANSITIVE")] == [
        (1, "forward")
    ]


def test_symbols_break_one_direction_or_the_other():
    few, many = record(("e", enum("a"))), record(("e", enum("a", "b")))
    fewer = Schema.from_dict(few), Schema.from_dict(many)
    assert breaks(fewer[0], [(1, fewer[1])], "BACKWARD")
    assert not breaks(fewer[0], [(1, fewer[1])], "FORWARD")
    assert breaks(fewer[1], [(1, fewer[0])], "FORWARD")
    assert not breaks(fewer[1], [(1, fewer[0])], "BACKWARD")


def test_an_unknown_mode_is_refused():
    with pytest.raises(ConfigError, match="BACKWARD_TRANSITIVE"):
        breaks(Schema(Int()), [], "SIDEWARD")


# What Avro leaves open.

LOGICAL = {
    "date": {"type": "int", "logicalType": "date"},
    "time ms": {"type": "int", "logicalType": "time-millis"},
    "time": {"type": "long", "logicalType": "time-micros"},
    "instant ms": {"type": "long", "logicalType": "timestamp-millis"},
    "instant": {"type": "long", "logicalType": "timestamp-micros"},
    "local": {"type": "long", "logicalType": "local-timestamp-micros"},
    "local ms": {"type": "long", "logicalType": "local-timestamp-millis"},
    "uuid": {"type": "string", "logicalType": "uuid"},
    "money": {"type": "bytes", "logicalType": "decimal", "precision": 5, "scale": 2},
    "money 6": {"type": "bytes", "logicalType": "decimal", "precision": 6, "scale": 2},
    "int": "int", "long": "long", "double": "double", "string": "string", "bytes": "bytes",
}  # fmt: skip
READ_AS = {
    "date": {"date", "int", "long", "double"},
    "time ms": {"time ms", "time", "int", "long", "double"},
    "time": {"time", "long", "double"},
    "instant ms": {"instant ms", "instant", "long", "double"},
    "instant": {"instant", "long", "double"},
    "local": {"local", "long", "double"},
    "local ms": {"local ms", "local", "long", "double"},
    "uuid": {"uuid", "string", "bytes"},
    "money": {"money", "bytes"},
    "money 6": {"money 6", "bytes"},
    "int": {"int", "long", "double"},
    "long": {"long", "double"},
    "double": {"double"},
    "string": {"string", "bytes"},
    "bytes": {"bytes", "string"},
}


@pytest.mark.parametrize("writer", LOGICAL)
@given(data=st.data())
def test_a_logical_type_is_read_as_itself_or_as_what_lies_beneath(writer: str, data: st.DataObject):
    old = Schema.from_dict(LOGICAL[writer])
    readable = {name for name in LOGICAL if not conflicts(old, Schema.from_dict(LOGICAL[name]))}
    assert readable == READ_AS[writer]
    value = data.draw(drawn.values(old.root, old.names))
    if writer == "bytes":
        value = value.decode("latin-1").encode()
    for name in readable:
        new = Schema.from_dict(LOGICAL[name])
        made = Resolution(old, new).row(value)
        assert new.check(made) == []
        # Avro's reader takes the number beneath: the plain value that fastavro reads.
        if isinstance(LOGICAL[name], str) and writer != "bytes":
            beneath = LOGICAL[writer]["type"] if isinstance(LOGICAL[writer], dict) else writer
            plain = through_fastavro(LOGICAL[writer], None, value)
            file = io.BytesIO()
            fastavro.schemaless_writer(file, LOGICAL[writer], plain)
            file.seek(0)
            theirs = fastavro.schemaless_reader(file, beneath, LOGICAL[name])
            if writer.startswith("money"):  # -1.28 is ff80 to fastavro, and 80 to Java and us
                made, theirs = (int.from_bytes(one, signed=True) for one in (made, theirs))
            assert same(made, theirs)


def test_rows_of_an_open_record_may_hide_a_field_that_is_added():
    old = Schema.record("R", [Field("a", Int())], open=True)
    new = Schema.record("R", [Field("a", Int()), Field("b", Int(), default=0)])
    assert "any type" in conflicts(old, new)[0].problem
    assert Resolution(old, Schema.record("R", [Field("a", Int())])).row({"a": 1, "z": 2}) == {
        "a": 1
    }


def test_a_field_that_rows_may_lack_needs_a_default_or_may_go_on_lacking():
    old = Schema.record("R", [Field("a", Int(), required=False)])
    assert conflicts(old, Schema.record("R", [Field("a", Int())]))
    filled = Resolution(old, Schema.record("R", [Field("a", Int(), default=9)]))
    assert [filled.row({}), filled.row({"a": 1})] == [{"a": 9}, {"a": 1}]
    lacking = Resolution(old, Schema.record("R", [Field("a", Float(), required=False)]))
    assert [lacking.row({}), lacking.row({"a": 1})] == [{}, {"a": 1.0}]


def test_a_default_that_can_be_changed_is_each_rows_own():
    new = Schema.record("R", [Field("a", List(Int()), default=[])])
    made = Resolution(Schema.record("R", []), new).columns({}, 2)["a"]
    made[0].append(1)
    assert made == [[1], []]


@settings(max_examples=50)
@given(rows_schemas(), rows_schemas(), st.data())
def test_columns_come_out_as_their_rows_do(old: Schema, new: Schema, data: st.DataObject):
    resolution = Resolution(old, new)
    if not resolution.possible:
        return
    rows = data.draw(st.lists(drawn.values(old.root, old.names), min_size=1, max_size=3))
    wanted = data.draw(st.none() | st.sets(st.sampled_from("pqr")))
    sources = resolution.sources(wanted)
    columns = {
        field.name: [row[field.name] for row in rows]
        for field in old.fields
        if sources is None or field.name in sources
    }
    made = resolution.columns(columns, len(rows), wanted)
    expected = [resolution.row(row) for row in rows]
    for name, column in made.items():
        if wanted is None or name in wanted:
            assert same(column, [row[name] for row in expected])
    asked = {f.name for f in new.fields} & (wanted if wanted is not None else set("pqr"))
    assert asked <= set(made)
