"""Keyed streams cut into windows, or seen through one that moves with the rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Generic, TypeVar

from kappa.aggregates import Aggregate
from kappa.operators import Over, WindowAggregate, WindowTop
from kappa.streams.words import Row, Sort, together
from kappa.time import Duration
from kappa.triggers import Trigger
from kappa.windows import Window

if TYPE_CHECKING:
    from kappa.streams.keyed import KeyedStream

T = TypeVar("T")


class OverStream(Generic[T]):
    """A keyed stream whose rows each see those before them; ends in `aggregate`."""

    def __init__(self, stream: KeyedStream[T], rows: int | None, span: Duration | None) -> None:
        self._stream = stream
        self._rows = rows
        self._span = span

    def aggregate(
        self, aggregates: Mapping[str, Aggregate] | None = None, /, **named: Aggregate
    ) -> KeyedStream[Row]:
        """Each row with the aggregates of its frame as further fields, at its event time."""
        every = together(aggregates, named)
        part = Over(self._stream.key, every, rows=self._rows, span=self._span)
        return self._stream._keyed(part, free_rows=self._stream.key.is_function)


class WindowedStream(Generic[T]):
    """A keyed stream cut into windows; ends in `aggregate` or `top`."""

    def __init__(
        self,
        stream: KeyedStream[T],
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
    ) -> KeyedStream[Row]:
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

    def top(
        self, n: int, *, by: Sort, ties: bool = False, rank: str | None = None
    ) -> KeyedStream[Row]:
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
