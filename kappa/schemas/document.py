"""A schema as plain JSON-able values: Avro's own form, with four additions of kappa's.

    "kappa.required": false    on a field: rows may do without it and stay without it
    "kappa.open": true         on a record: rows may have other fields
    "kappa-duration"           a logical type of long: microseconds, a timedelta
    "kappa-anything"           a logical type of bytes: whatever the log can store

Avro tells readers to pass over attributes and logical types that they do not know, so every
document is an Avro schema as long as its names are names in Avro. Logical types that Python
has no value for (nanoseconds, Avro's duration of months) read as the type beneath them.

Source: Apache Avro 1.12 specification, "Schema Declaration" and "Logical Types".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kappa.errors import ConfigError
from kappa.schemas.checking import Names
from kappa.schemas.defaults import default_from, default_to
from kappa.schemas.types import (
    MISSING,
    NAMED,
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

__all__ = ["read_type", "written"]

MAX_LEVELS = 64
"""How deep a document may be nested."""
OPEN, REQUIRED = "kappa.open", "kappa.required"
DURATION, ANYTHING = "kappa-duration", "kappa-anything"

_PRIMITIVES: dict[str, Type] = {
    "null": Null(),
    "boolean": Bool(),
    "int": Int(32),
    "long": Int(64),
    "float": Float(32),
    "double": Float(64),
    "bytes": Bytes(),
    "string": String(),
}
_LOGICAL: dict[tuple[str, str], Type] = {
    ("string", "uuid"): Uuid(),
    ("int", "date"): Date(),
    ("int", "time-millis"): Time("ms"),
    ("long", "time-micros"): Time("us"),
    ("long", "timestamp-millis"): Timestamp(True, "ms"),
    ("long", "timestamp-micros"): Timestamp(True, "us"),
    ("long", "local-timestamp-millis"): Timestamp(False, "ms"),
    ("long", "local-timestamp-micros"): Timestamp(False, "us"),
    ("long", DURATION): Duration(),
    ("bytes", ANYTHING): Anything(),
}
_NAME_OF = {type_: name for name, type_ in _PRIMITIVES.items()}
_LOGICAL_OF = {type_: names for names, type_ in _LOGICAL.items()}


# Writing.


def written(type_: Type, names: Names) -> Any:
    """The document of a type.

    Args:
        type_: any.
        names: what refs in it stand for.

    >>> written(Union((Null(), Timestamp())), {})
    ['null', {'type': 'long', 'logicalType': 'timestamp-micros'}]
    """
    return _Writing(names).type(type_, "")


class _Writing:
    """Writes types; `namespace` is that of the record around them."""

    def __init__(self, names: Names) -> None:
        self.names = names

    def type(self, type_: Type, namespace: str) -> Any:
        match type_:
            case Record():
                return self.record(type_, namespace)
            case Enum():
                default = {} if type_.default is None else {"default": type_.default}
                return _named(type_, namespace) | {"symbols": list(type_.symbols)} | default
            case Fixed():
                return _named(type_, namespace) | {"size": type_.size}
            case List():
                return {"type": "array", "items": self.type(type_.items, namespace)}
            case Map():
                return {"type": "map", "values": self.type(type_.values, namespace)}
            case Union():
                return [self.type(branch, namespace) for branch in type_.branches]
            case Ref():
                return type_.name
            case Decimal(precision, scale):
                digits = {"precision": precision, "scale": scale}
                return {"type": "bytes", "logicalType": "decimal", **digits}
        if type_ in _NAME_OF:
            return _NAME_OF[type_]
        beneath, logical = _LOGICAL_OF[type_]
        return {"type": beneath, "logicalType": logical}

    def record(self, record: Record, namespace: str) -> Any:
        document = _named(record, namespace)
        inner = record.name.rpartition(".")[0]
        document["fields"] = [self.field(field, inner) for field in record.fields]
        if record.open:
            document[OPEN] = True
        return document

    def field(self, field: Field, namespace: str) -> dict[str, Any]:
        document: dict[str, Any] = {"name": field.name, "type": self.type(field.type, namespace)}
        if field.default is not MISSING:
            document["default"] = default_to(field.type, field.default, self.names)
        if field.aliases:
            document["aliases"] = list(field.aliases)
        if field.doc:
            document["doc"] = field.doc
        if not field.required:
            document[REQUIRED] = False
        return document


def _named(type_: Record | Enum | Fixed, namespace: str) -> dict[str, Any]:
    document: dict[str, Any] = {"type": type_.kind, "name": type_.name}
    if namespace and "." not in type_.name:
        document["namespace"] = ""  # or it would be read as one of the outer record's
    if type_.aliases:
        document["aliases"] = list(type_.aliases)
    if not isinstance(type_, Fixed) and type_.doc:
        document["doc"] = type_.doc
    return document


# Reading.


class _Reading:
    """The names met so far, so that a name alone is a ref."""

    def __init__(self) -> None:
        self.names: dict[str, Type] = {}

    def type(self, document: Any, namespace: str, where: str, level: int) -> Type:
        if level > MAX_LEVELS:
            raise ConfigError(f"{where}: nested deeper than {MAX_LEVELS} levels")
        if isinstance(document, str):
            return self.named(document, namespace, where)
        if isinstance(document, Sequence):
            return Union(tuple(self.type(one, namespace, where, level + 1) for one in document))
        if not isinstance(document, Mapping) or "type" not in document:
            raise ConfigError(f"{where}: {document!r:.80} is no schema in Avro's form")
        kind = document["type"]
        if not isinstance(kind, str):
            return self.type(kind, namespace, where, level + 1)
        made = self._complex(kind, document, namespace, where, level)
        if isinstance(made, NAMED):
            self.names[made.name] = made
        return self.named(kind, namespace, where, document) if made is None else made

    def named(
        self, name: str, namespace: str, where: str, document: Mapping[str, Any] | None = None
    ) -> Type:
        """A primitive, with its logical type if `document` has one that is known; or a ref."""
        primitive = _PRIMITIVES.get(name)
        if primitive is not None:
            return _logical(name, document or {}, where) or primitive
        for full in (f"{namespace}.{name}" if namespace and "." not in name else name, name):
            if full in self.names:
                return Ref(full)
        known = ", ".join([*_PRIMITIVES, "record", "enum", "array", "map", "fixed", *self.names])
        raise ConfigError(f"{where}: no type {name!r}; there are {known}")

    def _complex(
        self, kind: str, document: Mapping[str, Any], namespace: str, where: str, level: int
    ) -> Type | None:
        if kind in ("record", "error"):
            return self._record(document, namespace, where, level)
        if kind == "enum":
            name, aliases, _ = self._define(document, namespace, where)
            return Enum(
                name,
                tuple(_listed(document, "symbols", where)),
                document.get("default"),
                aliases,
                str(document.get("doc", "")),
            )
        if kind == "fixed":
            return self._fixed(document, namespace, where)
        if kind == "array":
            return List(self.type(_get(document, "items", where), namespace, where, level + 1))
        if kind == "map":
            return Map(self.type(_get(document, "values", where), namespace, where, level + 1))
        return None

    def _record(
        self, document: Mapping[str, Any], namespace: str, where: str, level: int
    ) -> Record:
        name, aliases, inner = self._define(document, namespace, where)
        fields = tuple(
            self._field(field, inner, name, level) for field in _listed(document, "fields", where)
        )
        is_open = bool(document.get(OPEN, False))
        return Record(name, fields, aliases, is_open, str(document.get("doc", "")))

    def _field(self, document: Any, namespace: str, record: str, level: int) -> Field:
        if not isinstance(document, Mapping):
            raise ConfigError(f"record {record}: {document!r:.80} is no field")
        name = _get(document, "name", f"a field of record {record}")
        where = f"record {record}, field {name!r}"
        type_ = self.type(_get(document, "type", where), namespace, where, level + 1)
        default = document.get("default", MISSING)
        if default is not MISSING:
            default = default_from(type_, default, where, self.names)
        return Field(
            name,
            type_,
            default,
            bool(document.get(REQUIRED, True)),
            tuple(_listed(document, "aliases", where, ())),
            str(document.get("doc", "")),
        )

    def _fixed(self, document: Mapping[str, Any], namespace: str, where: str) -> Type:
        name, aliases, _ = self._define(document, namespace, where)
        size = _get(document, "size", where)
        logical = document.get("logicalType")
        if logical == "uuid" and size == 16:
            return self._unnamed(name, Uuid())
        if logical == "decimal":
            decimal = _decimal(document, where)
            return self._unnamed(name, decimal) if decimal else Fixed(name, size, aliases)
        return Fixed(name, size, aliases)

    def _unnamed(self, name: str, type_: Type) -> Type:
        self.names.pop(name, None)  # it has no name of its own, so none can ask for it again
        return type_

    def _define(
        self, document: Mapping[str, Any], namespace: str, where: str
    ) -> tuple[str, tuple[str, ...], str]:
        """Full name, full aliases, and the namespace of what is within."""
        name = _get(document, "name", where)
        own = document.get("namespace", namespace)
        if not isinstance(name, str) or not isinstance(own, str):
            raise ConfigError(f"{where}: {name!r} is no name")
        full = name if "." in name or not own else f"{own}.{name}"
        inner = full.rpartition(".")[0]
        if full in self.names:
            raise ConfigError(f"{where}: {full} is defined twice")
        self.names[full] = Ref(full)  # the type itself once it is read
        aliases = [str(alias) for alias in _listed(document, "aliases", where, ())]
        return full, tuple(a if "." in a or not inner else f"{inner}.{a}" for a in aliases), inner


def _logical(kind: str, document: Mapping[str, Any], where: str) -> Type | None:
    logical = document.get("logicalType")
    if logical == "decimal" and kind == "bytes":
        return _decimal(document, where)
    return _LOGICAL.get((kind, str(logical)))


def _decimal(document: Mapping[str, Any], where: str) -> Decimal | None:
    precision, scale = document.get("precision"), document.get("scale", 0)
    if type(precision) is not int or type(scale) is not int:
        raise ConfigError(f"{where}: a decimal needs a precision and a scale, as whole numbers")
    return Decimal(precision, scale)


def _get(document: Mapping[str, Any], name: str, where: str) -> Any:
    if name not in document:
        raise ConfigError(f"{where}: {name!r} is missing in {dict(document)!r:.80}")
    return document[name]


def _listed(
    document: Mapping[str, Any], name: str, where: str, default: Sequence[Any] | None = None
) -> Sequence[Any]:
    found = document.get(name, default) if default is not None else _get(document, name, where)
    if isinstance(found, str) or not isinstance(found, Sequence):
        raise ConfigError(f"{where}: {name!r} is {found!r:.80}, but must be a list")
    return found


def read_type(document: Any, *, where: str = "the schema") -> Type:
    """The type that a document stands for.

    Raises:
        ConfigError: it is no Avro schema; the message says where it is wrong.

    >>> str(read_type({"type": "array", "items": "long"}))
    'list of int64'
    """
    return _Reading().type(document, "", where, 0)
