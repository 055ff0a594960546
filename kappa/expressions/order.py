"""How to sort rows: by a field or expression, upwards or downwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kappa.errors import ConfigError
from kappa.expressions.expression import Expression
from kappa.expressions.selector import Selector


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
