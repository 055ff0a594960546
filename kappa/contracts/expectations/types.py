"""The names of types, as contracts and expectations write them.

Great Expectations' names and Python's are understood too; one of each is the name that
files hold.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

KINDS: dict[str, frozenset[type]] = {
    "bool": frozenset({bool}),
    "bytes": frozenset({bytes}),
    "date": frozenset({date}),
    "decimal": frozenset({Decimal}),
    "duration": frozenset({timedelta}),
    "float": frozenset({float}),
    "int": frozenset({int}),
    "list": frozenset({list, tuple}),
    "map": frozenset({dict}),
    "number": frozenset({int, float}),
    "set": frozenset({set, frozenset}),
    "str": frozenset({str}),
    "time": frozenset({time}),
    "timestamp": frozenset({datetime}),
    "uuid": frozenset({UUID}),
}
"""The classes that a name stands for."""

ALSO = {
    "array": "list",
    "boolean": "bool",
    "datetime": "timestamp",
    "datetime64": "timestamp",
    "dict": "map",
    "double": "float",
    "float64": "float",
    "int32": "int",
    "int64": "int",
    "integer": "int",
    "long": "int",
    "string": "str",
    "struct": "map",
    "text": "str",
    "timedelta": "duration",
    "tuple": "list",
}
"""Other names, and the one that files hold."""


def type_name(given: Any, wrong: Callable[[str], Exception]) -> str:
    """The one name of a type.

    Args:
        given: a name, in upper or lower case, or a class.
        wrong: makes the error.

    >>> type_name("STRING", ValueError), type_name(datetime, ValueError)
    ('str', 'timestamp')
    """
    if isinstance(given, type):
        found = [name for name, kinds in KINDS.items() if given in kinds and name != "number"]
        if found:
            return found[0]
    elif isinstance(given, str):
        name = given.strip().lower()
        name = ALSO.get(name, name)
        if name in KINDS:
            return name
    raise wrong(f"{given!r} is no type: give one of {', '.join(KINDS)}")


def kinds_of(name: str) -> frozenset[type]:
    """The classes of a type's name."""
    return KINDS[name]
