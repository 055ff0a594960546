"""Copies of values that state holds, for those who must not see it change."""

from __future__ import annotations

from copy import deepcopy
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

IMMUTABLE = frozenset(
    {int, float, str, bytes, bool, type(None), date, datetime, time, timedelta, Decimal, UUID}
)
"""Types whose instances cannot change and hold nothing that can."""


def detached(value: Any) -> Any:
    """A copy that no later change of `value` reaches; immutable values are themselves.

    For what a step emits of its state. Half a microsecond for a dict of plain values.

    >>> state = {"n": 1, "seen": [1]}
    >>> row = detached(state)
    >>> state["seen"].append(2)
    >>> row
    {'n': 1, 'seen': [1]}
    """
    kind = type(value)
    if kind in IMMUTABLE:
        return value
    if kind is dict:
        if IMMUTABLE.issuperset(map(type, value.values())):
            return value.copy()
        return {name: detached(item) for name, item in value.items()}
    if kind is list:
        if IMMUTABLE.issuperset(map(type, value)):
            return value.copy()
        return [detached(item) for item in value]
    if kind is tuple and IMMUTABLE.issuperset(map(type, value)):
        return value
    return deepcopy(value)
