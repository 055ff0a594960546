"""What users chain: each method is one line that adds a description to the graph.

A stream is a handle on one output of one step. Nothing runs here; wrong use fails at
once, with the line that built it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, Self, TypeAlias, TypeVar, overload

from kappa.aggregates import Aggregate
from kappa.contracts.expectations import Expectation
from kappa.errors import ConfigError
from kappa.expressions import Expression, Selector
from kappa.log import Log
from kappa.operators import (
    AssignTime,
    Branch,
    Deduplicate,
    Filter,
    FlatMap,
    Fold,
    Map,
    Operator,
    Pattern,
    Print,
    Process,
    Reduce,
    RunningAggregate,
    Select,
    StatefulMap,
    Top,
    Union,
    WithColumns,
    Without,
)
from kappa.patterns import PatternRow, Skip
from kappa.plan.graph import Edge, Graph, SinkSpec
from kappa.plan.judging import add_expectations
from kappa.time import Duration, duration_ms
from kappa.triggers import Trigger
from kappa.windowed import OverStream, Sort, WindowedStream, together
from kappa.windows import Window

T = TypeVar("T")
U = TypeVar("U")
S = TypeVar("S")
Row = dict[str, Any]
Key: TypeAlias = "str | Expression | Callable[[Any], Any]"


class Stream(Generic[T]):
    """Rows of one output of one step.

    Type variable T is what a function on the stream gets: a mapping, unless the source
    was given `rows=` or a `map` made something else.
    """

    def __init__(self, graph: Graph, edge: Edge) -> None:
        self._graph = graph
        self._edge = edge

    def _next(self, part: Operator, *others: Stream[Any]) -> Edge:
        for other in others:
            if other._graph is not self._graph:
                raise ConfigError(
                    f"the streams belong to two pipelines, {self._graph.name!r} and"
                    f" {other._graph.name!r}"
                )
        return self._graph.add(part, self._edge, *(other._edge for other in others))

    def named(self, name: str) -> Self:
        """Names the step behind this stream; the name is the address of its state."""
        self._graph.rename(self._edge, name)
        return self

    def map(self, function: Callable[[T], U] | Expression) -> Stream[U]:
        """One row out for one row in.

        Args:
            function: gets a row, returns a mapping, a dataclass or a plain value.
        """
        return Stream(self._graph, self._next(Map(Selector.of(function))))

    def filter(self, condition: Callable[[T], Any] | Expression) -> Self:
        """Keeps the rows for which `condition` is true; null counts as false."""
        return self._same(self._next(Filter(Selector.of(condition))))

    def flat_map(self, function: Callable[[T], Iterable[U]]) -> Stream[U]:
        """Any number of rows out for one row in, each with the row's event time."""
        return Stream(self._graph, self._next(FlatMap(Selector.of(function))))

    def select(self, *fields: str, **columns: Expression | Callable[[T], Any]) -> Stream[Row]:
        """Rows of just these fields, and of new ones computed from the row."""
        return Stream(self._graph, self._next(Select.of(*fields, **columns)))

    def with_columns(self, **columns: Expression | Callable[[T], Any]) -> Stream[Row]:
        """The row with fields added or replaced; each is computed from the row before."""
        return Stream(self._graph, self._next(WithColumns.of(**columns)))

    def without(self, *fields: str) -> Stream[Row]:
        """The row less these fields."""
        return Stream(self._graph, self._next(Without(fields)))

    def key_by(self, *keys: Key) -> KeyedStream[T]:
        """Groups rows: by a field, several fields, an expression or a function.

        Without arguments all rows are one group.
        """
        if not keys:
            selector = Selector.of(())
        elif len(keys) == 1:
            selector = Selector.of(keys[0])
        else:
            selector = Selector.of(tuple(keys))
        return KeyedStream(self._graph, self._edge, selector)

    def union(self, *others: Stream[T]) -> Stream[T]:
        """All rows of this stream and of `others`, in the order of (LSN, rank)."""
        if not others:
            raise ConfigError("union needs at least one other stream")
        return Stream(self._graph, self._next(Union(), *others))

    @overload
    def split(
        self, condition: Callable[[T], Any] | Expression, /
    ) -> tuple[Stream[T], Stream[T]]: ...

    @overload
    def split(
        self, /, **conditions: Callable[[T], Any] | Expression
    ) -> Mapping[str, Stream[T]]: ...

    def split(
        self,
        condition: Callable[[T], Any] | Expression | None = None,
        /,
        **conditions: Callable[[T], Any] | Expression,
    ) -> tuple[Stream[T], Stream[T]] | Mapping[str, Stream[T]]:
        """Two streams by one condition, or one per name and "rest"; the first match wins."""
        if (condition is None) == (not conditions):
            raise ConfigError("split takes one condition, or conditions by name")
        if condition is not None:
            node = self._next(Branch.of({"yes": condition})).node
            return self._side(node, "yes"), self._side(node, "rest")
        if "rest" in conditions:
            raise ConfigError('split: "rest" is what no condition takes; name it otherwise')
        node = self._next(Branch.of(conditions)).node
        return {name: self._side(node, name) for name in (*conditions, "rest")}

    def _side(self, node: int, name: str) -> Stream[Any]:
        return Stream(self._graph, Edge(node, name))

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the step's side outputs."""
        part = self._graph.nodes[self._edge.node].part
        return part.sides if isinstance(part, Operator) else ()

    def side(self, name: str) -> Stream[Row]:
        """A side output of the step behind this stream, such as "late"."""
        part = self._graph.nodes[self._edge.node].part
        open_ended = isinstance(part, Process)
        if not open_ended and name not in self.outputs:
            known = ", ".join(self.outputs) or "none"
            raise ConfigError(f"the step has no side output {name!r}; it has: {known}")
        return self._side(self._edge.node, name)

    def assign_time(self, time: str | Expression | Callable[[T], Any]) -> Stream[T]:
        """Gives rows another event time; the watermark stays as it is."""
        return Stream(self._graph, self._next(AssignTime(Selector.of(time))))

    def then(self, description: Operator, *others: Stream[Any]) -> Stream[Any]:
        """Any operator, the user's own included."""
        return Stream(self._graph, self._next(description, *others))

    def to(
        self, topic: str, *, key: Key | tuple[str, ...] | None = None, partitions: int = 1
    ) -> Self:
        """Writes the rows into a topic that this pipeline owns, one append per LSN.

        Args:
            topic: name without a version.
            key: what picks the partition; for a keyed stream its key by default.
            partitions: number of partitions.
        """
        if "@" in topic:
            raise ConfigError(f"topic {topic!r}: give the name without a version; run() adds it")
        if partitions < 1:
            raise ConfigError(f"topic {topic!r}: partitions is {partitions}, must be at least 1")
        selector = self._sink_key() if key is None else Selector.of(key)
        self._graph.add(SinkSpec(topic, selector, partitions), self._edge)
        return self

    def _sink_key(self) -> Selector | None:
        return None

    def expect(
        self,
        *expectations: Expectation,
        window: Window | None = None,
        lateness: Duration = 0,
        name: str | None = None,
    ) -> Self:
        """The rows, judged one by one, and with `window` also by the window they fall into.

        Results go to the topic `<pipeline>.quality`. By an expectation's severity a breach
        is reported, sends the record to the dead letters, or ends the run.

        Args:
            expectations: see `kappa.expectations`.
            window: of which records the statistics and the shares `mostly` are.
            lateness: how long after its end a window still takes records.
            name: of the steps, where a pipeline has several of a kind.
        """
        edge = add_expectations(
            self._graph, self._edge, expectations,
            key=self._window_key(), window=window, lateness=lateness, name=name,
        )  # fmt: skip
        return self._same(edge)

    def _window_key(self) -> Selector:
        return Selector.of(())

    def print(self, prefix: str = "") -> Self:
        """Shows every row on standard output as it passes."""
        return self._same(self._next(Print(prefix)))

    def preview(
        self, log: Log, *, rows: int = 10, params: Mapping[str, Any] | None = None
    ) -> list[T]:
        """The first rows of this stream, run from the log's start; nothing is written.

        Args:
            log: to read.
            rows: how many at most; with fewer, all windows are closed at the log's end.
            params: values of the pipeline's parameters.
        """
        if self._graph.preview is None:
            raise ConfigError("a stream without a pipeline has no preview")
        return self._graph.preview(log, self._graph, self._edge, rows, dict(params or {}))

    def _same(self, edge: Edge) -> Self:
        return type(self)(self._graph, edge)

    def __repr__(self) -> str:
        node = self._graph.nodes[self._edge.node]
        side = f" side {self._edge.output!r}" if self._edge.output else ""
        return f"<{type(self).__name__} behind {node.name or node.part.kind}{side}>"


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
    ) -> WindowedStream[KeyedStream[Row]]:
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

    def process(self, function: type) -> KeyedStream[Any]:
        """A class of the user's with declared state, `on_record` and `on_timer`."""
        return self._keyed(Process(self.key, function), free_rows=True)

    def deduplicate(self, *, keep: str = "first", within: Duration | None = None) -> KeyedStream[T]:
        """One row per key: the first or the last, within a span of event time."""
        span = None if within is None else duration_ms(within, name="within", minimum=1)
        return self._keyed(Deduplicate(self.key, keep=keep, within=span))

    def over(
        self, *, rows: int | None = None, span: Duration | None = None
    ) -> OverStream[KeyedStream[Row]]:
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
    ) -> KeyedStream[Row]:
        """Sequences of rows, by event time as the watermark passes: one row out per match.

        Args:
            rows: the variables, in order, each made by `kappa.patterns.row`.
            select: the results by name, with `matched` of `kappa.patterns`.
            within: the last row lies less than this behind the first.
            skip: where to go on behind a match: "past_last", "to_next", `to_first(...)`,
                `to_last(...)`, or "none" for every match.
            contiguity: what may lie between rows: "strict", "relaxed" or "any".
        """
        part = Pattern(self.key, rows, select, within=within, skip=skip, contiguity=contiguity)
        return self._keyed(part, self._by_fields())
