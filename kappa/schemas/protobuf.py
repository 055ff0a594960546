"""Protobuf messages as schemas, and messages as rows.

    Protobuf                            type
    int32 sint32 sfixed32               Int(32)
    int64 sint64 sfixed64 uint32        Int(64)
    fixed32 uint64 fixed64              Int(64): what does not fit is refused at append
    float, double                       Float(32), Float(64)
    bool string bytes                   Bool String Bytes
    enum                                Enum, its first value the default
    message                             Record
    map<string, T>, repeated T          Map, List
    Timestamp, Duration                 Timestamp, Duration
    wrappers (Int64Value, ...)          the type or null
    Struct, Value, ListValue            Map, Anything, List of Anything

A field that can tell whether it was set (`optional`, messages, members of a `oneof`) may be
null, and is null by default; another has the default that Protobuf prescribes.

Source: Protocol Buffers documentation, "Language Guide (proto 3)", "Field Presence".
"""

from __future__ import annotations

from typing import Any

from kappa.errors import ConfigError, MissingExtra
from kappa.schemas.schema import Schema
from kappa.schemas.types import (
    Anything,
    Bool,
    Bytes,
    Duration,
    Enum,
    Field,
    Float,
    Int,
    List,
    Map,
    Record,
    Ref,
    String,
    Timestamp,
    Type,
    optional,
)

__all__ = ["row_of_message", "schema_of_message"]

WELL_KNOWN: dict[str, Type] = {
    "google.protobuf.Timestamp": Timestamp(),
    "google.protobuf.Duration": Duration(),
    "google.protobuf.DoubleValue": Float(),
    "google.protobuf.FloatValue": Float(32),
    "google.protobuf.Int64Value": Int(),
    "google.protobuf.UInt64Value": Int(),
    "google.protobuf.Int32Value": Int(32),
    "google.protobuf.UInt32Value": Int(),
    "google.protobuf.BoolValue": Bool(),
    "google.protobuf.StringValue": String(),
    "google.protobuf.BytesValue": Bytes(),
    "google.protobuf.Struct": Map(Anything()),
    "google.protobuf.ListValue": List(Anything()),
    "google.protobuf.Value": Anything(),
}
_SCALARS: dict[str, Type] = {
    "INT32": Int(32), "SINT32": Int(32), "SFIXED32": Int(32),
    "INT64": Int(), "SINT64": Int(), "SFIXED64": Int(), "UINT32": Int(), "FIXED32": Int(),
    "UINT64": Int(), "FIXED64": Int(), "FLOAT": Float(32), "DOUBLE": Float(), "BOOL": Bool(),
    "STRING": String(), "BYTES": Bytes(),
}  # fmt: skip


def _descriptors() -> Any:
    try:
        from google.protobuf import descriptor
    except ImportError:
        raise MissingExtra.of("protobuf", extra="schema") from None
    return descriptor.FieldDescriptor


def schema_of_message(message: Any) -> Schema:
    """The schema of a message class, a message or a message's descriptor.

    Raises:
        ConfigError: a map has keys that are not text.
        MissingExtra: protobuf is not installed.

    >>> from google.protobuf.source_context_pb2 import SourceContext
    >>> print(schema_of_message(SourceContext))
    google.protobuf.SourceContext(file_name: string)
    """
    descriptor = getattr(message, "DESCRIPTOR", message)
    return Schema(_Reading().record(descriptor))


class _Reading:
    def __init__(self) -> None:
        self._known: set[str] = set()
        self._kinds = _descriptors()

    def record(self, descriptor: Any) -> Type:
        known = WELL_KNOWN.get(descriptor.full_name)
        if known is not None:
            return known
        if descriptor.full_name in self._known:
            return Ref(descriptor.full_name)
        self._known.add(descriptor.full_name)
        return Record(descriptor.full_name, tuple(self._field(one) for one in descriptor.fields))

    def _field(self, field: Any) -> Field:
        type_ = self._value(field)
        if _is_map(field):
            return Field(field.name, type_, {})
        if _is_repeated(field):
            return Field(field.name, List(type_), [])
        if field.has_presence or isinstance(type_, Anything):
            if isinstance(type_, Anything):
                return Field(field.name, type_, None)
            return Field(field.name, optional(type_, default=None), None)
        return Field(field.name, type_, _default(field))

    def _value(self, field: Any) -> Type:
        if _is_map(field):
            key, value = (field.message_type.fields_by_name[name] for name in ("key", "value"))
            if key.type != self._kinds.TYPE_STRING:
                raise ConfigError(f"{field.full_name}: the keys of a map must be string")
            return Map(self._value(value))
        if field.message_type is not None:
            return self.record(field.message_type)
        if field.enum_type is not None:
            return self._enum(field.enum_type)
        for name, type_ in _SCALARS.items():
            if field.type == getattr(self._kinds, f"TYPE_{name}"):
                return type_
        raise ConfigError(f"{field.full_name}: a field of type {field.type} is not known")

    def _enum(self, descriptor: Any) -> Type:
        if descriptor.full_name in self._known:
            return Ref(descriptor.full_name)
        self._known.add(descriptor.full_name)
        symbols = tuple(value.name for value in descriptor.values)
        return Enum(descriptor.full_name, symbols, symbols[0])


def _is_repeated(field: Any) -> bool:
    found = getattr(field, "is_repeated", None)
    return bool(field.label == field.LABEL_REPEATED if found is None else found)


def _is_map(field: Any) -> bool:
    message = field.message_type
    return message is not None and message.GetOptions().map_entry and _is_repeated(field)


def _default(field: Any) -> Any:
    if field.enum_type is not None:
        return field.enum_type.values_by_number[field.default_value].name
    return field.default_value


def row_of_message(message: Any) -> dict[str, Any]:
    """A message as a row that fits its schema.

    >>> from google.protobuf.source_context_pb2 import SourceContext
    >>> row_of_message(SourceContext(file_name="a.proto"))
    {'file_name': 'a.proto'}
    """
    made: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        if _is_map(field):
            value = field.message_type.fields_by_name["value"]
            content = getattr(message, field.name)
            made[field.name] = {key: _plain(value, content[key]) for key in content}
        elif _is_repeated(field):
            made[field.name] = [_plain(field, one) for one in getattr(message, field.name)]
        elif field.has_presence and not message.HasField(field.name):
            made[field.name] = None
        else:
            made[field.name] = _plain(field, getattr(message, field.name))
    return made


def _plain(field: Any, value: Any) -> Any:
    if field.enum_type is not None:
        found = field.enum_type.values_by_number.get(value)
        return found.name if found is not None else value
    if field.message_type is None:
        return value
    return _WELL_KNOWN_ROWS.get(field.message_type.full_name, row_of_message)(value)


def _timestamp(value: Any) -> Any:
    import datetime as dt

    return value.ToDatetime(tzinfo=dt.UTC)


def _json(value: Any) -> Any:
    from google.protobuf.json_format import MessageToDict

    return MessageToDict(value)


_WELL_KNOWN_ROWS: dict[str, Any] = {
    name: (lambda value: value.value) for name in WELL_KNOWN if name.endswith("Value")
} | {
    "google.protobuf.Timestamp": _timestamp,
    "google.protobuf.Duration": lambda value: value.ToTimedelta(),
    "google.protobuf.Struct": _json,
    "google.protobuf.ListValue": _json,
    "google.protobuf.Value": _json,
}
