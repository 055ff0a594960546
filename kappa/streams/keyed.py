"""A stream with a key: steps whose state belongs to one key each, and joins."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self, TypeVar

from kappa.aggregates import Aggregate
from kappa.expressions import Expression, Selector
from kappa.operators import (
    Deduplicate,
    Fold,
    Operator,
    Pattern,
    Process,
    Reduce,
    RunningAggregate,
    StatefulMap,
    Top,
    Upsert,
)
from kappa.patterns import MAX_WAYS, PatternRow, Skip
from kappa.plan.graph import Edge, Graph
from kappa.streams.joins import Options, as_of, fan_in, joined
from kappa.streams.stream import Stream
from kappa.streams.tables import Table
from kappa.streams.windowed import OverStream, WindowedStream
from kappa.streams.words import JoinCondition, JoinSelect, Row, Sort, together
from kappa.time import Duration, duration_ms
from kappa.triggers import Trigger
from kappa.windows import Window

T = TypeVar("T")
U = TypeVar("U")
S = TypeVar("S")


class KeyedStream(Stream[T]):
    """Rows grouped by a key; state of the steps behind it belongs to one key each."""

    def __init__(self, graph: Graph, edge: Edge, key: Selector, *, free_rows: bool = False) -> None:
        super().__init__(graph, edge)
        self.key = key
        self._free_rows = free_rows  # rows of the user's own making need not hold the key

    def _same(self, edge: Edge) -> Self:
        return type(self)(self._graph, edge, self.key, free_rows=self._free_rows)

    def _window_key(self) -> Selector:
        return self.key

    def _sink_key(self) -> Selector | None:
        return None if self._free_rows or self.key.fields == frozenset() else self.key

    def _keyed(
        self, part: Operator, key: Selector | None = None, *, free_rows: bool = False
    ) -> KeyedStream[Any]:
        edge = self._graph.add(part, self._edge, key=self.key)
        return KeyedStream(self._graph, edge, key or self.key, free_rows=free_rows)

    def _by_fields(self) -> Selector:
        """The key of result rows, where it stands in fields."""
        return Selector.of(self.key.names)

    def window(
        self,
        window: Window,
        *,
        trigger: Trigger | None = None,
        panes: str = "accumulating",
        lateness: Duration = 0,
    ) -> WindowedStream[T]:
        """Cuts each group by event time (or by count).

        Args:
            window: Tumbling, Sliding, Session, Calendar, Count or Global.
            trigger: when results come; at the watermark by default.
            panes: "accumulating", "discarding" or "retracting".
            lateness: how long after its end a window still takes records.
        """
        late = duration_ms(lateness, name="lateness", minimum=0)
        return WindowedStream(self, window, trigger, panes, late)

    def aggregate(
        self, aggregates: Mapping[str, Aggregate] | None = None, /, **named: Aggregate
    ) -> KeyedStream[Row]:
        """Running aggregates: one row out per record in, with the key's values so far."""
        part = RunningAggregate(self.key, together(aggregates, named))
        return self._keyed(part, self._by_fields())

    def reduce(self, function: Callable[[T, T], T]) -> KeyedStream[T]:
        """Combines each row with the result so far of its key; one row out per row in."""
        return self._keyed(Reduce(self.key, function), free_rows=True)

    def fold(self, make: Callable[[], S], function: Callable[[S, T], S]) -> KeyedStream[Row]:
        """Like `reduce`, with a state of another shape; `make()` gives the first."""
        return self._keyed(Fold(self.key, make, function), self._by_fields())

    def stateful_map(
        self, make: Callable[[], S], function: Callable[[S, T], tuple[S, U]]
    ) -> KeyedStream[U]:
        """`function(state, row)` returns the new state and a row, or None for no row."""
        return self._keyed(StatefulMap(self.key, make, function), free_rows=True)

    def process(self, function: type, *, broadcast: Stream[Any] | None = None) -> KeyedStream[Any]:
        """A class of the user's with declared state, `on_record` and `on_timer`.

        Args:
            function: the class.
            broadcast: a stream, of rules for example, whose rows go to the class's
                `on_broadcast`, which writes `BroadcastState` that all keys read.
        """
        part = Process(self.key, function, broadcast=broadcast is not None)
        if broadcast is None:
            return self._keyed(part, free_rows=True)
        edge = fan_in(self, part, broadcast, Selector.of(()))
        return KeyedStream(self._graph, edge, self.key, free_rows=True)

    def deduplicate(self, *, keep: str = "first", within: Duration | None = None) -> KeyedStream[T]:
        """One row per key: the first or the last, within a span of event time."""
        span = None if within is None else duration_ms(within, name="within", minimum=1)
        return self._keyed(Deduplicate(self.key, keep=keep, within=span))

    def over(self, *, rows: int | None = None, span: Duration | None = None) -> OverStream[T]:
        """Lets each row see the last rows of its key, by event time as the watermark passes.

        Args:
            rows: how many, this one included.
            span: or those of the last duration: times in (t - span, t], equal ones included.
        """
        return OverStream(self, rows, span)

    def top(
        self,
        n: int,
        *,
        by: Sort,
        ties: bool = False,
        emit: str = "changes",
        rank: str | None = None,
    ) -> KeyedStream[Row]:
        """The best `n` rows of each key, as changes or at the end.

        Args:
            n: how many.
            by: what to sort by: `desc("price")`, a field, or a list of several.
            ties: all rows equal to the n-th too.
            emit: "changes" sends a row that leaves with field `retraction` true, then the
                one that enters with false; "final" all when the pipeline is closed.
            rank: a field for the row's place, from 1; then changes of place come too.
        """
        part = Top(self.key, n, by, ties=ties, emit=emit, rank=rank)
        return self._keyed(part, free_rows=self.key.is_function)

    def pattern(
        self,
        rows: Sequence[PatternRow],
        *,
        select: Mapping[str, Expression | Callable[[Any], Any]],
        within: Duration | None = None,
        skip: str | Skip = "past_last",
        contiguity: str = "strict",
        max_ways: int = MAX_WAYS,
    ) -> KeyedStream[Row]:
        """Sequences of rows, by event time as the watermark passes: one row out per match.

        Args:
            rows: the variables, in order, each made by `kappa.patterns.row`.
            select: the results by name, with `matched` of `kappa.patterns`.
            within: the last row lies less than this behind the first.
            skip: where to go on behind a match: "past_last", "to_next", `to_first(...)`,
                `to_last(...)`, or "none" for every match.
            contiguity: what may lie between rows: "strict", "relaxed" or "any".
            max_ways: through the pattern that may be under way from one row; one more is an
                error of the row that would make it.
        """
        part = Pattern(self.key, rows, select, within, skip, contiguity, max_ways)
        return self._keyed(part, self._by_fields())

    # -- tables and joins ------------------------------------------------------------------

    def table(self, *, delete: Callable[[T], Any] | Expression | None = None) -> Table[T]:
        """The last row of every key to arrive, as a table that others can join and group.

        A row with a field `retraction` that is true takes back the equal row before it, so
        what `top` and retracting panes emit becomes a table.

        Args:
            delete: rows for which it holds take the row of their key out.
        """
        part = Upsert(self.key, None if delete is None else Selector.of(delete))
        edge = self._graph.add(part, self._edge, key=self.key)
        return Table(self._graph, edge, self.key, upserts=(self._edge, part))

    def join(
        self,
        other: KeyedStream[Any] | Table[Any],
        *,
        window: Window | None = None,
        within: Duration | tuple[Duration, Duration] | None = None,
        where: JoinCondition | None = None,
        select: JoinSelect | None = None,
        suffix: str = "_right",
        keep: Duration | None = None,
    ) -> KeyedStream[Any]:
        """Each row with the rows of `other` that have its key.

        With another stream, one of `window`, `within` and `keep` says which rows can meet,
        and so how long they are kept. With a table, each row meets what the table holds when
        it arrives.

        Args:
            other: keyed by as many values as this stream.
            window: rows meet that fall into the same window; pairs come when it ends.
            within: rows meet whose event times are no further apart, "5m"; or a lower and an
                upper bound of (other's time - this one's), ("0s", "1h"); both inclusive.
            where: an expression over `left("field")` and `right("field")`, or a function of
                both rows, that must hold too.
            select: the fields of the result: {"price": left("price"), ...}, a list of
                expressions, or a function of both rows. All fields of both by default.
            suffix: for fields of `other` that this stream has too.
            keep: any two rows meet, each kept for this span of event time, or "forever".

        Raises:
            ConfigError: nothing says how long rows are kept.
        """
        options = Options(
            window=window, within=within, where=where, select=select, suffix=suffix, keep=keep
        )
        return self._after(joined(self, other, "inner", options), select)

    def left_join(
        self,
        other: KeyedStream[Any] | Table[Any],
        *,
        window: Window | None = None,
        within: Duration | tuple[Duration, Duration] | None = None,
        where: JoinCondition | None = None,
        select: JoinSelect | None = None,
        suffix: str = "_right",
        keep: Duration | None = None,
    ) -> KeyedStream[Any]:
        """Like `join`; a row that meets none comes once the watermark rules a match out.

        The fields of `other` are then None as far as they are known (`select=`, or `other`
        behind a `select`, an aggregate or `rows=`); what is not known is left out.
        """
        options = Options(
            window=window, within=within, where=where, select=select, suffix=suffix, keep=keep
        )
        return self._after(joined(self, other, "left", options), select)

    def right_join(
        self,
        other: KeyedStream[Any],
        *,
        window: Window | None = None,
        within: Duration | tuple[Duration, Duration] | None = None,
        where: JoinCondition | None = None,
        select: JoinSelect | None = None,
        suffix: str = "_right",
        keep: Duration | None = None,
    ) -> KeyedStream[Any]:
        """Like `join`; a row of `other` that meets none comes too. It has this stream's key."""
        options = Options(
            window=window, within=within, where=where, select=select, suffix=suffix, keep=keep
        )
        return self._after(joined(self, other, "right", options), select)

    def full_join(
        self,
        other: KeyedStream[Any],
        *,
        window: Window | None = None,
        within: Duration | tuple[Duration, Duration] | None = None,
        where: JoinCondition | None = None,
        select: JoinSelect | None = None,
        suffix: str = "_right",
        keep: Duration | None = None,
    ) -> KeyedStream[Any]:
        """Like `join`; rows of either side that meet none come too."""
        options = Options(
            window=window, within=within, where=where, select=select, suffix=suffix, keep=keep
        )
        return self._after(joined(self, other, "full", options), select)

    def as_of_join(
        self,
        table: KeyedStream[Any] | Table[Any],
        *,
        how: str = "inner",
        within: Duration | None = None,
        select: JoinSelect | None = None,
        suffix: str = "_right",
    ) -> KeyedStream[Any]:
        """Each row with the version of its key that was valid at its event time.

        Args:
            table: its rows are versions, each valid from its event time to the next one's.
            how: "inner", or "left" to keep rows without a version.
            within: how old a version may be, inclusive.
            select, suffix: as in `join`.
        """
        edge = as_of(self, table, how, within, select, suffix)
        return self._after(edge, select)

    def _after(self, edge: Edge, select: JoinSelect | None) -> KeyedStream[Any]:
        """The result of a join; with `select` it need not hold the key."""
        return KeyedStream(self._graph, edge, self.key, free_rows=select is not None)
