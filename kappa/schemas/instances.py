"""Instances of users' classes as plain rows, and plain rows as instances.

Going in, an instance is a dict of its fields, an enum its value, a tuple or set a list (a set
in the order of its members' bytes). Coming out, each is made again as the class declares it.
pydantic models are made by their own validation, others by calling the class.
"""

from __future__ import annotations

import dataclasses
import enum
import inspect
import typing
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeAlias

from kappa.codec import encode
from kappa.codec.columns import exact_types
from kappa.codec.kinds import LEAVES
from kappa.schemas.classes import LISTS, MAPS, Member, kind_of, members, stripped

__all__ = ["RowMaker", "plain", "plain_rows", "row_maker"]

Make: TypeAlias = "Callable[[Any], Any] | None"
"""What makes the declared value of a plain one; None where it is the same."""


# Going in.


def plain_rows(rows: Sequence[Any]) -> Sequence[Any]:
    """Rows as dicts of plain values; the same rows if all are dicts already."""
    if type(rows) is not list or not rows or exact_types(rows) == {dict}:
        return rows
    return list(map(plain, rows))


def plain(value: Any) -> Any:
    """A value as the log stores it.

    >>> @dataclasses.dataclass
    ... class Bid:
    ...     auction: int
    ...     tags: set[str]
    >>> plain(Bid(1, {"b", "a"}))
    {'auction': 1, 'tags': ['a', 'b']}
    """
    kind: Any = type(value)
    if kind in LEAVES:
        return value
    if kind is dict:
        return {key: plain(one) for key, one in value.items()}
    if kind is list or kind is tuple:
        return list(map(plain, value))
    if kind is set or kind is frozenset:
        return sorted(map(plain, value), key=encode)
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if hasattr(kind, "DESCRIPTOR") and hasattr(kind, "ListFields"):
        from kappa.schemas.protobuf import row_of_message

        return row_of_message(value)
    names = _attributes(kind)
    if names is None:
        return value
    row = {name: plain(getattr(value, attribute)) for name, attribute in names}
    if kind_of(kind) == "model" and value.model_extra:
        row |= {name: plain(one) for name, one in value.model_extra.items()}
    return row


@cache
def _attributes(kind: Any) -> tuple[tuple[str, str], ...] | None:
    if kind_of(kind) in (None, "TypedDict"):
        return None
    return tuple((member.name, member.attribute) for member in members(kind))


# Coming out.


class RowMaker:
    """Makes instances of a class of plain rows.

    Attributes:
        rows: the class.
        names: the fields that it takes.
        needed: those of them that a row must have.

    >>> @dataclasses.dataclass
    ... class Bid:
    ...     auction: int
    ...     tags: set[str]
    >>> RowMaker(Bid).row({"auction": 1, "tags": ["a"], "more": 2})
    Bid(auction=1, tags={'a'})
    """

    def __init__(self, rows: Any) -> None:
        self.rows = rows
        kind = kind_of(rows)
        taken = [one for one in members(rows) if kind != "dataclass" or _is_taken(rows, one)]
        self.names = [one.name for one in taken]
        self.needed = [one.name for one in taken if one.required]
        self._makes = {one.name: _make(one.annotation) for one in taken}
        self._attributes = {one.name: one.attribute for one in taken}
        self._positional = _positional(rows, kind)
        self._model = kind == "model"
        self._dict = kind == "TypedDict"

    @property
    def same(self) -> bool:
        """Whether rows come out as they are."""
        return self._dict and not any(self._makes.values())

    def row(self, row: Any) -> Any:
        """One row as an instance; what the class raises comes through."""
        if self._model:
            return _validated(self.rows, row)
        makes = self._makes
        made = {}
        for name in self.names:
            if name in row:
                make = makes[name]
                made[self._attributes[name]] = row[name] if make is None else make(row[name])
        return made if self._dict else self.rows(**made)

    def columns(self, columns: Sequence[list[Any]]) -> list[Any] | None:
        """Columns of all `names` as instances; None if that takes rows."""
        if not self._positional:
            return None
        makes = map(self._makes.__getitem__, self.names)
        given = [
            column if make is None else map(make, column)
            for make, column in zip(makes, columns, strict=True)
        ]
        return list(map(self.rows, *given))


def row_maker(rows: Any) -> RowMaker | None:
    """What makes instances of a class; None if rows of it are plain rows."""
    if kind_of(rows) is None:
        return None
    made = RowMaker(rows)
    return None if made.same else made


def _is_taken(cls: Any, member: Member) -> bool:
    return any(one.name == member.name and one.init for one in dataclasses.fields(cls))


def _positional(cls: Any, kind: str | None) -> bool:
    if kind == "dataclass":
        own = [one for one in dataclasses.fields(cls) if one.init]
        return bool(own) and not any(one.kw_only for one in own)
    if kind != "Struct":
        return False
    taken = inspect.signature(cls).parameters.values()
    return tuple(one.name for one in taken) == cls.__struct_fields__ and not any(
        one.kind is one.KEYWORD_ONLY for one in taken
    )


def _validated(cls: Any, row: Any) -> Any:
    return cls.model_validate(row, by_name=True, by_alias=False)


def _make(annotation: Any) -> Make:
    """What makes a declared value of a plain one."""
    bare = stripped(annotation)
    origin, arguments = typing.get_origin(bare), typing.get_args(bare)
    own = origin or bare
    if isinstance(bare, type) and issubclass(bare, enum.Enum):
        return bare
    if kind_of(own) is not None:
        return _record(own)
    if own in LISTS:
        return _listed(own, [_make(one) for one in arguments if one is not ...], arguments)
    if own in MAPS and arguments:
        return _mapped(_make(arguments[1]))
    if arguments and (origin is typing.Union or own.__name__ == "UnionType"):
        return _one_of(arguments)
    return None


@cache
def _record(cls: Any) -> Make:
    maker: list[RowMaker] = []  # made at the first row: a class may hold others of its kind

    def make(row: Any) -> Any:
        if not maker:
            maker.append(RowMaker(cls))
        return maker[0].row(row)

    return make


def _listed(own: Any, makes: list[Make], arguments: tuple[Any, ...]) -> Make:
    container = own if own in (set, frozenset, tuple) else list
    if own is tuple and len(makes) > 1:
        return lambda value: tuple(
            one if make is None else make(one) for make, one in zip(makes, value)
        )
    make = makes[0] if makes else None
    if make is None:
        return None if container is list else container
    return lambda value: container(map(make, value))


def _mapped(make: Make) -> Make:
    return None if make is None else lambda value: {key: make(one) for key, one in value.items()}


def _one_of(arguments: tuple[Any, ...]) -> Make:
    makes = [(one, _make(one)) for one in arguments if one is not type(None)]
    if all(make is None for _, make in makes):
        return None
    if len(makes) == 1:
        (_, make), *_ = makes
        return lambda value: None if value is None or make is None else make(value)

    def first(value: Any) -> Any:
        """The first branch that takes the value: of classes, the first that its fields fit."""
        for annotation, make in makes:
            if _takes(stripped(annotation), value):
                return value if make is None else make(value)
        return value

    return first


def _takes(bare: Any, value: Any) -> bool:
    own = typing.get_origin(bare) or bare
    if kind_of(own) is not None:
        return isinstance(value, dict) and all(
            one.name in value for one in members(own) if one.required
        )
    if isinstance(own, type) and issubclass(own, enum.Enum):
        return value in [member.value for member in own]
    if own in LISTS:
        return isinstance(value, list)
    if own in MAPS:
        return isinstance(value, dict)
    return type(value) is own
