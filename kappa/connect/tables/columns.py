"""The columns of a table: their names and types, as a sink's schema says or a first file shows.

A type is kept as text ("int64", "decimal128(10, 2)", "timestamp[us, tz=UTC]") or, where it
has parts, as a tuple: ("list", item), ("map", value), ("struct", columns). So a schema can
be compared, printed, kept in a ledger, and made without pyarrow.

Law: `kind_of(arrow_type(kind)) == kind`. Large lists become lists, dictionaries their values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from kappa.errors import ConfigError, MissingExtra
from kappa.schemas import (
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
    Schema,
    String,
    Time,
    Timestamp,
    Type,
    Union,
    Uuid,
    schema_of,
)

Kind: TypeAlias = "str | tuple[Any, ...]"

TYPES: Mapping[str, str] = {
    "bool": "bool",
    "int": "int64",
    "float": "double",
    "str": "string",
    "bytes": "binary",
    "date": "date32[day]",
    "time": "time64[us]",
    "datetime": "timestamp[us, tz=UTC]",
    "timestamp": "timestamp[ms, tz=UTC]",
    "duration": "duration[us]",
    "uuid": "string",
}
"""Names of types as kappa's users write them; "timestamp" takes milliseconds or datetimes."""

DIGITS = 38
"""Of a decimal128; more make it a decimal256."""

MAX_DIGITS = 76
UUID_TEXT = "extension<arrow.uuid>"

_DECIMAL = re.compile(r"decimal(?:128|256)?\((\d+), ?(\d+)\)")
_ZONED = re.compile(r"timestamp\[(s|ms|us|ns), ?tz=(.+)\]")
_FIXED = re.compile(r"fixed_size_binary\[(\d+)\]")

_PLAIN: Mapping[type[Type], Kind] = {
    Bool: "bool",
    String: "string",
    Bytes: "binary",
    Uuid: "string",
    Date: "date32[day]",
    Duration: "duration[us]",
    Enum: "string",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, its type, and whether a row may do without a value."""

    name: str
    kind: Kind
    nullable: bool = True


Columns: TypeAlias = tuple[Column, ...]


def columns_of(schema: Any) -> Columns:
    """The columns that a sink's `schema=` says.

    Args:
        schema: types by name; a schema of Arrow's; or a schema of rows, or what one is made of:
            a class, a document. A field of any type at all is left to the table's first file.

    Raises:
        ConfigError: there is no such type, or none that a column can have.
    """
    if isinstance(schema, tuple):
        return schema
    if isinstance(schema, Mapping) and not _is_document(schema):
        return tuple(Column(str(name), _named(name, kind)) for name, kind in schema.items())
    if _is_arrow(schema, "Schema"):
        return tuple(Column(one.name, kind_of(one.type), one.nullable) for one in schema)
    rows = schema if isinstance(schema, Schema) else schema_of(schema)
    if not isinstance(rows.root, Record):
        raise ConfigError(f"a table's schema has fields; {rows} has none")
    return _fields(rows.root, rows, frozenset())


def columns_known(schema: Schema) -> Columns:
    """The fields of a topic's rows that can be columns; the others go by their values."""
    found: list[Column] = []
    for one in schema.fields:
        try:
            found += _fields(Record(schema.name, (one,)), schema, frozenset())
        except ConfigError:
            continue
    return tuple(found)


def _is_document(schema: Mapping[str, Any]) -> bool:
    """Whether a mapping is a schema in Avro's form, and not types by name."""
    return schema.get("type") == "record" and isinstance(schema.get("fields"), list)


def plain(columns: Columns) -> list[list[Any]]:
    """Columns as lists and text, for a ledger."""
    return [[one.name, _listed(one.kind), one.nullable] for one in columns]


def columns_from(plain: Iterable[Sequence[Any]]) -> Columns:
    """The columns that `plain` gave."""
    return tuple(Column(name, _tupled(kind), nullable) for name, kind, nullable in plain)


def _listed(kind: Kind) -> Any:
    return [_listed(part) for part in kind] if isinstance(kind, tuple) else kind


def _tupled(kind: Any) -> Any:
    return tuple(_tupled(part) for part in kind) if isinstance(kind, list | tuple) else kind


def _named(name: Any, kind: Any) -> Kind:
    try:
        if isinstance(kind, str):
            return kind_of(arrow_type(kind))
        if isinstance(kind, Type):
            return _of_type(kind, Schema(kind), frozenset())
        if _is_arrow(kind, "DataType"):
            return kind_of(kind)
    except ConfigError as error:
        raise ConfigError(f"column {name!r}: {error}") from None
    raise ConfigError(
        f"column {name!r}: {kind!r} is no type: give one of {', '.join(TYPES)}, or one of"
        " kappa.schemas or Arrow"
    )


def _is_arrow(value: object, name: str) -> bool:
    return any(
        one.__name__ == name and one.__module__.startswith("pyarrow") for one in type(value).__mro__
    )


# Types of kappa.schemas.


def _fields(record: Record, schema: Schema, above: frozenset[str]) -> tuple[Column, ...]:
    if record.name in above:
        raise ConfigError(f"no column can hold {record}, which holds others of its kind")
    found = []
    for one in record.fields:
        if not above and isinstance(schema.resolved(one.type), Anything):
            continue
        try:
            kind = _of_type(one.type, schema, above | {record.name})
        except ConfigError as error:
            raise ConfigError(f"field {one.name!r} of {_about(record, above)}: {error}") from None
        found.append(Column(one.name, kind, one.absent or _is_nullable(one.type)))
    return tuple(found)


def _about(record: Record, above: frozenset[str]) -> str:
    return f"record {record.name}" if above else f"schema {record.name}"


def _is_nullable(type_: Type) -> bool:
    return isinstance(type_, Null) or (isinstance(type_, Union) and type_.nullable)


def _of_type(type_: Type, schema: Schema, above: frozenset[str]) -> Kind:
    type_ = schema.resolved(type_)
    found = _PLAIN.get(type(type_)) or _of_number(type_)
    if found is not None:
        return found
    if isinstance(type_, Fixed):
        return f"fixed_size_binary[{type_.size}]"
    if isinstance(type_, List):
        return ("list", _of_type(type_.items, schema, above))
    if isinstance(type_, Map):
        return ("map", _of_type(type_.values, schema, above))
    if isinstance(type_, Record) and type_.open:
        raise ConfigError(f"no column can hold {type_}, which is open to fields of any name")
    if isinstance(type_, Record) and type_.fields:
        parts = _fields(type_, schema, above)
        return ("struct", *((one.name, one.kind, one.nullable) for one in parts))
    if isinstance(type_, Union):
        branches = [one for one in type_.branches if not isinstance(one, Null)]
        if len(branches) == 1:
            return _of_type(branches[0], schema, above)
    raise ConfigError(f"no column can hold {type_}: give the columns and their types by name")


def _of_number(type_: Type) -> Kind | None:
    if isinstance(type_, Int):
        return f"int{type_.bits}"
    if isinstance(type_, Float):
        return "double" if type_.bits == 64 else "float32"
    if isinstance(type_, Decimal):
        if type_.precision > MAX_DIGITS:
            raise ConfigError(f"no column holds decimals of more than {MAX_DIGITS} digits")
        width = 128 if type_.precision <= DIGITS else 256
        return f"decimal{width}({type_.precision}, {type_.scale})"
    if isinstance(type_, Time):
        return "time64[us]" if type_.unit == "us" else "time32[ms]"
    if isinstance(type_, Timestamp):
        return f"timestamp[{type_.unit}, tz=UTC]" if type_.zone else f"timestamp[{type_.unit}]"
    return None


# Types of Arrow.


def arrow() -> Any:
    """The module pyarrow.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        import pyarrow as pa
    except ModuleNotFoundError:
        raise MissingExtra.of("pyarrow", extra="lake") from None
    return pa


def arrow_type(kind: Kind) -> Any:
    """The Arrow type of a kind, of a name in `TYPES`, or of one of Arrow's own names.

    Raises:
        ConfigError: there is no such type.
        MissingExtra: pyarrow is not installed.
    """
    pa = arrow()
    if isinstance(kind, tuple):
        if kind[0] == "struct":
            return pa.struct([pa.field(name, arrow_type(of), null) for name, of, null in kind[1:]])
        of = arrow_type(kind[1])
        return pa.list_(of) if kind[0] == "list" else pa.map_(pa.string(), of)
    text = "double" if kind == "float" else kind  # "float" in Python; Arrow calls 32 bits so
    return _arrow_named(pa, TYPES.get(kind, text))


def _arrow_named(pa: Any, text: str) -> Any:
    try:
        if found := _DECIMAL.fullmatch(text):
            digits, scale = map(int, found.groups())
            return (pa.decimal128 if digits <= DIGITS else pa.decimal256)(digits, scale)
        if found := _ZONED.fullmatch(text):
            return pa.timestamp(found[1], tz=found[2])
        if found := _FIXED.fullmatch(text):
            return pa.binary(int(found[1]))
        return pa.uuid() if text == UUID_TEXT else pa.type_for_alias(text)
    except (AttributeError, ValueError):  # pyarrow 17 has no uuid
        raise ConfigError(
            f"type {text!r}: give one of {', '.join(TYPES)}, decimal(10, 2), or a name of Arrow's"
        ) from None


def kind_of(type_: Any) -> Kind:
    """The kind of an Arrow type.

    Raises:
        ConfigError: tables have no such columns.
    """
    types = arrow().types
    if types.is_dictionary(type_):
        return kind_of(type_.value_type)  # how values are packed is the file's business
    if types.is_struct(type_) and len(type_.names):
        return ("struct", *((one.name, kind_of(one.type), one.nullable) for one in type_))
    if types.is_list(type_) or types.is_large_list(type_):
        return ("list", kind_of(type_.value_type))
    if types.is_map(type_) and types.is_string(type_.key_type):
        return ("map", kind_of(type_.item_type))
    kind = {"float": "float32"}.get(str(type_), str(type_))
    try:
        if arrow_type(kind) == type_:
            return kind
    except ConfigError:
        pass
    raise ConfigError(f"no column of a table is {type_}")
