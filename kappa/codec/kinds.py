"""Which types can be stored: plain ones, containers, leaves, and registered dataclasses."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TypeVar
from uuid import UUID

from kappa.errors import ConfigError, RecordRefused

__all__ = [
    "BY_CLASS",
    "BY_NAME",
    "CONTAINERS",
    "LEAVES",
    "PLAIN",
    "Registered",
    "refused",
    "register",
    "type_name",
]

PLAIN = frozenset({int, float, str, bytes, bool, type(None)})
"""Types that msgpack's C code stores exactly by itself; only an int may need the hook."""
CONTAINERS = frozenset({list, dict, tuple, set, frozenset})
LEAVES = PLAIN | {date, time, datetime, timedelta, Decimal, UUID}

Class = TypeVar("Class", bound=type)


@dataclasses.dataclass(frozen=True, slots=True)
class Registered:
    """How one dataclass is taken apart and built again.

    Args:
        cls: the class.
        name: what stands for it in stored bytes.
        fields: names of its fields, in order.
        defaults: what makes the default of those that have one.
    """

    cls: type
    name: str
    fields: tuple[str, ...]
    defaults: dict[str, Callable[[], object]]


BY_CLASS: dict[type, Registered] = {}
BY_NAME: dict[str, Registered] = {}


def register(cls: Class, *, name: str | None = None) -> Class:
    """Let instances of a dataclass be stored; usable as a decorator.

    Fields are stored by name and set without calling `__init__` or `__post_init__`. A
    field that stored bytes do not have takes its default, so fields may be added.

    Args:
        cls: the dataclass.
        name: what stands for it in stored bytes; keep it when the class moves.

    Raises:
        ConfigError: not a dataclass, or another class has that name.

    >>> from dataclasses import make_dataclass
    >>> Point = register(make_dataclass("Point", ["x", "y"]), name="Point")
    >>> from kappa.codec import decode, encode
    >>> decode(encode(Point(1, y=(2,))))
    Point(x=1, y=(2,))
    """
    if not isinstance(cls, type) or not dataclasses.is_dataclass(cls):
        raise ConfigError(f"{cls!r} is not a dataclass; only dataclasses can be registered")
    name = name or f"{cls.__module__}.{cls.__qualname__}"
    known = BY_NAME.get(name)
    if known is not None and _full_name(known.cls) != _full_name(cls):
        raise ConfigError(f"{name!r} already stands for {_full_name(known.cls)}; give name=")
    defaults: dict[str, Callable[[], object]] = {}
    for field in dataclasses.fields(cls):
        if field.default_factory is not dataclasses.MISSING:
            defaults[field.name] = field.default_factory
        elif field.default is not dataclasses.MISSING:
            defaults[field.name] = _constant(field.default)
    names = tuple(field.name for field in dataclasses.fields(cls))
    BY_CLASS[cls] = BY_NAME[name] = Registered(cls, name, names, defaults)
    return cls


def _full_name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _constant(value: object) -> Callable[[], object]:
    return lambda: value


def refused(kind: type) -> RecordRefused:
    """The error for a value of a type that cannot be stored, with what to do instead.

    >>> str(refused(bytearray))
    'bytearray cannot be stored: convert it to bytes'
    """
    return RecordRefused(f"{type_name(kind)} cannot be stored: {_advice(kind)}")


def type_name(kind: type) -> str:
    """The name of a type as its user would write it.

    >>> type_name(int), type_name(Decimal)
    ('int', 'decimal.Decimal')
    """
    return kind.__qualname__ if kind.__module__ == "builtins" else _full_name(kind)


def _advice(kind: type) -> str:
    if dataclasses.is_dataclass(kind):
        return "register the dataclass with kappa.codec.register"
    if kind in (bytearray, memoryview):
        return "convert it to bytes"
    for base in (bool, int, float, str, bytes, dict, list, tuple, set, frozenset):
        if issubclass(kind, base):
            return f"it would come back as a plain {base.__name__}; convert it to one"
    if callable(getattr(kind, "item", None)):
        return "convert it with .item()"
    return "not a type that comes back as it was"
