"""Schemas of Python classes: dataclasses, TypedDicts, msgspec Structs, pydantic models.

Annotations say the types; what Python has no annotation for goes into `Annotated`:

    price: Annotated[Decimal, kappa.schemas.Decimal(10, 2)]    the type itself
    amount: Annotated[float, Alias("price")]                   names that it had before

    annotation                     type
    bool int float str bytes       Bool Int Float String Bytes
    datetime date time timedelta   Timestamp (with a zone) Date Time Duration
    Decimal UUID                   Decimal(38, 18) Uuid
    Enum of str, Literal of str    Enum: stored as the value
    Enum of int, Literal of int    Int: stored as the value
    list set frozenset tuple       List: stored as a list
    dict[str, T] Mapping           Map
    T | None, T | U                Union
    a class of the four kinds      Record
    Any object                     Anything

A constant default is the field's default, and so is an empty container that a factory makes;
what another factory makes differs from call to call and is none. `NotRequired` lets rows do
without a field. msgspec's names for encoding are the names in rows; of pydantic it is the
names of the fields. No library is imported that has not been: its classes say what they are.
"""

from __future__ import annotations

import collections.abc as abc
import dataclasses
import datetime as dt
import decimal
import enum
import sys
import types as pytypes
import typing
import uuid
from collections.abc import Iterator
from typing import Any, NamedTuple

from kappa.errors import ConfigError
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

__all__ = ["Alias", "Member", "kind_of", "members", "record_of", "stripped", "type_of"]

LISTS = (
    list, set, frozenset, tuple, abc.Sequence, abc.MutableSequence, abc.Collection, abc.Set,
    abc.MutableSet, abc.Iterable,
)  # fmt: skip
MAPS = (dict, abc.Mapping, abc.MutableMapping)
FACTORIES = (list, dict, set, frozenset, tuple)
_LEAVES: dict[Any, Type] = {
    type(None): Null(), None: Null(), bool: Bool(), int: Int(), float: Float(), str: String(),
    bytes: Bytes(), dt.datetime: Timestamp(), dt.date: Date(), dt.time: Time(),
    dt.timedelta: Duration(), decimal.Decimal: Decimal(38, 18), uuid.UUID: Uuid(),
    Any: Anything(), object: Anything(),
}  # fmt: skip
_ZONED = {"AwareDatetime": Timestamp(), "NaiveDatetime": Timestamp(zone=False)}  # pydantic's
_WRAPPERS = {"ClassVar", "Final", "Required", "NotRequired", "ReadOnly"}


@dataclasses.dataclass(frozen=True, init=False)
class Alias:
    """In `Annotated`: the names that a field had in earlier versions.

    >>> Alias("price", "cost").names
    ('price', 'cost')
    """

    names: tuple[str, ...]

    def __init__(self, *names: str) -> None:
        object.__setattr__(self, "names", names)


class Member(NamedTuple):
    """One field of a class.

    Attributes:
        name: as rows have it.
        attribute: as instances have it.
        annotation: its type, with what `Annotated` adds.
        default: constant default as an instance has it, or `MISSING`.
        required: whether instances must be given it.
        may_lack: whether rows may be without it.
        aliases: names that it had before.
        doc: for people.
    """

    name: str
    attribute: str
    annotation: Any
    default: Any = MISSING
    required: bool = True
    may_lack: bool = False
    aliases: tuple[str, ...] = ()
    doc: str = ""


def kind_of(cls: Any) -> str | None:
    """Which of the four kinds of classes it is; None for any other.

    >>> kind_of(Member), kind_of(dataclasses.make_dataclass("Bid", ["price"]))
    (None, 'dataclass')
    """
    if not isinstance(cls, type):
        return None
    if typing.is_typeddict(cls):
        return "TypedDict"
    if dataclasses.is_dataclass(cls):
        return "dataclass"
    pydantic, msgspec = sys.modules.get("pydantic"), sys.modules.get("msgspec")
    if msgspec is not None and issubclass(cls, msgspec.Struct):
        return "Struct"
    if pydantic is not None and issubclass(cls, pydantic.BaseModel):
        return "model"
    return None


def members(cls: Any) -> list[Member]:
    """The fields of a class of one of the four kinds, in order.

    Raises:
        ConfigError: it is none, or an annotation names what is not there.
    """
    found = _MEMBERS.get(kind_of(cls) or "")
    if found is None:
        raise ConfigError(
            f"{cls!r} is no class with fields: give a dataclass, TypedDict, msgspec Struct or"
            " pydantic model"
        )
    try:
        hints = typing.get_type_hints(cls, include_extras=True)
    except (NameError, TypeError) as error:
        raise ConfigError(f"{cls.__qualname__}: an annotation cannot be read: {error}") from None
    return [_with_aliases(member) for member in found(cls, hints)]


def _with_aliases(member: Member) -> Member:
    found = [extra for extra in _extras(member.annotation) if isinstance(extra, Alias)]
    names = tuple(name for alias in found for name in alias.names)
    return member._replace(aliases=member.aliases + names)


def _of_dataclass(cls: Any, hints: dict[str, Any]) -> Iterator[Member]:
    for one in dataclasses.fields(cls):
        given = one.default is not dataclasses.MISSING
        factory = one.default_factory is not dataclasses.MISSING
        default = one.default if given else _made(one.default_factory if factory else None)
        yield Member(
            one.name,
            one.name,
            hints[one.name],
            default,
            not given and not factory,
            aliases=tuple(one.metadata.get("aliases", ())),
            doc=str(one.metadata.get("doc", "")),
        )


def _of_typed_dict(cls: Any, hints: dict[str, Any]) -> Iterator[Member]:
    for name, annotation in hints.items():
        # Where annotations are text, the class has not seen what is said of single keys.
        said = _wrapped(annotation)
        lacks = said == "NotRequired" or (said is None and name in cls.__optional_keys__)
        yield Member(name, name, annotation, required=not lacks, may_lack=lacks)


def _of_struct(cls: Any, hints: dict[str, Any]) -> Iterator[Member]:
    structs = sys.modules["msgspec"].structs
    nothing = sys.modules["msgspec"].NODEFAULT
    for one in structs.fields(cls):
        default = one.default
        if default is nothing:
            default = _made(None if one.default_factory is nothing else one.default_factory)
        yield Member(one.encode_name, one.name, hints[one.name], default, one.required)


def _of_model(cls: Any, hints: dict[str, Any]) -> Iterator[Member]:
    for name, one in cls.model_fields.items():
        default: Any = MISSING
        if not one.is_required():
            default = _made(one.default_factory) if one.default_factory else one.default
        annotation = hints.get(name, one.annotation)
        if one.metadata:
            annotation = typing.Annotated[(annotation, *one.metadata)]
        yield Member(name, name, annotation, default, one.is_required(), doc=one.description or "")


_MEMBERS = {
    "dataclass": _of_dataclass,
    "TypedDict": _of_typed_dict,
    "Struct": _of_struct,
    "model": _of_model,
}


def _made(factory: Any) -> Any:
    return factory() if factory in FACTORIES else MISSING


def stripped(annotation: Any) -> Any:
    """An annotation without `Annotated`, `NotRequired` and the like, and without new names."""
    while True:
        origin = typing.get_origin(annotation)
        if origin is typing.Annotated:
            annotation = annotation.__origin__
        elif getattr(origin, "__name__", getattr(origin, "_name", None)) in _WRAPPERS:
            annotation = typing.get_args(annotation)[0]
        elif hasattr(annotation, "__supertype__"):
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":
            annotation = annotation.__value__
        else:
            return annotation


def _wrapped(annotation: Any) -> str | None:
    """ "Required" or "NotRequired", where an annotation says it."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _wrapped(annotation.__origin__)
    name = getattr(origin, "__name__", getattr(origin, "_name", None))
    if name in ("Required", "NotRequired"):
        return str(name)
    return _wrapped(typing.get_args(annotation)[0]) if name == "ReadOnly" else None


def _extras(annotation: Any) -> Iterator[Any]:
    """What `Annotated` adds, at any depth of wrappers."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        yield from annotation.__metadata__
        yield from _extras(annotation.__origin__)
    elif getattr(origin, "__name__", getattr(origin, "_name", None)) in _WRAPPERS:
        yield from _extras(typing.get_args(annotation)[0])


def record_of(cls: Any, *, name: str | None = None) -> Record:
    """The record of a class of one of the four kinds.

    Args:
        cls: the class.
        name: of the record, in place of the class's.

    Raises:
        ConfigError: a field has a type that no schema has.

    >>> @dataclasses.dataclass
    ... class Bid:
    ...     auction: int
    ...     tags: set[str] = dataclasses.field(default_factory=set)
    >>> [f"{field.name}: {field.type}" for field in record_of(Bid).fields]
    ['auction: int64', 'tags: list of string']
    """
    made = _Reading().record(cls, name)
    assert isinstance(made, Record)
    return made


def type_of(annotation: Any) -> Type:
    """The type of an annotation.

    >>> str(type_of(dict[str, int | None]))
    'map of int64 or null'
    """
    return _Reading().type(annotation, "the annotation")


class _Reading:
    """The classes that it is in the middle of, which stand as refs in their own fields."""

    def __init__(self) -> None:
        self._open: dict[Any, str] = {}

    def record(self, cls: Any, name: str | None = None) -> Type:
        if cls in self._open:
            return Ref(self._open[cls])
        name = self._open[cls] = name or cls.__name__
        fields = tuple(self._field(member, name) for member in members(cls))
        del self._open[cls]
        extra = getattr(cls, "model_config", {}).get("extra") if kind_of(cls) == "model" else None
        return Record(name, fields, open=extra == "allow")

    def _field(self, member: Member, record: str) -> Field:
        from kappa.schemas.instances import plain

        where = f"{record}.{member.name}"
        type_ = self.type(member.annotation, where)
        default = member.default
        if default is not MISSING:
            default = plain(default)
            if isinstance(type_, Float) and type(default) is int:
                default = float(default)
        return Field(member.name, type_, default, not member.may_lack, member.aliases, member.doc)

    def type(self, annotation: Any, where: str) -> Type:
        extras = list(_extras(annotation))
        bare = stripped(annotation)
        given = next((one for one in extras if isinstance(one, Type)), None)
        if given is not None:
            optional = type(None) in typing.get_args(bare) and _is_union(bare)
            return Union((given, Null())) if optional else given
        return _narrowed(self._bare(bare, where), extras)

    def _bare(self, bare: Any, where: str) -> Type:
        origin, arguments = typing.get_origin(bare), typing.get_args(bare)
        if isinstance(bare, Type):
            return bare
        if _is_union(bare):
            return _union([self.type(one, where) for one in arguments])
        if origin is typing.Literal:
            return _literal(arguments, where)
        if origin in LISTS or bare in LISTS:
            inner = [self.type(one, where) for one in arguments if one is not ...]
            return List(_union(inner) if inner else Anything())
        if origin in MAPS or bare in MAPS:
            return self._map(arguments, where)
        if kind_of(origin or bare) is not None:
            return self.record(origin or bare)
        return self._leaf(bare, where)

    def _map(self, arguments: tuple[Any, ...], where: str) -> Type:
        if not arguments:
            return Map(Anything())
        if stripped(arguments[0]) is not str:
            raise ConfigError(f"{where}: the keys of a dict must be str, not {arguments[0]!r}")
        return Map(self.type(arguments[1], where))

    def _leaf(self, bare: Any, where: str) -> Type:
        try:
            found = _LEAVES.get(bare)
        except TypeError:
            found = None
        if found is not None:
            return found
        if isinstance(bare, typing.TypeVar):
            return Anything()
        if isinstance(bare, type):
            if issubclass(bare, enum.Enum):
                return _enum(bare, where)
            if bare.__name__ in _ZONED and bare.__module__.startswith("pydantic"):
                return _ZONED[bare.__name__]
        raise ConfigError(
            f"{where}: no type of a schema for {bare!r}; Annotated[..., type] says one"
        )


def _is_union(annotation: Any) -> bool:
    return typing.get_origin(annotation) in (typing.Union, pytypes.UnionType)


def _union(types: list[Type]) -> Type:
    flat: list[Type] = []
    for one in types:
        for branch in one.branches if isinstance(one, Union) else (one,):
            if branch not in flat:
                flat.append(branch)
    if any(isinstance(one, Anything) for one in flat):
        return Anything()
    return flat[0] if len(flat) == 1 else Union(tuple(flat))


def _literal(values: tuple[Any, ...], where: str) -> Type:
    rest = [value for value in values if value is not None]
    if rest and all(type(value) is str for value in rest):
        made: Type = Enum(where.replace(".", "_"), tuple(dict.fromkeys(rest)))
    elif rest:
        made = _union([_LEAVES.get(type(value), Anything()) for value in rest])
    else:
        return Null()
    return made if len(rest) == len(values) else Union((made, Null()))


def _enum(cls: type[enum.Enum], where: str) -> Type:
    values = [member.value for member in cls]
    if values and all(isinstance(value, str) for value in values):
        return Enum(cls.__name__, tuple(str(value) for value in dict.fromkeys(values)))
    if values and all(isinstance(value, int) and type(value) is not bool for value in values):
        return Int()
    raise ConfigError(
        f"{where}: {cls.__qualname__} has values that are neither all str nor all int"
    )


def _narrowed(type_: Type, extras: list[Any]) -> Type:
    """What the constraints of msgspec and pydantic say of a type, if they say something."""
    for extra in extras:
        zone = getattr(extra, "tz", None)
        if isinstance(type_, Timestamp) and isinstance(zone, bool):
            type_ = Timestamp(zone, type_.unit)
        digits, places = (getattr(extra, name, None) for name in ("max_digits", "decimal_places"))
        if isinstance(type_, Decimal) and digits is not None:
            type_ = Decimal(digits, places or 0)
    return type_
