"""JSON Schema documents as schemas, and schemas as JSON Schema documents.

What describes a value is taken: types, properties, required, additionalProperties, items, enum,
const, anyOf and oneOf, `$ref` within the document, and the formats that Python has a type for
(date-time, date, time, duration, uuid). What bounds a value (minimum, pattern, ...) is a matter
for a contract's expectations and passed over; what composes schemas in other ways (allOf of
several, patternProperties, if) is refused.

As JSON Schema says, an object may have more fields than its properties unless
`additionalProperties` is false. A document that `to_json_schema` made says in "kappa" what
JSON Schema has no word for, and reads as the same schema again.

Source: JSON Schema 2020-12, Core and Validation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kappa.errors import ConfigError
from kappa.schemas.defaults import default_from, default_to
from kappa.schemas.schema import Schema
from kappa.schemas.types import (
    MISSING,
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

__all__ = ["schema_of_json", "to_json_schema"]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
MAX_LEVELS = 64
REFUSED = ("patternProperties", "if", "not", "dependentSchemas", "prefixItems", "$dynamicRef")
_FORMATS: dict[str, Type] = {
    "date-time": Timestamp(),
    "date": Date(),
    "time": Time(),
    "duration": Duration(),
    "uuid": Uuid(),
    "int32": Int(32),
    "int64": Int(64),
    "float": Float(32),
    "double": Float(64),
}
_PLAIN: dict[str, Type] = {
    "null": Null(),
    "boolean": Bool(),
    "integer": Int(),
    "number": Float(),
    "string": String(),
}


def schema_of_json(document: Mapping[str, Any], *, name: str | None = None) -> Schema:
    """The schema of a JSON Schema document.

    Args:
        document: as plain values.
        name: of the record, in place of the title.

    Raises:
        ConfigError: it says what no schema can; the message says where.

    >>> schema = schema_of_json({"title": "Bid", "type": "object", "required": ["n"],
    ...     "properties": {"n": {"type": "integer"}, "at": {"type": ["string", "null"],
    ...     "format": "date-time"}}, "additionalProperties": False})
    >>> print(schema)
    Bid(n: int64, at: timestamp with a zone or null)
    """
    reading = _Reading(document)
    root = reading.type(document, name or str(document.get("title", "Row")), "#", 0)
    return Schema(root)


class _Reading:
    """One document; definitions become named types, and refs where they come again."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        self._names: dict[str, str] = {}
        self._taken: set[str] = set()

    def type(self, document: Any, name: str, where: str, level: int) -> Type:
        if level > MAX_LEVELS:
            raise ConfigError(f"{where}: nested deeper than {MAX_LEVELS} levels")
        if document is True or document == {}:
            return Anything()
        if not isinstance(document, Mapping):
            raise ConfigError(f"{where}: {document!r:.80} is no JSON Schema")
        for word in REFUSED:
            if word in document:
                raise ConfigError(f"{where}: {word} says what no schema of a topic can")
        if "$ref" in document:
            return self._ref(document["$ref"], where, level)
        whole = document.get("allOf")
        if whole is not None:
            if len(whole) != 1:
                raise ConfigError(f"{where}: allOf of several schemas is not understood")
            return self.type(whole[0], name, f"{where}/allOf/0", level + 1)
        for word in ("anyOf", "oneOf"):
            if word in document:
                parts = enumerate(document[word])
                types = [
                    self.type(one, f"{name}{at}", f"{where}/{word}/{at}", level + 1)
                    for at, one in parts
                ]
                alone = document.get("kappa", {}).get("union", False)
                return Union(tuple(types)) if alone else _union(types)
        if "enum" in document or "const" in document:
            return self._enum(document, name, where)
        return self._typed(document, name, where, level)

    def _ref(self, ref: Any, where: str, level: int) -> Type:
        if not isinstance(ref, str) or not ref.startswith("#/"):
            raise ConfigError(f"{where}: $ref {ref!r} is not within the document")
        if ref in self._names:
            return Ref(self._names[ref])
        found: Any = self.document
        for part in ref[2:].split("/"):
            part = part.replace("~1", "/").replace("~0", "~")
            if not isinstance(found, Mapping) or part not in found:
                raise ConfigError(f"{where}: there is no {ref}")
            found = found[part]
        name = str(found.get("title", ref.rpartition("/")[2])) if isinstance(found, Mapping) else ""
        if isinstance(found, Mapping) and (found.get("type") == "object" or "enum" in found):
            self._names[ref] = name
        made = self.type(found, name, ref, level + 1)
        if not isinstance(made, Record | Enum):
            self._names.pop(ref, None)
        return made

    def _enum(self, document: Mapping[str, Any], name: str, where: str) -> Type:
        values = document.get("enum", [document.get("const")])
        rest = [value for value in values if value is not None]
        if rest and all(type(value) is str for value in rest):
            extra = document.get("kappa", {})
            made: Type = Enum(
                extra.get("name", name),
                tuple(dict.fromkeys(rest)),
                extra.get("default"),
                tuple(extra.get("aliases", ())),
                str(document.get("description", "")),
            )
        elif rest:
            kinds = {bool: Bool(), int: Int(), float: Float(), str: String()}
            made = _union([kinds.get(type(value), Anything()) for value in rest])
        else:
            return Null()
        return made if len(rest) == len(values) else _union([made, Null()])

    def _typed(self, document: Mapping[str, Any], name: str, where: str, level: int) -> Type:
        kind = document.get("type", "object" if "properties" in document else None)
        if isinstance(kind, Sequence) and not isinstance(kind, str):
            parts = [self._typed({**document, "type": one}, name, where, level) for one in kind]
            return _union(parts)
        if kind == "object":
            return self._object(document, name, where, level)
        if kind == "array":
            items = document.get("items", True)
            return List(self.type(items, f"{name}_item", f"{where}/items", level + 1))
        if kind not in _PLAIN:
            if kind is None:
                return Anything()
            raise ConfigError(f"{where}: no type {kind!r} in JSON Schema")
        plain = _PLAIN[kind]
        exact = document.get("kappa", {}).get("type") if kind != "null" else None
        if exact is not None:
            return Schema.from_dict(exact).root
        found = _FORMATS.get(str(document.get("format")), plain)
        return found if kind == "string" or type(found) is type(plain) else plain

    def _object(self, document: Mapping[str, Any], name: str, where: str, level: int) -> Type:
        more = document.get("additionalProperties", True)
        properties = document.get("properties")
        if properties is None and "title" not in document and more is not False:
            values = Anything() if more is True else self.type(more, name, where, level + 1)
            return Map(values)
        if isinstance(more, Mapping) and more:
            raise ConfigError(f"{where}: both properties and a type of additional ones")
        extra = document.get("kappa", {})
        name = self._unique(extra.get("name", str(document.get("title", name))))
        required = set(document.get("required", ()))
        fields = [
            self._field(field, one, field in required, f"{name}_{field}", f"{where}/{field}", level)
            for field, one in (properties or {}).items()
        ]
        aliases = tuple(extra.get("aliases", ()))
        doc = str(document.get("description", ""))
        return Record(name, tuple(fields), aliases, more is not False, doc)

    def _unique(self, name: str) -> str:
        made, number = name, 2
        while made in self._taken:
            made, number = f"{name}{number}", number + 1
        self._taken.add(made)
        return made

    def _field(
        self, field: str, document: Any, required: bool, name: str, where: str, level: int
    ) -> Field:
        type_ = self.type(document, name, where, level + 1)
        extra = document if isinstance(document, Mapping) else {}
        kappa = extra.get("kappa", {})
        default = MISSING
        if "avro_default" in kappa:
            default = default_from(type_, kappa["avro_default"], where)
        elif "default" in extra:
            default = _default(type_, extra["default"], where)
        return Field(
            field,
            type_,
            default,
            required or default is not MISSING,
            tuple(kappa.get("field_aliases", ())),
            str(extra.get("description", "")) if not isinstance(type_, Record | Enum) else "",
        )


def _union(types: Sequence[Type]) -> Type:
    flat: list[Type] = []
    for one in types:
        for branch in one.branches if isinstance(one, Union) else (one,):
            if branch not in flat:
                flat.append(branch)
    if any(isinstance(one, Anything) for one in flat):
        return Anything()
    return flat[0] if len(flat) == 1 else Union(tuple(flat))


def _default(type_: Type, value: Any, where: str) -> Any:
    """A default as JSON has it: texts of dates and the like are read as what they say."""
    from kappa.schemas.texts import from_json

    try:
        return from_json(type_, value)
    except ValueError:
        raise ConfigError(f"{where}: {value!r:.80} is no default of type {type_}") from None


# Writing.


def to_json_schema(schema: Schema) -> dict[str, Any]:
    """The schema as a JSON Schema document.

    It describes rows as JSON has them: a decimal is text, bytes are base64 text, and dates and
    times are text in the format of RFC 3339.

    >>> from kappa.schemas import Field, Int, Schema
    >>> to_json_schema(Schema.record("Bid", [Field("n", Int(32), default=0)]))["properties"]
    {'n': {'type': 'integer', 'format': 'int32', 'default': 0, 'kappa': {'avro_default': 0}}}
    """
    writing = _Writing(schema)
    document = {"$schema": DIALECT, **writing.type(schema.root)}
    return document | ({"$defs": writing.defs} if writing.defs else {})


class _Writing:
    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.defs: dict[str, Any] = {}
        self._root = schema.root

    def type(self, type_: Type) -> dict[str, Any]:
        match type_:
            case Record() if type_ is not self._root:
                self.defs[type_.name] = self.record(type_)
                return {"$ref": f"#/$defs/{_escaped(type_.name)}"}
            case Record():
                return self.record(type_)
            case Ref(name):
                own = isinstance(self._root, Record) and self._root.name == name
                return {"$ref": "#" if own else f"#/$defs/{_escaped(name)}"}
            case Enum():
                self.defs[type_.name] = _enum(type_)
                return {"$ref": f"#/$defs/{_escaped(type_.name)}"}
            case List(items):
                return {"type": "array", "items": self.type(items)}
            case Map(values):
                return {"type": "object", "additionalProperties": self.type(values)}
            case Union(branches):
                document = {"anyOf": [self.type(branch) for branch in branches]}
                return document if len(branches) > 1 else document | {"kappa": {"union": True}}
            case Anything():
                return {}
        return _leaf(type_)

    def record(self, record: Record) -> dict[str, Any]:
        document: dict[str, Any] = {"type": "object", "title": record.name}
        if record.doc:
            document["description"] = record.doc
        document["properties"] = {one.name: self.field(one) for one in record.fields}
        document["required"] = [one.name for one in record.fields if not one.optional]
        if not record.open:
            document["additionalProperties"] = False
        if record.aliases:
            document["kappa"] = {"aliases": list(record.aliases)}
        return document

    def field(self, field: Field) -> dict[str, Any]:
        document = dict(self.type(field.type))
        extra = dict(document.get("kappa", {}))
        if field.doc:
            document["description"] = field.doc
        if field.default is not MISSING:
            from kappa.schemas.texts import to_json

            document["default"] = to_json(field.default)
            extra["avro_default"] = default_to(field.type, field.default, self.schema.names)
        if field.aliases:
            extra["field_aliases"] = list(field.aliases)
        return document | ({"kappa": extra} if extra else {})


def _enum(enum: Enum) -> dict[str, Any]:
    document: dict[str, Any] = {"title": enum.name, "enum": list(enum.symbols)}
    extra: dict[str, Any] = {"name": enum.name}
    if enum.doc:
        document["description"] = enum.doc
    if enum.default is not None:
        extra["default"] = enum.default
    if enum.aliases:
        extra["aliases"] = list(enum.aliases)
    return document | {"kappa": extra}


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _leaf(type_: Type) -> dict[str, Any]:
    write = _LEAVES.get(type(type_))
    document = {} if write is None else write(type_)
    if _Reading({})._typed(document, "", "", 0) != type_:
        document["kappa"] = {"type": Schema(type_).to_dict()}
    return document


def _text(format: str) -> Callable[[Any], dict[str, Any]]:
    return lambda type_: {"type": "string", "format": format}


_LEAVES: dict[type[Type], Callable[[Any], dict[str, Any]]] = {
    Null: lambda type_: {"type": "null"},
    Bool: lambda type_: {"type": "boolean"},
    Int: lambda type_: {"type": "integer", **({"format": "int32"} if type_.bits == 32 else {})},
    Float: lambda type_: {"type": "number", **({"format": "float"} if type_.bits == 32 else {})},
    String: lambda type_: {"type": "string"},
    Bytes: lambda type_: {"type": "string", "contentEncoding": "base64"},
    Fixed: lambda type_: {"type": "string", "contentEncoding": "base64"},
    Decimal: lambda type_: {"type": "string", "pattern": r"^-?\d+(\.\d+)?$"},
    Uuid: _text("uuid"),
    Date: _text("date"),
    Time: _text("time"),
    Timestamp: lambda type_: {"type": "string", **({"format": "date-time"} if type_.zone else {})},
    Duration: _text("duration"),
}
