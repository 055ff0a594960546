"""The pipeline: where a graph begins, and what can be done with it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, overload

from kappa.errors import ConfigError
from kappa.expressions import Selector, meta
from kappa.log import Log, View, check_name
from kappa.operators import SideInput, Typed
from kappa.plan import Edge, Graph, Plan, SourceSpec, compile_plan, explain, mermaid
from kappa.plan.graph import Feed
from kappa.plan.params import resolve_params
from kappa.runtime.results import (
    KEEP_CHECKPOINTS,
    READ_RECORDS,
    OnProgress,
    RunOptions,
    RunResult,
)
from kappa.schemas.classes import kind_of
from kappa.streams import KeyedStream, Row, Stream, Table
from kappa.time import (
    Duration,
    Instant,
    duration_ms,
    optional_ms,
    span_ms,
)

if TYPE_CHECKING:  # who only builds a pipeline does not pay for what runs it
    from kappa.runtime.backfill import Backfilled, Forecast
    from kappa.runtime.live import LiveRun, Running
    from kappa.runtime.verify import Verified

T = TypeVar("T")
ON_ERROR = ("stop", "dead_letter")
TIMES = ("event", "append")


class Pipeline:
    """A named graph of steps from topics to topics; the same one runs live and replays.

    Args:
        name: 1 to 200 of A-Z a-z 0-9 . _ -; state and outputs belong to it.
        on_error: "stop" ends a run at a record that a function fails on, naming it;
            "dead_letter" sets it aside in the topic `<name>.dead_letters`.

    >>> from kappa import Log, Pipeline, Tumbling, agg
    >>> pipeline = Pipeline("per-word")
    >>> words = pipeline.source("words")
    >>> counts = words.key_by("word").window(Tumbling("10s")).aggregate(n=agg.count())
    >>> _ = counts.to("counts")
    >>> with Log.memory() as log:
    ...     _ = log.create_topic("words", key="word", time="ts")
    ...     _ = log.append("words", [{"word": "a", "ts": 1_000}, {"word": "a", "ts": 2_000}])
    ...     result = pipeline.replay(log)
    ...     [record.value for record in log.read("counts")]
    [{'word': 'a', 'window_start': 0, 'window_end': 10000, 'n': 2}]
    """

    def __init__(self, name: str, *, on_error: str = "stop") -> None:
        check_name(name, what="pipeline")
        if on_error not in ON_ERROR:
            raise ConfigError(f"on_error is {on_error!r}: give one of {', '.join(ON_ERROR)}")
        self.name = name
        self.on_error = on_error
        self.graph = Graph(name, _preview)
        self._log: Log | None = None

    @overload
    def source(
        self,
        topic: str | Feed,
        *,
        out_of_orderness: Duration = 0,
        idle_after: Duration | None = None,
        max_lag: Duration | None = None,
        time: str = "event",
    ) -> Stream[Row]: ...

    @overload
    def source(
        self,
        topic: str | Feed,
        *,
        rows: type[T],
        out_of_orderness: Duration = 0,
        idle_after: Duration | None = None,
        max_lag: Duration | None = None,
        time: str = "event",
    ) -> Stream[T]: ...

    def source(
        self,
        topic: str | Feed,
        *,
        rows: type[Any] | None = None,
        out_of_orderness: Duration = 0,
        idle_after: Duration | None = None,
        max_lag: Duration | None = None,
        time: str = "event",
    ) -> Stream[Any]:
        """The records of a topic as a stream.

        Args:
            topic: its name; a bare name of a versioned topic follows the promoted version
                as it stands when a version of this pipeline is created. Or what brings
                records into a topic, such as `kappa.connect.Files`.
            rows: the type of a row, for typing; functions get instances of a dataclass,
                msgspec Struct or pydantic model, and with a TypedDict rows as they are.
            out_of_orderness: how far a record may lie behind the newest one of its
                partition; the watermark stays this far behind.
            idle_after: append-time silence after which a partition is left out.
            max_lag: how far a partition may lie behind the newest before it is left out.
            time: "append" takes the time of its append as a record's event time: windows
                are then of processing time, and a replay repeats them.
        """
        if time not in TIMES:
            raise ConfigError(f"time is {time!r}: give one of {', '.join(TIMES)}")
        spec = SourceSpec(
            topic=topic if isinstance(topic, str) else topic.topic,
            out_of_orderness=duration_ms(out_of_orderness, name="out_of_orderness", minimum=0),
            idle_after=optional_ms(idle_after, name="idle_after"),
            max_lag=optional_ms(max_lag, name="max_lag"),
            rows=rows,
            time=time,
            feed=None if isinstance(topic, str) else topic,
        )
        edge = self.graph.source(spec)
        if kind_of(rows) not in (None, "TypedDict"):  # that one is a dict as it is
            assert rows is not None
            edge = self.graph.add(Typed(rows), edge)
        return Stream(self.graph, edge)

    def table(
        self,
        topic: str,
        *,
        key: str | tuple[str, ...] | None = None,
        out_of_orderness: Duration = 0,
        idle_after: Duration | None = None,
        max_lag: Duration | None = None,
    ) -> Table[Any]:
        """The records of a topic as a table: the last value of every key.

        A record replaces the one of its key before it; one without a value (None) takes it
        out. So upsert topics, such as those that `Table.to` writes, are read as tables.

        Args:
            topic: its name; its records have keys.
            key: the fields of a row that hold its key, if there are such: a join then does
                not give them twice.
            out_of_orderness, idle_after, max_lag: as in `source`.
        """
        stream = self.source(
            topic,
            out_of_orderness=out_of_orderness,
            idle_after=idle_after,
            max_lag=max_lag,
        )
        table: Table[Any] = KeyedStream(self.graph, stream._edge, Selector.of(meta.key)).table()
        table.key = table.key if key is None else Selector.of(key)
        return table

    def side_input(self, topic: str, *, key: str | tuple[str, ...] | None = None) -> SideInput:
        """A small table to look rows up in, loaded whole before the first record.

        What it holds is fixed when a version of this pipeline is made: the last value of every
        key of the topic at that moment. A replay sees the same, unless it is told to refresh.

        Args:
            topic: its name; its records have keys.
            key: the fields of a row that hold its key, if there are such.
        """
        return SideInput(topic, Selector.of(meta.key if key is None else key))

    def view(self, name: str, *, log: Log | None = None) -> View:
        """An output that a table is written to, as it stands now; see `kappa.log.View`.

        Args:
            name: of the output, with or without a version.
            log: the one that this pipeline last ran on, by default.

        Raises:
            ConfigError: it has not run yet, and no log is given.
        """
        found = log if log is not None else self._log
        if found is None:
            raise ConfigError(f"pipeline {self.name!r} has not run yet: give log=")
        return found.view(name)

    def plan(self) -> Plan:
        """The checked, frozen graph.

        Raises:
            ConfigError: naming the line that built what is wrong.
        """
        return compile_plan(self.graph, dead_letters=self.on_error == "dead_letter")

    def run(
        self,
        log: Log,
        *,
        version: int | None = None,
        params: Mapping[str, Any] | None = None,
        until_idle: bool = False,
        drain: bool = False,
        checkpoint_every: Duration | None = "5s",
        read_records: int = READ_RECORDS,
        keep_checkpoints: int = KEEP_CHECKPOINTS,
        stop: threading.Event | None = None,
        on_progress: OnProgress | None = None,
        restore: str | None = None,
        savepoint: str | None = None,
    ) -> RunResult:
        """Runs live, from the last checkpoint or the log's start, until it is stopped.

        Args:
            log: to read and write.
            version: of the outputs; the promoted one, or 1, by default.
            params: values of the pipeline's parameters.
            until_idle: end when everything in the log is handled.
            drain: at the end, close all windows and say that they are final; implies
                `until_idle`.
            checkpoint_every: time between checkpoints; None for only one at the end.
            read_records: how many records to take in at once; no result depends on it.
            keep_checkpoints: how many to keep.
            stop: set it to stop the run after the unit in hand.
            on_progress: called after every unit.
            restore: a savepoint ("name", or "2/name" of version 2) from which a version
                that does not exist yet begins, instead of the log's start. Steps take up
                the state of their name; what does not match is refused.
            savepoint: a name under which the state at the end is kept for good.

        Raises:
            LogLocked: another run writes this version.
            IncompatibleState: the version was made by another graph or other code.
            OperatorError: a function failed on a record.
        """
        return self._live(
            log, version, params, until_idle, drain, stop, on_progress,
            RunOptions.of(
                checkpoint_every=checkpoint_every,
                read_records=read_records,
                keep_checkpoints=keep_checkpoints,
            ),
            restore=restore, savepoint=savepoint,
        ).run()  # fmt: skip

    def start(
        self,
        log: Log,
        *,
        version: int | None = None,
        params: Mapping[str, Any] | None = None,
        checkpoint_every: Duration | None = "5s",
        read_records: int = READ_RECORDS,
        keep_checkpoints: int = KEEP_CHECKPOINTS,
        on_progress: OnProgress | None = None,
    ) -> Running:
        """Like `run`, in a thread of its own; returns at once."""
        from kappa.runtime.live import Running

        return Running(
            self._live(
                log, version, params, False, False, None, on_progress,
                RunOptions.of(
                    checkpoint_every=checkpoint_every,
                    read_records=read_records,
                    keep_checkpoints=keep_checkpoints,
                ),
            )
        )  # fmt: skip

    def _live(
        self,
        log: Log,
        version: int | None,
        params: Mapping[str, Any] | None,
        until_idle: bool,
        drain: bool,
        stop: threading.Event | None,
        on_progress: OnProgress | None,
        options: RunOptions,
        *,
        restore: str | None = None,
        savepoint: str | None = None,
    ) -> LiveRun:
        from kappa.runtime.live import LiveRun

        plan = self.plan()
        self._log = log
        return LiveRun(
            log,
            plan,
            version=version,
            params=resolve_params(plan, params or {}),
            options=options,
            until_idle=until_idle or drain,
            drain=drain,
            stop=stop or threading.Event(),
            on_progress=on_progress,
            restore=restore,
            savepoint=savepoint,
        )

    def replay(
        self,
        log: Log,
        *,
        since: Instant | None = None,
        until: Instant | None = None,
        version: int | None = None,
        workers: int = 1,
        late: str = "as_live",
        sinks: str = "default",
        warmup: Duration | None = None,
        overwrite: bool = False,
        params: Mapping[str, Any] | None = None,
        checkpoint_every: Duration | None = "5s",
        read_records: int = READ_RECORDS,
        keep_checkpoints: int = KEEP_CHECKPOINTS,
        throttle: float | None = None,
        stop: threading.Event | None = None,
        on_progress: OnProgress | None = None,
        journal: str | None = None,
        refresh_side_inputs: bool = False,
        schemas: Mapping[str, int] | None = None,
    ) -> RunResult:
        """Reads the log again, as far as it goes now, into a version; closes all windows.

        Args:
            log: to read and write.
            since, until: only rows with since <= event time < until (R8).
            version: to write; the next free one by default. An unfinished one goes on.
            workers: 1; one process does the work.
            late: "as_live" gives the verdicts of the live run; "complete" lets nothing be
                late; "mended" gives those of a live run in which mended dead letters had
                been right from the start.
            sinks: which sinks outside the log take part: "default" leaves out those whose
                effects cannot be told apart when they come twice, such as calls; "all"
                has them, too; "none" writes topics only.
            warmup: history to read before `since` where a step rests on all of it; the
                result then says exact=False.
            overwrite: make a version that exists anew.
            throttle: records to read per second at most, to leave the machine to others.
            params, checkpoint_every, read_records, keep_checkpoints, stop, on_progress: as
                in `run`.
            journal: for all `map_async` steps, whether a new version repeats the answers of
                the current one, "repeat", or calls anew, "refresh".
            refresh_side_inputs: a new version sees side inputs as they stand, not as the current.
            schemas: by topic, which version of its schema rows are seen through (0: as written).

        Raises:
            ConfigError: the version exists and is finished, or is something else.
            Stopped: `stop` was set; started again, the replay goes on.
        """
        if workers != 1:
            raise ConfigError(f"workers is {workers}: this release replays in one process")
        from kappa.runtime.outlets import Effects
        from kappa.runtime.replay import Replay

        plan, span = self.plan(), span_ms(since, until)
        self._log = log
        return Replay(
            log,
            plan,
            version=version,
            since=span[0],
            until=span[1],
            late=late,
            warmup_ms=optional_ms(warmup, name="warmup", minimum=0),
            overwrite=overwrite,
            params=resolve_params(plan, params or {}),
            options=RunOptions.of(
                checkpoint_every=checkpoint_every,
                read_records=read_records,
                keep_checkpoints=keep_checkpoints,
                throttle=throttle,
            ),
            stop=stop or threading.Event(),
            on_progress=on_progress,
            effects=Effects(sinks),
            journal=journal,
            refresh_side_inputs=refresh_side_inputs,
            schemas=schemas,
        ).run()

    def backfill(
        self, log: Log, *, since: Instant | None, until: Instant | None, **options: Any
    ) -> Backfilled:
        """Makes the partitions anew that a range touches, and swaps them in at once.

        Args:
            log: to read.
            since, until: event times, since <= t < until, widened to whole partitions of
                each table (`.sink(...)` with partitions by time); None for all there is.
            options: see `kappa.runtime.backfill.backfill`: version, late, warmup, params,
                checkpoint_every, read_records, throttle, stop, on_progress.
        """
        from kappa.runtime.backfill import backfill

        return backfill(log, self.graph, self.plan(), since=since, until=until, **options)

    def forecast(
        self, log: Log, *, since: Instant | None, until: Instant | None, **options: Any
    ) -> Forecast:
        """What `backfill` would do, and how long it would take; nothing is written."""
        from kappa.runtime.backfill import forecast

        return forecast(log, self.graph, self.plan(), since=since, until=until, **options)

    def verify(self, log: Log, **options: Any) -> Verified:
        """Runs a range twice, in memory and in other portions, and compares append by append.

        What differs is not deterministic: it asks the time or chance, or keeps something of
        its own between rows. The result is true if nothing does, and prints as a report.

        Args:
            log: to read; nothing is written.
            options: see `kappa.runtime.verify.verify`: since, until, params, read_records,
                stop, on_progress.
        """
        from kappa.runtime.verify import verify

        return verify(log, self.plan(), **options)

    def explain(self, *, code: bool = False) -> str:
        """What each step reads, keeps and for how long.

        Args:
            code: also show the source that is generated for the steps.
        """
        return explain(self.plan(), code=code)

    def mermaid(self) -> str:
        """The graph as a Mermaid flowchart."""
        return mermaid(self.plan())

    def __repr__(self) -> str:
        return f"<Pipeline {self.name!r} of {len(self.graph.nodes)} steps>"


def _preview(log: Log, graph: Graph, edge: Edge, rows: int, params: dict[str, Any]) -> list[Any]:
    from kappa.runtime.preview import preview

    return preview(log, graph, edge, rows, params)
