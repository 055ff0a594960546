"""`Schema`: what the rows of a topic look like."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from kappa.errors import ConfigError
from kappa.schemas.checking import Problem, fits, problems
from kappa.schemas.defaults import default_from, default_to
from kappa.schemas.document import read_type, written
from kappa.schemas.types import MISSING, NAMED, Field, List, Map, Record, Ref, Type, Union, walk

__all__ = ["Schema"]

NONE: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Schema:
    """What the rows of a topic look like: a record with its fields, as a rule.

    Two schemas are equal if they say the same, documentation included. A type that is named
    twice is kept once, and a `Ref` stands in the other places.

    Args:
        root: the type of a whole row.

    Raises:
        ConfigError: a `Ref` without its type, one name for two types, or a default that its
            field does not take.

    >>> from kappa.schemas import Field, Float, Int, Schema
    >>> schema = Schema.record("Bid", [Field("auction", Int()), Field("price", Float())])
    >>> [str(problem) for problem in schema.check({"auction": "7", "price": 2.5})]
    ["field 'auction': expected int64, got str '7'"]
    >>> Schema.from_dict(schema.to_dict()) == schema
    True
    """

    root: Type
    names: Mapping[str, Type] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        names: dict[str, Type] = {}
        _check_fields(self.root)
        object.__setattr__(self, "root", _once(self.root, names))
        object.__setattr__(self, "names", names)
        self._check_refs(self.root)
        self._check_defaults(self.root)

    def __hash__(self) -> int:
        return hash(self.fingerprint)  # not of the parts: a default may be a list

    @classmethod
    def record(
        cls, name: str, fields: Iterable[Field], *, open: bool = False, doc: str = ""
    ) -> Schema:
        """The schema of rows that are dicts with these fields.

        Args:
            name: of the record; later versions keep it, or name it as an alias.
            fields: in order.
            open: whether a row may have other fields too.
            doc: for people.
        """
        return cls(Record(name, tuple(fields), open=open, doc=doc))

    @classmethod
    def from_dict(cls, document: Any) -> Schema:
        """The schema of a document in Avro's form, such as `to_dict` makes.

        Raises:
            ConfigError: it is none; the message says where it is wrong.
        """
        return cls(read_type(document))

    @classmethod
    def of(cls, source: Any, *, name: str | None = None) -> Schema:
        """The schema of a class or a document; see `kappa.schemas.schema_of`."""
        from kappa.schemas.sources import schema_of

        return schema_of(source, name=name)

    @property
    def fields(self) -> tuple[Field, ...]:
        """The fields of a row; none where a row is no record."""
        return self.root.fields if isinstance(self.root, Record) else ()

    @property
    def name(self) -> str:
        """The record's name; where a row is none, what a row is."""
        return self.root.name if isinstance(self.root, Record) else str(self.root)

    @property
    def refs(self) -> frozenset[str]:
        """The names that refs in it stand for."""
        return frozenset(one.name for one in walk(self.root) if isinstance(one, Ref))

    def field(self, name: str) -> Field | None:
        """The field of that name, or None."""
        return self.root.field(name) if isinstance(self.root, Record) else None

    def resolved(self, type_: Type) -> Type:
        """The type that a `Ref` stands for; any other type itself."""
        return self.names[type_.name] if isinstance(type_, Ref) else type_

    def check(self, row: Any, *, number: int | None = None) -> list[Problem]:
        """Every place where a row does not fit; an empty list if it does.

        Args:
            row: any value.
            number: of the row, to be named in the problems.

        Cost: about 1 µs per field; many rows at once: `kappa.schemas.Columns`.
        """
        return list(problems(self.root, row, self.names, row=number))

    def to_dict(self) -> Any:
        """The schema as plain JSON-able values: an Avro schema."""
        return written(self.root, self.names)

    @cached_property
    def fingerprint(self) -> str:
        """32 hex digits that tell it from any other; documentation does not count."""
        text = json.dumps(_bare(self.to_dict()), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def __str__(self) -> str:
        if not isinstance(self.root, Record):
            return str(self.root)
        return f"{self.name}({', '.join(f'{f.name}: {f.type}' for f in self.fields)})"

    def _check_refs(self, type_: Type) -> None:
        if isinstance(type_, Ref) and type_.name not in self.names:
            raise ConfigError(f"the schema names {type_.name!r}, but does not say what it is")
        for part in type_.parts():
            self._check_refs(part)

    def _check_defaults(self, type_: Type) -> None:
        if isinstance(type_, Record):
            for one in type_.fields:
                self._check_default(type_, one)
        for part in type_.parts():
            self._check_defaults(part)

    def _check_default(self, record: Record, one: Field) -> None:
        if one.default is not MISSING and not self._is_default(one):
            raise ConfigError(
                f"field {one.name!r} of record {record.name}: {one.default!r:.80} is no"
                f" default of type {one.type}"
            )

    def _is_default(self, one: Field) -> bool:
        """Whether a field takes its default, also when it has been written as JSON."""
        if not fits(one.type, one.default, self.names):
            return False
        document = default_to(one.type, one.default, self.names)
        again = default_from(one.type, document, one.name, self.names)
        return bool(again == one.default) or repr(again) == repr(one.default)  # NaN


def _check_fields(type_: object) -> None:
    if not isinstance(type_, Type):
        raise ConfigError(f"{type_!r:.80} is not a type of kappa.schemas")


def _once(type_: Type, names: dict[str, Type]) -> Type:
    """The type with every named type kept where it comes first, and refs in other places."""
    if isinstance(type_, NAMED):
        known = names.get(type_.name)
        if known is not None:
            if _expanded(known, names) == _expanded(type_, names):
                return Ref(type_.name)
            raise ConfigError(f"the schema says two things of {type_.name!r}: name one otherwise")
        names[type_.name] = type_
    if isinstance(type_, Record):
        whole = replace(
            type_, fields=tuple(replace(one, type=_once(one.type, names)) for one in type_.fields)
        )
        names[type_.name] = whole
        return whole
    if isinstance(type_, List):
        return List(_once(type_.items, names))
    if isinstance(type_, Map):
        return Map(_once(type_.values, names))
    if isinstance(type_, Union):
        return Union(tuple(_once(branch, names) for branch in type_.branches))
    return type_


def _expanded(type_: Type, names: Mapping[str, Type], above: frozenset[str] = NONE) -> Type:
    """The type with all refs followed, but for those to a type that they lie within."""
    if isinstance(type_, Ref) and type_.name not in above and type_.name in names:
        type_ = names[type_.name]
    if isinstance(type_, Record):
        if type_.name in above:
            return Ref(type_.name)
        inner = above | {type_.name}
        return replace(
            type_,
            fields=tuple(
                replace(one, type=_expanded(one.type, names, inner)) for one in type_.fields
            ),
        )
    if isinstance(type_, List):
        return List(_expanded(type_.items, names, above))
    if isinstance(type_, Map):
        return Map(_expanded(type_.values, names, above))
    if isinstance(type_, Union):
        return Union(tuple(_expanded(branch, names, above) for branch in type_.branches))
    return type_


def _bare(document: Any) -> Any:
    if isinstance(document, Mapping):
        return {key: _bare(value) for key, value in document.items() if key != "doc"}
    if isinstance(document, Sequence) and not isinstance(document, str):
        return [_bare(value) for value in document]
    return document
