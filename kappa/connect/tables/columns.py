"""The types of a table's columns: by their names, as Arrow's own, or from a schema of rows.

Law: every value that fits a schema's type comes back from the file equal, but for what no
column can keep: a timestamp's own zone (it is the same instant in UTC), a UUID (text), a
decimal's trailing zeros (the column has as many as its scale).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kappa import schemas
from kappa.errors import ConfigError, MissingExtra, SinkError

TYPES: Mapping[str, str] = {
    "bool": "bool",
    "int": "int64",
    "float": "float64",
    "str": "string",
    "bytes": "binary",
    "date": "date32",
    "datetime": "timestamp[us, tz=UTC]",
    "timestamp": "timestamp[ms, tz=UTC]",
    "decimal(10, 2)": "decimal128(10, 2)",
}
"""Names of types as kappa's users write them; "timestamp" takes milliseconds or datetimes."""

MAX_DIGITS = 76
_DECIMAL = re.compile(r"decimal\((\d+), ?(\d+)\)")
_TIMESTAMP = re.compile(r"timestamp\[(s|ms|us|ns), ?tz=([^\]]+)\]")

Columns = tuple[tuple[str, Any], ...]
"""Names of columns and what their types are given as."""


def columns_of(schema: Any) -> Columns:
    """What a sink's `schema=` says, as plain columns.

    Args:
        schema: types by name; or a schema of rows, or what one is made of: a class, a document.

    Raises:
        ConfigError: a field of a schema has no type that a column can have.
    """
    if isinstance(schema, Mapping) and not _is_document(schema):
        return tuple((str(name), kind) for name, kind in schema.items())
    if isinstance(schema, tuple):
        return schema
    rows = schema if isinstance(schema, schemas.Schema) else schemas.Schema.of(schema)
    found = [(one.name, rows.resolved(one.type)) for one in rows.fields]
    known = [(name, kind) for name, kind in found if not isinstance(kind, schemas.Anything)]
    for name, kind in known:
        try:
            _of_type(kind)
        except ConfigError as error:
            raise ConfigError(f"field {name!r} of schema {rows.name}: {error.message}") from None
    return tuple(known)


def _is_document(schema: Mapping[str, Any]) -> bool:
    """Whether a mapping is a schema in Avro's form, and not types by name."""
    return schema.get("type") == "record" and isinstance(schema.get("fields"), list)


def arrow_type(kind: Any) -> Any:
    """The Arrow type of a name in `TYPES`, a name of Arrow's, a type of a schema, or Arrow's own.

    Raises:
        ConfigError: there is no such type.
        MissingExtra: pyarrow is not installed.
    """
    try:
        import pyarrow as pa
    except ModuleNotFoundError:
        raise MissingExtra.of("pyarrow", extra="lake") from None
    if isinstance(kind, pa.DataType):
        return kind
    if isinstance(kind, schemas.Type):
        return _of_type(kind)
    try:
        if found := _DECIMAL.fullmatch(kind):
            return pa.decimal128(int(found[1]), int(found[2]))
        if found := _TIMESTAMP.fullmatch(TYPES.get(kind, kind)):
            return pa.timestamp(found[1], tz=found[2])
        return pa.type_for_alias(TYPES.get(kind, kind))
    except (TypeError, ValueError):
        raise ConfigError(
            f"type {kind!r}: give one of {', '.join(TYPES)}, or a name or type of Arrow's"
        ) from None


def _of_type(kind: schemas.Type) -> Any:
    made = _MAKERS.get(type(kind))
    if made is None:
        raise ConfigError(f"no column can hold {kind}: give the columns and their types by name")
    return made(kind)


def _decimal(kind: Any) -> Any:
    import pyarrow as pa

    if kind.precision > MAX_DIGITS:
        raise ConfigError(f"no column holds decimals of more than {MAX_DIGITS} digits")
    made = pa.decimal128 if kind.precision <= MAX_DIGITS // 2 else pa.decimal256
    return made(kind.precision, kind.scale)


def _time(kind: Any) -> Any:
    import pyarrow as pa

    return pa.time64("us") if kind.unit == "us" else pa.time32("ms")


def _union(kind: Any) -> Any:
    others = [one for one in kind.branches if not isinstance(one, schemas.Null)]
    if len(others) != 1:
        raise ConfigError(f"no column can hold {kind}: give the columns and their types by name")
    return _of_type(others[0])


def _record(kind: Any) -> Any:
    import pyarrow as pa

    if kind.open:
        raise ConfigError(f"no column can hold {kind}, which is open to fields of any name")
    return pa.struct([(one.name, _of_type(one.type)) for one in kind.fields])


def _simple(name: str, *arguments: Any) -> Callable[[Any], Any]:
    def make(kind: Any) -> Any:
        import pyarrow as pa

        return getattr(pa, name)(*arguments)

    return make


def _with(make: Callable[[Any, Any], Any]) -> Callable[[Any], Any]:
    def made(kind: Any) -> Any:
        import pyarrow as pa

        return make(pa, kind)

    return made


_MAKERS: Mapping[type, Callable[[Any], Any]] = {
    schemas.Null: _simple("null"),
    schemas.Bool: _simple("bool_"),
    schemas.Int: _with(lambda pa, kind: pa.int64() if kind.bits == 64 else pa.int32()),
    schemas.Float: _with(lambda pa, kind: pa.float64() if kind.bits == 64 else pa.float32()),
    schemas.String: _simple("string"),
    schemas.Enum: _simple("string"),
    schemas.Uuid: _simple("string"),
    schemas.Bytes: _simple("binary"),
    schemas.Fixed: _with(lambda pa, kind: pa.binary(kind.size)),
    schemas.Date: _simple("date32"),
    schemas.Duration: _simple("duration", "us"),
    schemas.Timestamp: _with(
        lambda pa, kind: pa.timestamp(kind.unit, tz="UTC" if kind.zone else None)
    ),
    schemas.Time: _time,
    schemas.Decimal: _decimal,
    schemas.List: _with(lambda pa, kind: pa.list_(_of_type(kind.items))),
    schemas.Map: _with(lambda pa, kind: pa.map_(pa.string(), _of_type(kind.values))),
    schemas.Union: _union,
    schemas.Record: _record,
}


def array(name: str, values: Sequence[Any] | None, count: int, kind: Any) -> Any:
    """A column; of a type, or of the one that its values ask for.

    Args:
        name: of the column, for messages.
        values: None where no row has it.
        count: of the rows.
        kind: as for `arrow_type`; None for the values' own.

    Raises:
        SinkError: a value is of another type.
    """
    import pyarrow as pa

    from kappa.log.query.columns import array_of

    if kind is None:
        return array_of(values or [])
    wanted = arrow_type(kind)
    if values is None:
        return pa.nulls(count, type=wanted)
    try:
        return pa.array(_plain(values, kind), type=wanted)
    except (pa.ArrowException, OverflowError, TypeError, ValueError) as error:
        raise SinkError(
            f"field {name!r} is not {kind} in every row, as the sink's schema says: {error}",
            field=name,
        ) from None


def _plain(values: Sequence[Any], kind: Any) -> Sequence[Any]:
    """Values as Arrow takes them: it has no UUIDs but in columns of 16 bytes."""
    inner = kind
    if isinstance(kind, schemas.Union):
        inner = next(one for one in kind.branches if not isinstance(one, schemas.Null))
    if isinstance(inner, schemas.Uuid):
        return [None if value is None else str(value) for value in values]
    return values
