"""The types that a schema is made of: what each one stores, and how it is written in a message.

A type says which values fit by their exact Python types, as the log stores them, and by a
bound that only some values of these types keep. Records, enums and fixed bytes have names,
by which later versions of a schema find them again; a `Ref` stands for a record, enum or fixed
that the schema has named before, so that a record may hold others of its kind.

    type        values                             in Avro
    Null        None                               null
    Bool        bool                               boolean
    Int         int of 32 or 64 bits               int, long
    Float       float, or an int that equals one   float, double
    String      str                                string
    Bytes       bytes                              bytes
    Fixed       bytes of one length                fixed
    Uuid        UUID                               uuid
    Date        date                               date
    Time        time without a zone                time-micros, time-millis
    Timestamp   datetime with a zone, or without   timestamp-, local-timestamp-
    Duration    timedelta                          long of microseconds
    Decimal     finite Decimal                     decimal
    Enum        str, one of the symbols            enum
    List        list                               array
    Map         dict with str keys                 map
    Record      dict with its fields               record
    Union       a value of any branch              union
    Anything    whatever the log can store         bytes
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from kappa.errors import ConfigError
from kappa.schemas.leaves import (
    NO_TYPES,
    Anything,
    Bool,
    Bytes,
    Date,
    Decimal,
    Duration,
    Float,
    Int,
    Null,
    String,
    Time,
    Timestamp,
    Type,
    Uuid,
)

__all__ = [
    "MISSING",
    "NAMED",
    "Anything",
    "Bool",
    "Bytes",
    "Date",
    "Decimal",
    "Duration",
    "Enum",
    "Field",
    "Fixed",
    "Float",
    "Int",
    "List",
    "Map",
    "Missing",
    "Null",
    "Record",
    "Ref",
    "String",
    "Time",
    "Timestamp",
    "Type",
    "Union",
    "Uuid",
    "optional",
    "walk",
]

MAX_SYMBOLS = 100_000


class Missing:
    """What stands for no default; there is one, `MISSING`."""

    def __repr__(self) -> str:
        return "MISSING"

    def __reduce__(self) -> str:
        return "MISSING"

    def __deepcopy__(self, memo: object) -> Missing:
        return self


MISSING: Final = Missing()


@dataclass(frozen=True, slots=True)
class Fixed(Type):
    """Bytes of one length.

    Args:
        name: by which other versions of the schema find it.
        size: how many bytes.
        aliases: names that it had in earlier versions.
    """

    name: str
    size: int
    aliases: tuple[str, ...] = ()
    kind: ClassVar[str] = "fixed"
    classes: ClassVar[frozenset[type]] = frozenset({bytes})

    @property
    def free(self) -> frozenset[type]:
        return NO_TYPES

    def __post_init__(self) -> None:
        _check_name(self.name, "fixed")
        if type(self.size) is not int or self.size < 0:
            raise ConfigError(f"fixed {self.name}: size is {self.size!r}, but must be 0 or more")

    def holds(self, value: bytes) -> bool:
        return len(value) == self.size

    def __str__(self) -> str:
        return f"{self.size} bytes"


@dataclass(frozen=True, slots=True)
class Enum(Type):
    """Text that is one of some symbols.

    Args:
        name: by which other versions of the schema find it.
        symbols: the values.
        default: the symbol that a reader takes for one that it does not know.
        aliases: names that it had in earlier versions.
        doc: for people.
    """

    name: str
    symbols: tuple[str, ...]
    default: str | None = None
    aliases: tuple[str, ...] = ()
    doc: str = ""
    kind: ClassVar[str] = "enum"
    classes: ClassVar[frozenset[type]] = frozenset({str})

    @property
    def free(self) -> frozenset[type]:
        return NO_TYPES

    def __post_init__(self) -> None:
        _check_name(self.name, "enum")
        object.__setattr__(self, "symbols", tuple(self.symbols))
        if not 0 < len(self.symbols) <= MAX_SYMBOLS or len(set(self.symbols)) != len(self.symbols):
            raise ConfigError(f"enum {self.name}: give different symbols, at least one")
        if not all(type(symbol) is str for symbol in self.symbols):
            raise ConfigError(f"enum {self.name}: symbols are text, not {self.symbols!r:.80}")
        if self.default is not None and self.default not in self.symbols:
            raise ConfigError(f"enum {self.name}: the default {self.default!r} is no symbol of it")

    def holds(self, value: str) -> bool:
        return value in self.symbols

    def __str__(self) -> str:
        shown = ", ".join(self.symbols[:8]) + (", …" if len(self.symbols) > 8 else "")
        return f"one of {shown}"


@dataclass(frozen=True, slots=True)
class List(Type):
    """A list of values of one type."""

    items: Type
    kind: ClassVar[str] = "list"
    classes: ClassVar[frozenset[type]] = frozenset({list})

    def parts(self) -> tuple[Type, ...]:
        return (self.items,)

    def __str__(self) -> str:
        return f"list of {self.items}"


@dataclass(frozen=True, slots=True)
class Map(Type):
    """A dict from text to values of one type."""

    values: Type
    kind: ClassVar[str] = "map"
    classes: ClassVar[frozenset[type]] = frozenset({dict})

    def parts(self) -> tuple[Type, ...]:
        return (self.values,)

    def __str__(self) -> str:
        return f"map of {self.values}"


@dataclass(frozen=True, slots=True)
class Union(Type):
    """A value of any of several types; one with `Null` first or last is an optional value.

    Args:
        branches: the types, none of them a union, in the order in which a reader tries them.
    """

    branches: tuple[Type, ...]
    kind: ClassVar[str] = "union"

    def __post_init__(self) -> None:
        object.__setattr__(self, "branches", tuple(self.branches))
        if not self.branches or any(isinstance(one, Union) for one in self.branches):
            raise ConfigError("a union has at least one branch, and none of them is a union")

    def parts(self) -> tuple[Type, ...]:
        return self.branches

    @property
    def nullable(self) -> bool:
        """Whether None fits."""
        return any(isinstance(one, Null) for one in self.branches)

    def with_first(self, value: Any) -> Union:
        """The same union with the branch first that takes `value`: a default is one of it."""
        for branch in self.branches:
            if type(value) in branch.classes and (
                type(value) in branch.free or branch.holds(value)
            ):
                return Union((branch, *(one for one in self.branches if one is not branch)))
        return self

    def __str__(self) -> str:
        return " or ".join(map(str, self.branches))


@dataclass(frozen=True, slots=True)
class Ref(Type):
    """The record, enum or fixed of a name that the schema has defined elsewhere."""

    name: str
    kind: ClassVar[str] = "ref"

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a record.

    Args:
        name: as rows have it.
        type: of its values.
        default: what a row without it gets, at append and when older records are read. A
            union is put in an order in which the default is one of its first branch.
        required: False lets a row do without it, and stay without it.
        aliases: names that it had in earlier versions.
        doc: for people.

    >>> Field("price", Float(), default=0.0).optional, Field("price", Float()).optional
    (True, False)
    """

    name: str
    type: Type
    default: Any = MISSING
    required: bool = True
    aliases: tuple[str, ...] = ()
    doc: str = ""

    def __post_init__(self) -> None:
        if type(self.name) is not str or not self.name:
            raise ConfigError(f"{self.name!r} is no name of a field: give text")
        if not isinstance(self.type, Type):
            raise ConfigError(f"field {self.name!r}: {self.type!r} is not a type of kappa.schemas")
        object.__setattr__(self, "aliases", tuple(self.aliases))
        if isinstance(self.type, Union) and self.default is not MISSING:
            object.__setattr__(self, "type", self.type.with_first(self.default))

    @property
    def optional(self) -> bool:
        """Whether a row may come without it."""
        return self.default is not MISSING or not self.required

    @property
    def absent(self) -> bool:
        """Whether stored rows may be without it: one that has a default is filled in."""
        return not self.required and self.default is MISSING

    @property
    def names(self) -> tuple[str, ...]:
        """Its name, then those that it had before."""
        return (self.name, *self.aliases)


@dataclass(frozen=True, slots=True)
class Record(Type):
    """A dict with these fields.

    Args:
        name: by which other versions of the schema find it; may have a namespace: "a.b.Name".
        fields: in order.
        aliases: names that it had in earlier versions.
        open: whether a row may have other fields too.
        doc: for people.
    """

    name: str
    fields: tuple[Field, ...]
    aliases: tuple[str, ...] = ()
    open: bool = False
    doc: str = ""
    kind: ClassVar[str] = "record"
    classes: ClassVar[frozenset[type]] = frozenset({dict})

    def __post_init__(self) -> None:
        _check_name(self.name, "record")
        object.__setattr__(self, "fields", tuple(self.fields))
        object.__setattr__(self, "aliases", tuple(self.aliases))
        names = [field.name for field in self.fields]
        if len(set(names)) != len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise ConfigError(f"record {self.name} has two fields {twice!r}")

    def parts(self) -> tuple[Type, ...]:
        return tuple(field.type for field in self.fields)

    def field(self, name: str) -> Field | None:
        """The field of that name, or None."""
        return next((field for field in self.fields if field.name == name), None)

    def __str__(self) -> str:
        return f"record {self.name}"


NAMED = (Record, Enum, Fixed)
"""The types that a `Ref` may stand for."""


def _check_name(name: object, what: str) -> None:
    if type(name) is not str or not name:
        raise ConfigError(f"{name!r} is no name of a {what}: give text")


def optional(type: Type, *, default: Any = MISSING) -> Union:
    """That type or None; None comes first where it is the default, as Avro has it.

    >>> str(optional(Int())), str(optional(Int(), default=None))
    ('int64 or null', 'null or int64')
    """
    own = type.branches if isinstance(type, Union) else (type,)
    inner = tuple(branch for branch in own if not isinstance(branch, Null))
    return Union((Null(), *inner) if default is None else (*inner, Null()))


def walk(type: Type) -> Iterator[Type]:
    """The type and all within it, outer ones first; a `Ref` is not followed."""
    yield type
    for part in type.parts():
        yield from walk(part)
