"""Whether a value fits a type, and every place where it does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kappa.codec.kinds import type_name
from kappa.schemas.types import Anything, List, Map, Record, Ref, Type, Union

__all__ = ["MAX_DEPTH", "Names", "Problem", "fits", "problems", "shown"]

MAX_DEPTH = 200
"""How deep records may lie within records of their own kind."""
SHOWN = 80

Names = Mapping[str, Type]
"""The named types of a schema, for its refs."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One place where a row does not fit its schema.

    Attributes:
        field: the path to it: "price", "items[2].sku", "" for the row itself.
        expected: what the schema says.
        got: what was there instead.
        row: number of the row among those that were checked together, from 0.

    >>> str(Problem("price", "float64", "str '12'", row=3))
    "field 'price' of row 3: expected float64, got str '12'"
    """

    field: str
    expected: str
    got: str
    row: int | None = None

    def __str__(self) -> str:
        what = f"field {self.field!r}" if self.field else "the value"
        of = "" if self.row is None else f" of row {self.row}"
        return f"{what}{of}: expected {self.expected}, got {self.got}"


def shown(value: Any) -> str:
    """A value for a message: its type, and as much of it as a line takes.

    >>> from datetime import timedelta
    >>> shown("12"), shown(None), shown(timedelta(1))
    ("str '12'", 'None', 'datetime.timedelta(days=1)')
    """
    if value is None:
        return "None"
    text = repr(value)
    kind = type_name(type(value))
    if not text.startswith((kind, kind.rpartition(".")[2])):
        text = f"{kind} {text}"
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"


def fits(type_: Type, value: Any, names: Names) -> bool:
    """Whether a value fits a type."""
    return next(problems(type_, value, names), None) is None


def problems(
    type_: Type, value: Any, names: Names, *, path: str = "", row: int | None = None, depth: int = 0
) -> Iterator[Problem]:
    """Every place where a value does not fit a type, in the order of the type's fields.

    Args:
        type_: what is expected.
        value: what there is.
        names: the named types that refs stand for.
        path: where the value lies.
        row: number of the row, for the problems.
        depth: levels above it.
    """
    if isinstance(type_, Ref):
        type_ = names[type_.name]
    if depth > MAX_DEPTH:
        yield Problem(path, f"at most {MAX_DEPTH} levels", "more", row)
    elif isinstance(type_, Union):
        yield from _union(type_, value, names, path, row, depth)
    elif isinstance(type_, Anything):
        return
    elif type(value) not in type_.classes:
        yield Problem(path, str(type_), shown(value), row)
    elif isinstance(type_, Record):
        yield from _record(type_, value, names, path, row, depth)
    elif isinstance(type_, List):
        for at, item in enumerate(value):
            yield from problems(
                type_.items, item, names, path=f"{path}[{at}]", row=row, depth=depth + 1
            )
    elif isinstance(type_, Map):
        yield from _map(type_, value, names, path, row, depth)
    elif type(value) not in type_.free and not type_.holds(value):
        yield Problem(path, str(type_), shown(value), row)


def _union(
    union: Union, value: Any, names: Names, path: str, row: int | None, depth: int
) -> Iterator[Problem]:
    likely: list[Type] = []
    for branch in union.branches:
        own = names[branch.name] if isinstance(branch, Ref) else branch
        if not own.classes or type(value) in own.classes:
            if next(problems(own, value, names, depth=depth + 1), None) is None:
                return
            likely.append(own)
    if len(likely) == 1:  # say what is wrong within it, not just that it is wrong
        yield from problems(likely[0], value, names, path=path, row=row, depth=depth + 1)
    else:
        yield Problem(path, str(union), shown(value), row)


def _record(
    record: Record, value: dict[Any, Any], names: Names, path: str, row: int | None, depth: int
) -> Iterator[Problem]:
    found = 0
    for field in record.fields:
        at = f"{path}.{field.name}" if path else field.name
        if field.name in value:
            found += 1
            inner = value[field.name]
            yield from problems(field.type, inner, names, path=at, row=row, depth=depth + 1)
        elif not field.optional:
            own = field.type
            expected = names[own.name] if isinstance(own, Ref) else own
            yield Problem(at, str(expected), "no such field", row)
    if found < len(value) and not record.open:
        known = {field.name for field in record.fields}
        for name in value:
            if name not in known:
                at = f"{path}.{name}" if path else str(name)
                yield Problem(at, "no such field", shown(value[name]), row)


def _map(
    map_: Map, value: dict[Any, Any], names: Names, path: str, row: int | None, depth: int
) -> Iterator[Problem]:
    for key, inner in value.items():
        if type(key) is not str:
            yield Problem(path, "keys that are str", f"the key {shown(key)}", row)
        else:
            at = f"{path}[{key!r}]"
            yield from problems(map_.values, inner, names, path=at, row=row, depth=depth + 1)
