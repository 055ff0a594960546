"""`schema_of`: one door for everything that a schema can be made of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kappa.errors import ConfigError
from kappa.schemas.classes import kind_of, record_of
from kappa.schemas.schema import Schema
from kappa.schemas.types import Record, Type

__all__ = ["schema_of"]


def schema_of(source: Any, *, name: str | None = None) -> Schema:
    """The schema of a class or a document.

    Args:
        source: a `Schema` or type of `kappa.schemas`; a dataclass, TypedDict, msgspec Struct
            or pydantic model; an Avro or JSON Schema document, as values or as JSON text; a
            Protobuf message class or descriptor.
        name: of the record, in place of its own.

    Raises:
        ConfigError: it is none of these, or says what no schema can; the message says where.

    >>> from typing import TypedDict
    >>> Bid = TypedDict("Bid", {"auction": int, "price": float})
    >>> print(schema_of(Bid))
    Bid(auction: int64, price: float64)
    >>> document = {"type": "object", "title": "Ask", "properties": {"n": {"type": "integer"}}}
    >>> print(schema_of(document))
    Ask(n: int64)
    """
    schema = _schema_of(source)
    if name is None or not isinstance(schema.root, Record):
        return schema
    return Schema(replace(schema.root, name=name))


def _schema_of(source: Any) -> Schema:
    if isinstance(source, Schema):
        return source
    if isinstance(source, Type):
        return Schema(source)
    if kind_of(source) is not None:
        return Schema(record_of(source))
    if hasattr(source, "DESCRIPTOR") or hasattr(source, "fields_by_name"):
        from kappa.schemas.protobuf import schema_of_message

        return schema_of_message(source)
    if isinstance(source, str | bytes):
        source = _parsed(source)
    if isinstance(source, Mapping) and is_json_schema(source):
        from kappa.schemas.jsonschema import schema_of_json

        return schema_of_json(source)
    if isinstance(source, Mapping | list | str):
        return Schema.from_dict(source)
    raise ConfigError(
        f"{source!r:.80} is no schema: give a dataclass, TypedDict, msgspec Struct, pydantic model,"
        " an Avro or JSON Schema document, or a Protobuf message"
    )


def _parsed(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        pass
    if isinstance(text, str) and text.isalpha():
        return text  # "string": a schema in Avro
    raise ConfigError(f"{text!r:.80} is no JSON text of a schema")


def is_json_schema(document: Mapping[str, Any]) -> bool:
    """Whether a document is JSON Schema's, by words that Avro does not have."""
    marks = ("$schema", "$defs", "$ref", "properties", "anyOf", "oneOf", "allOf", "const")
    return document.get("type") in ("object", "integer", "number") or any(
        mark in document for mark in marks
    )
