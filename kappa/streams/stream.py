"""A stream: rows of one output of one step, and the steps that need no key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload

from kappa.contracts.contract import Contract
from kappa.contracts.expectations import Expectation
from kappa.errors import ConfigError
from kappa.expressions import Expression, Selector
from kappa.log import Log
from kappa.operators import (
    AssignTime,
    Branch,
    Filter,
    FlatMap,
    Joined,
    Map,
    MapAsync,
    Operator,
    Print,
    Process,
    Select,
    SideInput,
    SideLookup,
    Union,
    WithColumns,
    Without,
    asking,
)
from kappa.operators.privacy import LOOKUP, Protect, Protection, Transform
from kappa.plan.graph import Edge, Graph, SinkSpec
from kappa.plan.inputs import known_fields
from kappa.plan.judging import add_expectations
from kappa.sinks import Sink
from kappa.streams.calling import FunctionSink
from kappa.streams.words import JoinSelect, Key, Row
from kappa.time import Duration
from kappa.windows import Window

if TYPE_CHECKING:
    from kappa.streams.keyed import KeyedStream
    from kappa.streams.tables import Table

T = TypeVar("T")
U = TypeVar("U")


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

    def map_async(
        self,
        function: Callable[[T], Awaitable[U]] | Callable[[T], U],
        *,
        concurrency: int = asking.CONCURRENCY,
        timeout: Duration | None = asking.TIMEOUT,
        retries: int = asking.RETRIES,
        retry_delay: Duration = asking.RETRY_DELAY,
        backoff: float = asking.BACKOFF,
        max_delay: Duration = asking.MAX_DELAY,
        retry_on: tuple[type[Exception], ...] = (Exception,),
        request: Key | tuple[str, ...] | None = None,
        into: str | None = None,
        journal: str = "repeat",
    ) -> Stream[Any]:
        """What a slow function outside answers for each row, in the order of the rows.

        The answers are kept in the log: a restart or a replay repeats them and calls only
        for what is missing. Rows of one append that ask the same are one call.

        Args:
            function: gets a row; `async def`, or a plain one, which gets a thread.
            concurrency: calls under way at once.
            timeout: of one attempt; None waits until it answers.
            retries: attempts after the first.
            retry_delay, backoff, max_delay: wait before the first retry, what it is
                multiplied by at each further one, and the longest.
            retry_on: errors worth another attempt.
            request: what the answer depends on, if not all that the function reads: an
                answer is found again by it.
            into: the field that the answer becomes; by default it becomes the row.
            journal: "repeat" takes answers that earlier versions got; "refresh" calls anew.
        """
        call = asking.Call(
            function, concurrency, timeout, retries, retry_delay, backoff, max_delay, retry_on
        )
        asked = None if request is None else Selector.of(request)
        part = MapAsync(Selector.of(function), asked, into, call, journal)
        return Stream(self._graph, self._next(part))

    def lookup(
        self,
        side: SideInput,
        *,
        on: Key | tuple[Key, ...] | None = None,
        how: str = "inner",
        select: JoinSelect | None = None,
        suffix: str = "_right",
    ) -> Stream[Any]:
        """Each row with what a side input holds for it.

        Args:
            side: made by `pipeline.side_input`.
            on: what of the row is the key to look for; the side input's key fields by default.
            how: "inner", or "left" to keep rows that find nothing.
            select, suffix: as in `KeyedStream.join`.
        """
        key = side.key if on is None else Selector.of(on)
        known = known_fields(self._graph, self._edge)
        shape = Joined(key, side.key, select=Joined.parts(select), suffix=suffix, left_fields=known)
        return Stream(self._graph, self._next(SideLookup(side, shape, how)))

    def key_by(self, *keys: Key) -> KeyedStream[T]:
        """Groups rows: by a field, several fields, an expression or a function.

        Without arguments all rows are one group.
        """
        from kappa.streams.keyed import KeyedStream

        if not keys:
            selector = Selector.of(())
        elif len(keys) == 1:
            selector = Selector.of(keys[0])
        else:
            selector = Selector.of(tuple(keys))
        return KeyedStream(self._graph, self._edge, selector)

    def to_table(
        self, *keys: Key, delete: Callable[[T], Any] | Expression | None = None
    ) -> Table[T]:
        """The last row of every key as a table: `key_by(*keys).table(delete=delete)`."""
        return self.key_by(*keys).table(delete=delete)

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
        selector = self._sink_key() if key is None else Selector.of(key)
        self._graph.add(SinkSpec.checked(topic, selector, partitions), self._edge)
        return self

    def _sink_key(self) -> Selector | None:
        return None

    def expect(
        self,
        *expectations: Expectation | Contract,
        window: Window | None = None,
        lateness: Duration = 0,
        name: str | None = None,
    ) -> Self:
        """The rows, judged one by one, and with `window` also by the window they fall into.

        Results go to the topic `<pipeline>.quality`. By an expectation's severity a breach
        is reported, sends the record to the dead letters, or ends the run.

        Args:
            expectations: see `kappa.expectations`; a `Contract` stands for its promises.
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

    def sink(
        self,
        description: Sink | Callable[..., Any],
        *,
        name: str | None = None,
        batch: bool = False,
        ids: bool = False,
    ) -> Self:
        """Writes the rows outside the log: into files, a lake, a database; or to a function.

        A sink such as `kappa.connect.JsonLinesSink("out")` writes exactly once. A function gets
        every row at least once, and none in a replay but with `sinks="all"`.

        Args:
            description: where and how; or a function of a row.
            name: of the step; what the sink has to remember is kept under it.
            batch: a function gets a list of the rows that one append caused.
            ids: a function also gets the row's id, a text, or the list of ids: a row that comes
                again after a crash has the one that it had.

        Raises:
            ConfigError: neither a sink nor a plain function.
        """
        if not isinstance(description, Sink):
            if not callable(description):
                raise ConfigError(
                    f"sink({description!r}): give a sink such as JsonLinesSink(...), or a function"
                    " of a row; a topic is written with .to(topic)"
                )
            description = FunctionSink.of(description, batch=batch, ids=ids)
        elif batch or ids:
            raise ConfigError("batch= and ids= say how a function is called, and this is a sink")
        edge = self._graph.add(description, self._edge)
        if name is not None:
            self._graph.rename(edge, name)
        return self

    def protect(self, *, lookup: str | None = None, **fields: Transform) -> Stream[Row]:
        """The rows with personal data made harmless; see `kappa.privacy`.

        Args:
            lookup: topic for what tokens stand for, a row for each value, once.
            fields: what becomes of each field, such as `email=privacy.Hash(secret("KEY"))`.
        """
        part = Protect(Protection.of(**fields))
        if part.protection.tokens != (lookup is not None):
            raise ConfigError("protect: lookup= names the topic for what tokens stand for")
        edge = self._next(part)
        if lookup is not None:
            tokens: Stream[Row] = Stream(self._graph, Edge(edge.node, LOOKUP))
            tokens.key_by("token").deduplicate().to(lookup)
        return Stream(self._graph, edge)

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
