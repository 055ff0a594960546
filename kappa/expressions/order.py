"""How to sort rows: by a field or expression, upwards or downwards.

Null comes last whichever the direction. NaN is larger than all numbers, as in SQL engines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import total_ordering
from typing import Any, TypeAlias

from kappa.errors import ConfigError
from kappa.expressions.expression import Expression
from kappa.expressions.selector import Selector

SortKey: TypeAlias = "tuple[Any, ...]"


@dataclass(frozen=True, slots=True)
class Order:
    """One criterion of an order.

    Args:
        by: what is compared.
        descending: largest first.
    """

    by: Selector
    descending: bool = False

    @classmethod
    def of(cls, what: Any) -> Order:
        """An order as it is; a field or an expression ascending."""
        return what if isinstance(what, Order) else asc(what)

    def __repr__(self) -> str:
        return f"{'desc' if self.descending else 'asc'}({self.by!r})"


def asc(what: str | Expression) -> Order:
    """Smallest first.

    >>> asc("ts")
    asc(col('ts'))
    """
    return _order(what, descending=False)


def desc(what: str | Expression) -> Order:
    """Largest first."""
    return _order(what, descending=True)


def _order(what: str | Expression, *, descending: bool) -> Order:
    if not isinstance(what, str | Expression):
        raise ConfigError(f"{what!r}: sort by a field or an expression")
    return Order(Selector.of(what), descending)


# ---- sorting by several


def orders_of(by: Any, kind: str) -> tuple[Order, ...]:
    """The criteria that a step was given: one or several, each a field, expression or order.

    Raises:
        ConfigError: there are none, or one is something else.

    >>> orders_of([desc("price"), "ts"], "top")
    (desc(col('price')), asc(col('ts')))
    """
    listed = [by] if isinstance(by, str | Expression | Order) else by
    if not isinstance(listed, Iterable) or not (found := tuple(map(Order.of, listed))):
        raise ConfigError(f'{kind}: by is {by!r}; give what to sort by: by=[desc("price")]')
    return found


def sorted_by(orders: Sequence[Order]) -> Selector:
    """What computes the values to sort a row by, always as a tuple."""
    parts = tuple(order.by for order in orders)
    return Selector(parts, None, frozenset().union(*(part.fields or () for part in parts)))


def sort_key(orders: Sequence[Order]) -> Callable[[Sequence[Any]], SortKey]:
    """A function from a row's values to what compares as the rows are to be sorted.

    Comparing values of types that have no order between them raises TypeError.

    >>> key = sort_key([desc("price"), asc("ts")])
    >>> sorted([(5, 2), (None, 1), (9, 3), (5, 1)], key=key)
    [(9, 3), (5, 1), (5, 2), (None, 1)]
    """
    places = [_descending if order.descending else _ascending for order in orders]
    if len(places) == 1:
        (only,) = places
        return lambda values: only(values[0])
    return lambda values: tuple([place(value) for place, value in zip(places, values)])


def _ascending(value: Any) -> SortKey:
    if value is None:
        return (2,)
    return (0, value) if value == value else (1,)


def _descending(value: Any) -> SortKey:
    if value is None:
        return (2,)
    if value != value:
        return (-1,)
    return (0, -value) if type(value) is int or type(value) is float else (0, _Turned(value))


@total_ordering
class _Turned:
    """A value that compares the other way round, also with numbers turned by their sign."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return bool(self.value == _turned(other))

    def __lt__(self, other: object) -> bool:
        return bool(_turned(other) < self.value)

    __hash__ = None  # type: ignore[assignment]


def _turned(other: object) -> Any:
    return other.value if isinstance(other, _Turned) else -other  # type: ignore[operator]
