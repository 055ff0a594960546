"""Keyed streams cut into windows or frames, on their way to an aggregate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Generic, Protocol, TypeAlias, TypeVar

from kappa.aggregates import Aggregate
from kappa.errors import ConfigError
from kappa.expressions import Expression, Order, Selector
from kappa.operators import Operator, Over, WindowAggregate, WindowTop
from kappa.time import Duration
from kappa.triggers import Trigger
from kappa.windows import Window

Sort: TypeAlias = "str | Expression | Order | Sequence[str | Expression | Order]"
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class Keyed(Protocol[R_co]):
    """What these need of a keyed stream; R is the stream of their results."""

    @property
    def key(self) -> Selector:
        """What groups the rows."""
        ...

    def _keyed(
        self, part: Operator, key: Selector | None = None, *, free_rows: bool = False
    ) -> R_co:
        """The stream behind a keyed step."""
        ...

    def _by_fields(self) -> Selector:
        """The key of result rows, where it stands in fields."""
        ...


class OverStream(Generic[R]):
    """A keyed stream whose rows each see those before them; ends in `aggregate`."""

    def __init__(self, stream: Keyed[R], rows: int | None, span: Duration | None) -> None:
        self._stream = stream
        self._rows = rows
        self._span = span

    def aggregate(
        self, aggregates: Mapping[str, Aggregate] | None = None, /, **named: Aggregate
    ) -> R:
        """Each row with the aggregates of its frame as further fields, at its event time."""
        every = together(aggregates, named)
        part = Over(self._stream.key, every, rows=self._rows, span=self._span)
        return self._stream._keyed(part, free_rows=self._stream.key.is_function)


class WindowedStream(Generic[R]):
    """A keyed stream cut into windows; ends in `aggregate` or `top`."""

    def __init__(
        self,
        stream: Keyed[R],
        window: Window,
        trigger: Trigger | None,
        panes: str,
        lateness: int,
    ) -> None:
        self._stream = stream
        self._window = window
        self._trigger = trigger
        self._panes = panes
        self._lateness = lateness

    def aggregate(
        self, aggregates: Mapping[str, Aggregate] | None = None, /, **named: Aggregate
    ) -> R:
        """One row per key and window: key, window_start, window_end, the aggregates.

        The row's event time is the window's end - 1.
        """
        part = WindowAggregate(
            self._stream.key,
            self._window,
            together(aggregates, named),
            trigger=self._trigger,
            panes=self._panes,
            lateness=self._lateness,
        )
        return self._stream._keyed(part, self._stream._by_fields())

    def top(self, n: int, *, by: Sort, ties: bool = False, rank: str | None = None) -> R:
        """The best `n` rows of each key and window, best first, when the window fires.

        The rows are as they came, with window_start and window_end; their event time is
        the window's end - 1.

        Args:
            n: how many.
            by: what to sort by: `desc("price")`, a field, or a list of several.
            ties: all rows equal to the n-th too.
            rank: a field for the row's place, from 1.
        """
        part = WindowTop(
            self._stream.key,
            self._window,
            n,
            by,
            ties=ties,
            rank=rank,
            trigger=self._trigger,
            panes=self._panes,
            lateness=self._lateness,
        )
        return self._stream._keyed(part, free_rows=self._stream.key.is_function)


def together(
    aggregates: Mapping[str, Aggregate] | None, named: Mapping[str, Aggregate]
) -> dict[str, Aggregate]:
    """The aggregates that were given by mapping and by name.

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
