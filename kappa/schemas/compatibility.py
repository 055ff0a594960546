"""Whether what one schema wrote can be read through another, and the modes that ask for it.

The rules are Avro's schema resolution: records, enums and fixed match by unqualified name or by
an alias of the reader's, fields by name or alias; what the writer lacks needs a default; numbers
are promoted, text and bytes stand for each other; every branch of the writer's union must find
one in the reader's. Where Avro looks at nothing but the type beneath a logical type, and so
would read days as milliseconds, kappa is stricter: a logical type is read as itself, with the
same or a finer unit, or as the plain type beneath it.

Sources: Apache Avro 1.12 specification, "Schema Resolution"; Confluent Platform documentation,
"Schema Evolution and Compatibility".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kappa.errors import ConfigError
from kappa.schemas.schema import Schema
from kappa.schemas.types import (
    Anything,
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
    String,
    Time,
    Timestamp,
    Type,
    Union,
    Uuid,
)

__all__ = ["MODES", "Break", "Conflict", "breaks", "check_mode", "conflicts", "source_field"]

MODES = (
    "NONE",
    "BACKWARD",
    "BACKWARD_TRANSITIVE",
    "FORWARD",
    "FORWARD_TRANSITIVE",
    "FULL",
    "FULL_TRANSITIVE",
)
DEFAULT_MODE = "BACKWARD_TRANSITIVE"
"""A log is replayed from its start, so the newest schema must read all that was ever written."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """One place where rows of one schema cannot be read through another.

    Attributes:
        field: the path to it, "" for the row itself.
        problem: what is in the way.
    """

    field: str
    problem: str

    def __str__(self) -> str:
        return f"field {self.field!r}: {self.problem}" if self.field else self.problem


@dataclass(frozen=True, slots=True)
class Break:
    """One thing that a new schema breaks.

    Attributes:
        version: the version that it does not go with; 0 for records older than any.
        direction: "backward": the new one cannot read that version's rows; "forward": that
            version cannot read the new one's.
        field: the path to what breaks, as the reader names it; "" for the row itself.
        problem: what is in the way.
    """

    version: int
    direction: str
    field: str
    problem: str

    def __str__(self) -> str:
        if self.version == 0:
            return self.problem
        if self.direction == "backward":
            what = f"it cannot read what version {self.version} wrote"
        else:
            what = f"version {self.version} cannot read what it writes"
        return f"{what}: {Conflict(self.field, self.problem)}"


def check_mode(mode: str) -> str:
    """The mode itself, in capitals.

    Raises:
        ConfigError: there is none of that name.

    >>> check_mode("full")
    'FULL'
    """
    found = mode.upper() if isinstance(mode, str) else mode
    if found not in MODES:
        raise ConfigError(f"compatibility is {mode!r}: give one of {', '.join(MODES)}")
    return found


def breaks(new: Schema, versions: Sequence[tuple[int, Schema]], mode: str) -> list[Break]:
    """What a new schema breaks under a mode.

    Args:
        new: the schema.
        versions: number and schema of those before it, oldest first.
        mode: one of `MODES`.

    >>> from kappa.schemas import Field, Int, Schema
    >>> old, new = (Schema.record("R", [Field(name, Int())]) for name in "ab")
    >>> for one in breaks(new, [(1, old)], "FULL"):
    ...     print(one.version, one.direction, one.field, "-", one.problem)
    1 backward b - version 1 has no such field, and there is no default
    1 forward a - the new one has no such field, and there is no default
    """
    mode = check_mode(mode)
    base = mode.removesuffix("_TRANSITIVE")
    asked = versions if mode != base else versions[-1:]
    found: list[Break] = []
    for number, old in asked:
        if base in ("BACKWARD", "FULL"):
            found += (
                Break(number, "backward", one.field, one.problem)
                for one in conflicts(old, new, writer_name=f"version {number}")
            )
        if base in ("FORWARD", "FULL"):
            found += (
                Break(number, "forward", one.field, one.problem)
                for one in conflicts(new, old, writer_name="the new one")
            )
    return found


def conflicts(writer: Schema, reader: Schema, *, writer_name: str = "the writer") -> list[Conflict]:
    """Every place where rows of `writer` cannot be read through `reader`; empty if they can."""
    return list(_Comparing(writer, reader, writer_name).types(writer.root, reader.root, ""))


def source_field(field: Field, writer: Record) -> Field | None:
    """The field of the writer's that a reader's field is read from: by name, then by aliases."""
    for name in field.names:
        found = writer.field(name)
        if found is not None:
            return found
    return None


def names_match(writer: Record | Enum | Fixed, reader: Record | Enum | Fixed) -> bool:
    """Whether a reader's named type may stand for a writer's."""
    bare = writer.name.rpartition(".")[2]
    return (
        bare == reader.name.rpartition(".")[2]
        or writer.name in reader.aliases
        or bare in reader.aliases
    )


class _Comparing:
    """One comparison of two schemas; pairs of records that it is in the middle of are taken
    to match, so that records within records of their kind come to an end."""

    def __init__(self, writer: Schema, reader: Schema, writer_name: str) -> None:
        self.writer = writer
        self.reader = reader
        self.writer_name = writer_name
        self._open: set[tuple[str, str]] = set()

    def types(self, writer: Type, reader: Type, path: str) -> Iterator[Conflict]:
        writer, reader = self.writer.resolved(writer), self.reader.resolved(reader)
        if isinstance(reader, Anything):
            return
        if isinstance(writer, Union):
            for branch in writer.branches:
                yield from self.types(branch, reader, path)
        elif isinstance(reader, Union):
            yield from self._into_union(writer, reader, path)
        elif isinstance(writer, Record) and isinstance(reader, Record):
            yield from self._records(writer, reader, path)
        elif isinstance(writer, Enum) and isinstance(reader, Enum):
            yield from self._enums(writer, reader, path)
        elif isinstance(writer, Fixed) and isinstance(reader, Fixed):
            if not names_match(writer, reader):
                yield self._renamed(writer, reader, path)
            if writer.size != reader.size:
                yield Conflict(path, f"{writer} cannot be read as {reader}")
        elif isinstance(writer, List) and isinstance(reader, List):
            yield from self.types(writer.items, reader.items, f"{path}[]")
        elif isinstance(writer, Map) and isinstance(reader, Map):
            yield from self.types(writer.values, reader.values, f"{path}[]")
        elif not reads(writer, reader):
            yield Conflict(path, f"{writer} cannot be read as {reader}")

    def _into_union(self, writer: Type, reader: Union, path: str) -> Iterator[Conflict]:
        tried = [list(self.types(writer, branch, path)) for branch in reader.branches]
        if all(tried):
            near = [
                found
                for branch, found in zip(reader.branches, tried, strict=True)
                if self.reader.resolved(branch).kind == writer.kind
            ]
            if len(near) == 1:
                yield from near[0]
            else:
                yield Conflict(path, f"{writer} cannot be read as {reader}")

    def _records(self, writer: Record, reader: Record, path: str) -> Iterator[Conflict]:
        pair = (writer.name, reader.name)
        if pair in self._open:
            return
        if not names_match(writer, reader):
            yield self._renamed(writer, reader, path)
        self._open.add(pair)
        for field in reader.fields:
            at = f"{path}.{field.name}" if path else field.name
            found = source_field(field, writer)
            if found is None:
                yield from self._without(field, writer, at)
                continue
            yield from self.types(found.type, field.type, at)
            if found.absent and not field.optional:
                yield Conflict(
                    at, f"rows of {self.writer_name} may be without it, and there is no default"
                )
        self._open.discard(pair)

    def _without(self, field: Field, writer: Record, at: str) -> Iterator[Conflict]:
        if not field.optional:
            yield Conflict(at, f"{self.writer_name} has no such field, and there is no default")
        elif writer.open and not isinstance(self.reader.resolved(field.type), Anything):
            yield Conflict(
                at, f"rows of {self.writer_name} may have it already, with values of any type"
            )

    def _enums(self, writer: Enum, reader: Enum, path: str) -> Iterator[Conflict]:
        if not names_match(writer, reader):
            yield self._renamed(writer, reader, path)
        unknown = [symbol for symbol in writer.symbols if symbol not in reader.symbols]
        if unknown and reader.default is None:
            shown = ", ".join(unknown[:10]) + (", …" if len(unknown) > 10 else "")
            yield Conflict(path, f"it does not know {shown}, and the enum has no default")

    def _renamed(
        self, writer: Record | Enum | Fixed, reader: Record | Enum | Fixed, path: str
    ) -> Conflict:
        return Conflict(
            path,
            f"{writer.kind} {writer.name} cannot be read as {reader.kind} {reader.name}: names"
            f" differ, and {writer.name!r} is no alias",
        )


_BENEATH: dict[type[Type], Type] = {
    Uuid: String(),
    Date: Int(32),
    Duration: Int(64),
    Timestamp: Int(64),
    Decimal: Bytes(),
}


def beneath(type_: Type) -> Type:
    """The plain type beneath a logical one; any other type itself."""
    if isinstance(type_, Time):
        return Int(32) if type_.unit == "ms" else Int(64)
    return _BENEATH.get(type(type_), type_)


def reads(writer: Type, reader: Type) -> bool:
    """Whether values of one type without parts can be read as another.

    >>> reads(Int(32), Float(64)), reads(Float(64), Int(64)), reads(Date(), Timestamp())
    (True, False, False)
    """
    if writer == reader:
        return True
    match writer, reader:
        case (Time("ms"), Time("us")):
            return True
        case (Timestamp(one, "ms"), Timestamp(other, "us")):
            return one == other
        case (Decimal(), Bytes()):
            return True
        case (_, Int() | Float() | String() | Bytes()) if not isinstance(writer, Decimal):
            return _promotes(beneath(writer), reader)
    return False


def _promotes(writer: Type, reader: Type) -> bool:
    match writer, reader:
        case (Int(a), Int(b)) | (Float(a), Float(b)):
            return a <= b
        case (Int(), Float()) | (String() | Bytes(), String() | Bytes()):
            return True
    return False
