"""Names of what streams take, for signatures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from kappa.aggregates import Aggregate
from kappa.errors import ConfigError
from kappa.expressions import Expression, Order

Row = dict[str, Any]
Key: TypeAlias = "str | Expression | Callable[[Any], Any]"
Sort: TypeAlias = "str | Expression | Order | Sequence[str | Expression | Order]"
JoinCondition: TypeAlias = "Expression | Callable[[Any, Any], Any]"
JoinSelect: TypeAlias = (
    "Mapping[str, Expression | Callable[[Any, Any], Any]] | Sequence[Expression]"
    " | Callable[[Any, Any], Any]"
)


def together(
    aggregates: Mapping[str, Aggregate] | None, named: Mapping[str, Aggregate]
) -> dict[str, Aggregate]:
    """The aggregates that a user gave, by name.

    Raises:
        ConfigError: there are none, or one is something else.
    """
    every = {**(aggregates or {}), **named}
    if not every:
        raise ConfigError("aggregate needs at least one aggregate, such as n=agg.count()")
    for name, aggregate in every.items():
        if not isinstance(aggregate, Aggregate):
            raise ConfigError(f"aggregate {name!r} is {aggregate!r}: use agg.count(), agg.sum(...)")
    return every
