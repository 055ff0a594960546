"""Reading rows of one schema through another: defaults, promotions, aliases.

A `Resolution` is made once per pair of versions and then applied to columns, so that what does
not change costs nothing: a field of the same type in both is handed on as the list it is.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, TypeAlias

from kappa.errors import ContractViolation
from kappa.schemas.checking import fits
from kappa.schemas.compatibility import beneath, conflicts, source_field
from kappa.schemas.defaults import default_to
from kappa.schemas.schema import Schema
from kappa.schemas.types import (
    MISSING,
    Anything,
    Bytes,
    Decimal,
    Enum,
    Field,
    Float,
    Int,
    List,
    Map,
    Record,
    String,
    Type,
    Union,
)

__all__ = ["Resolution", "as_stored_before"]

Convert: TypeAlias = "Callable[[Any], Any] | None"
"""What makes the reader's value of the writer's; None where it is the same."""
_SHARED = (str, int, float, bool, bytes, type(None))


@dataclass(frozen=True, slots=True)
class _Read:
    """How one field of the reader's is made."""

    field: Field
    source: str | None
    convert: Convert

    def filled(self, count: int) -> list[Any]:
        """The default, as often as there are rows; each its own where it can be changed."""
        default = self.field.default
        if type(default) in _SHARED:
            return [default] * count
        return [deepcopy(default) for _ in range(count)]


def as_stored_before(schema: Schema) -> Schema:
    """What rows were that fit a schema and were stored before it was set.

    Ints may stand for floats, and fields that have defaults may be missing.
    """
    return Schema(_before(schema.root))


def _before(type_: Type) -> Type:
    match type_:
        case Float():
            return Union((type_, Int()))
        case List(items):
            return List(_before(items))
        case Map(values):
            return Map(_before(values))
        case Union(branches):
            before = dict.fromkeys(_before(one) for one in branches)
            flat = (one.branches if isinstance(one, Union) else (one,) for one in before)
            return Union(tuple(dict.fromkeys(chain.from_iterable(flat))))
        case Record():
            fields = tuple(
                Field(
                    one.name,
                    _before(one.type),
                    required=not one.optional,
                    aliases=one.aliases,
                )
                for one in type_.fields
            )
            return replace(type_, fields=fields)
    return type_


class Resolution:
    """Sees rows of `writer` as rows of `reader`, where that is possible.

    Attributes:
        writer, reader: the schemas.
        possible: whether every row can be read; if not, rows are to be read as they are.
        same: whether rows come out as they are, all fields included.

    >>> from kappa.schemas import Field, Float, Int, Schema, String
    >>> old = Schema.record("Bid", [Field("price", Int()), Field("gone", Int())])
    >>> amount, unit = Field("amount", Float(), aliases=("price",)), Field("unit", String(), "EUR")
    >>> new = Schema.record("Bid", [amount, unit])
    >>> Resolution(old, new).row({"price": 7, "gone": 1})
    {'amount': 7.0, 'unit': 'EUR'}
    """

    def __init__(self, writer: Schema, reader: Schema) -> None:
        self.writer = writer
        self.reader = reader
        self.possible = not conflicts(writer, reader)
        self.same = True
        self._reads: list[_Read] = []
        self._whole: Convert = None
        self._open = False
        if self.possible:
            self._build(writer.root, reader.root)

    def _build(self, writer: Type, reader: Type) -> None:
        building = _Building(self.writer, self.reader)
        if isinstance(writer, Record) and isinstance(reader, Record):
            self._reads = building.fields(writer, reader)
            self._open = reader.open
            self.same = _is_same(writer, reader, self._reads)
            self._whole = _record(self._reads, reader.open)
        else:
            self._whole = building.convert(writer, reader)
            self.same = self._whole is None

    def row(self, row: Any) -> Any:
        """One row as the reader has it; None where a record has been taken out."""
        if self.same or self._whole is None or (row is None and self._reads):
            return row
        return self._whole(row)

    def rows(self, rows: Iterable[Any]) -> list[Any]:
        """Rows as the reader has them."""
        return list(rows) if self.same else list(map(self.row, rows))

    def names(self, names: Collection[str]) -> tuple[str, ...]:
        """The fields of rows that had these as the writer's, in the order of `columns`."""
        if self.same:
            return tuple(names)
        made = dict.fromkeys(
            read.field.name
            for read in self._reads
            if read.source in names or read.field.default is not MISSING
        )
        if self._open:
            taken = {read.source for read in self._reads}
            made |= dict.fromkeys(name for name in names if name not in taken)
        return tuple(made)

    def sources(self, fields: Collection[str] | None) -> frozenset[str] | None:
        """The writer's fields from which some of the reader's are made; None for all."""
        if self.same or fields is None:
            return None if fields is None else frozenset(fields)
        own = {read.field.name: read.source for read in self._reads}
        wanted = (own.get(name, name if self._open else None) for name in fields)
        return frozenset(name for name in wanted if name is not None)

    def columns(
        self, columns: dict[str, list[Any]], count: int, fields: Collection[str] | None = None
    ) -> dict[str, list[Any]]:
        """Columns as the reader has them.

        Args:
            columns: of the writer's fields that `sources(fields)` names.
            count: rows.
            fields: the reader's fields that are wanted; None for all.
        """
        if self.same:
            return columns
        made: dict[str, list[Any]] = {}
        for read in self._reads:
            name = read.field.name
            if fields is not None and name not in fields:
                continue
            if read.source is not None and read.source in columns:
                column = columns[read.source]
                made[name] = column if read.convert is None else _mapped(read, column)
            elif read.field.default is not MISSING:
                made[name] = read.filled(count)
        if self._open:
            taken = {read.source for read in self._reads}
            made |= {name: one for name, one in columns.items() if name not in taken}
        return made

    def solid(self, solid: Collection[str]) -> frozenset[str]:
        """Of columns known to be all int or all float, those that still are, by their new names."""
        return frozenset(
            read.field.name
            for read in self._reads
            if read.source in solid and read.convert in (None, float)
        )


def _mapped(read: _Read, column: list[Any]) -> list[Any]:
    assert read.convert is not None
    try:
        return list(map(read.convert, column))
    except (ValueError, ArithmeticError) as error:
        raise ContractViolation(
            f"field {read.field.name!r}: a value cannot be read as {read.field.type}: {error}",
            field=read.field.name,
        ) from None


class _Building:
    """Builds converters for two schemas; pairs of records are built once, and may hold each
    other."""

    def __init__(self, writer: Schema, reader: Schema) -> None:
        self.writer = writer
        self.reader = reader
        self._records: dict[tuple[str, str], list[Convert]] = {}

    def possible(self, writer: Type, reader: Type) -> bool:
        names = (dict(self.writer.names), dict(self.reader.names))
        return not conflicts(_Part(writer, names[0]), _Part(reader, names[1]))  # type: ignore[arg-type]

    def convert(self, writer: Type, reader: Type) -> Convert:
        writer, reader = self.writer.resolved(writer), self.reader.resolved(reader)
        match writer, reader:
            case (_, Anything()):
                return None
            case (Union(), _):
                return self._from_union(writer, reader)
            case (_, Union()):
                return self.convert(writer, self.branch(writer, reader))
            case (Record(), Record()):
                return self._record(writer, reader)
            case (List(), List()):
                item = self.convert(writer.items, reader.items)
                return None if item is None else lambda value: list(map(item, value))
            case (Map(), Map()):
                inner = self.convert(writer.values, reader.values)
                if inner is None:
                    return None
                return lambda value: {key: inner(one) for key, one in value.items()}
            case (Enum(), Enum()):
                return _known_symbols(writer, reader)
        return _promotion(writer, reader)

    def branch(self, writer: Type, union: Union) -> Type:
        """The branch that a value is read as: the same type if there is one, else the first."""
        able = [one for one in union.branches if self.possible(writer, one)]
        equal = (one for one in able if self.reader.resolved(one) == writer)
        return next(equal, able[0])

    def fields(self, writer: Record, reader: Record) -> list[_Read]:
        reads = []
        for field in reader.fields:
            found = source_field(field, writer)
            convert = None if found is None else self.convert(found.type, field.type)
            if found is None:
                source = field.name if writer.open else None
            else:
                source = found.name
            reads.append(_Read(field, source, convert))
        return reads

    def _record(self, writer: Record, reader: Record) -> Convert:
        pair = (writer.name, reader.name)
        known = self._records.get(pair)
        if known is None:
            known = self._records[pair] = []
            reads = self.fields(writer, reader)
            same = _is_same(writer, reader, reads)
            known.append(None if same else _record(reads, reader.open))
            return known[0]
        if known:
            return known[0]
        # In the middle of building it: a record within one of its kind.
        return lambda value: value if known[0] is None else known[0](value)

    def _from_union(self, writer: Union, reader: Type) -> Convert:
        branches = [
            (self.writer.resolved(branch), self.convert(branch, reader))
            for branch in writer.branches
        ]
        if all(convert is None for _, convert in branches):
            return None
        names = self.writer.names
        by_type = _by_type(branches)
        if by_type is not None:

            def convert_by_type(value: Any) -> Any:
                own = by_type[type(value)]
                return value if own is None else own(value)

            return convert_by_type

        def convert(value: Any) -> Any:
            for branch, own in branches:
                if fits(branch, value, names):
                    return value if own is None else own(value)
            return value

        return convert


def _by_type(branches: Sequence[tuple[Type, Convert]]) -> dict[type, Convert] | None:
    """The converters by the exact type of a stored value, if that tells the branch."""
    found: dict[type, Convert] = {}
    for branch, convert in branches:
        # A stored float is one: an int that stood for it was made one when it was appended.
        classes = {float} if isinstance(branch, Float) else branch.classes
        if not classes or not found.keys().isdisjoint(classes):
            return None
        found |= dict.fromkeys(classes, convert)
    return found


@dataclass(frozen=True)
class _Part:
    """A type within a schema, looked at as one."""

    root: Type
    names: dict[str, Type]

    resolved = Schema.resolved


def _is_same(writer: Record, reader: Record, reads: Sequence[_Read]) -> bool:
    """Whether rows of one record are rows of the other as they are."""
    if any(read.convert is not None or read.source != read.field.name for read in reads):
        return False
    filled = {read.field.name for read in reads if read.field.default is not MISSING}
    if any(field.absent and field.name in filled for field in writer.fields):
        return False
    more = {field.name for field in writer.fields} - {read.source for read in reads}
    return reader.open or not (writer.open or more)


def _record(reads: Sequence[_Read], is_open: bool) -> Callable[[dict[str, Any]], dict[str, Any]]:
    taken = {read.source for read in reads}

    def convert(row: dict[str, Any]) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for read in reads:
            if read.source is not None and read.source in row:
                value = row[read.source]
                made[read.field.name] = value if read.convert is None else read.convert(value)
            elif read.field.default is not MISSING:
                made[read.field.name] = read.filled(1)[0]
        if is_open:
            made |= {name: value for name, value in row.items() if name not in taken}
        return made

    return convert


def _known_symbols(writer: Enum, reader: Enum) -> Convert:
    unknown = frozenset(writer.symbols) - frozenset(reader.symbols)
    if not unknown:
        return None
    default = reader.default
    return lambda symbol: default if symbol in unknown else symbol


def _promotion(writer: Type, reader: Type) -> Convert:
    plain = beneath(writer)
    match plain, reader:
        case (Int(), Float(64)) if plain is writer:
            return float
        case (Int() | Float(), Float(32)) if plain is writer and writer != reader:
            return _to_single
        case (Bytes(), String()) if plain is writer:
            return bytes.decode
        case (String(), Bytes()) if plain is writer:
            return str.encode
    if plain is writer or not isinstance(reader, Int | Float | String | Bytes):
        return None
    return _from_logical(writer, plain, reader)


def _from_logical(writer: Type, plain: Type, reader: Type) -> Convert:
    """Of a logical value, the plain one beneath it, promoted."""
    then = _promotion(plain, reader)

    def convert(value: Any) -> Any:
        bare = default_to(writer, value)
        if isinstance(writer, Decimal):
            bare = bare.encode("latin-1")
        return bare if then is None else then(bare)

    return convert


def _to_single(value: float) -> float:
    single: float = struct.unpack("<f", struct.pack("<f", value))[0]
    return single
