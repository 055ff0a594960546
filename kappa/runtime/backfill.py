"""Backfill: a replay of a range that overwrites exactly the partitions it touches.

Of each table that a pipeline writes, the range is widened to whole partitions. They are
made anew from the log as it stood at LSN L, where the backfill began, and are swapped in
one step at the end: before it, nothing shows; after it, all of it. Where it was killed it
goes on, with the same L.

**Beside a live run.** A control record announces the backfill in the log; its LSN is L. A
run that passes L closes the files that it has open in the range, so every file holds rows
of LSNs up to L or behind L. What LSNs up to L caused is the backfill's, what comes later is
the live run's: the swap removes only files up to L, and the live run leaves out those that
it had not shown by then. Partitions that the watermark has not passed at L belong to the
live run as a whole and are left to it. So no row is there twice, and none is missing,
whoever runs when.

**Topics** are never overwritten. A pipeline with tables leaves its topics alone; one that
writes only topics gets the range in a version of its own, compared with the promoted one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kappa.errors import ConfigError
from kappa.log import Log, compare
from kappa.plan import Graph, Plan, Step, compile_plan, part_above
from kappa.plan.params import resolve_params
from kappa.runtime import versions
from kappa.runtime.changes import Changed, identities, judged
from kappa.runtime.estimate import Estimate, estimate
from kappa.runtime.job import Job
from kappa.runtime.outlets import Effects
from kappa.runtime.replay import Replay
from kappa.runtime.results import (
    KEEP_CHECKPOINTS,
    READ_RECORDS,
    OnProgress,
    RunOptions,
    RunResult,
)
from kappa.runtime.savepoints import checkpoint_store
from kappa.runtime.units import BACKFILL
from kappa.runtime.versions import BACKFILLS, REPLAYED, REPLAYING, Version
from kappa.sinks import OVERWRITE, Partition, Sink
from kappa.time import (
    MINUS_INFINITY,
    PLUS_INFINITY,
    Duration,
    Instant,
    format_time,
    optional_ms,
    span_ms,
)

MAX_LISTED = 100_000
"""Partitions that a forecast lists at most; beyond it the range is refused."""

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Backfilled:
    """What a backfill did.

    Args:
        version: whose tables it wrote; of a pipeline of topics, the version that it made.
        since, until: the event times that were asked for, ms.
        partitions: what changed, by table and partition; those without a change as well.
        records_in, records_out: read from the sources, written to the tables.
        dead_letters: records that a function failed on and that were set aside.
        seconds: wall time.
        lsn: the backfill is of the log as it stood here.
        exact: the rows are those of a full replay; False after a shortened warm-up.
        notes: what a person should know.
    """

    version: int
    since: int
    until: int
    partitions: tuple[Changed, ...]
    records_in: int
    records_out: int
    dead_letters: int
    seconds: float
    lsn: int
    exact: bool = True
    notes: tuple[str, ...] = ()

    @property
    def added(self) -> int:
        """Rows that were not there before."""
        return sum(one.added for one in self.partitions)

    @property
    def removed(self) -> int:
        """Rows that are gone."""
        return sum(one.removed for one in self.partitions)

    @property
    def altered(self) -> int:
        """Rows of the same key and window with other values."""
        return sum(one.altered for one in self.partitions)

    def __str__(self) -> str:
        changed = [one for one in self.partitions if one]
        lines = [
            f"version {self.version}: {self.records_in:,} records in, {self.records_out:,} rows;"
            f" {len(changed)} of {len(self.partitions)} partitions changed:"
            f" {self.added:,} rows added, {self.removed:,} removed, {self.altered:,} altered"
            f" in {self.seconds:.2f} s"
        ]
        return "\n".join([*lines, *(f"  {one}" for one in self.partitions if one or one.left)])


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a backfill would do; nothing was written.

    Args:
        version: whose tables it would write.
        spans: of each table, the range widened to whole partitions, ms.
        partitions: names of those within what the log holds, by table.
        estimate: records, bytes and time.
    """

    version: int
    spans: Mapping[str, Span]
    partitions: Mapping[str, tuple[str, ...]]
    estimate: Estimate

    def __str__(self) -> str:
        found = self.estimate
        lines = [
            f"{found.records:,} records, {found.bytes:,} bytes, about {found.seconds:.0f} s"
            f" (at {found.rate:,.0f}/s, by {found.basis})"
        ]
        for step, names in self.partitions.items():
            first = f"{names[0]} to {names[-1]}" if len(names) > 1 else "".join(names)
            lines.append(f"  {step}: {len(names)} partitions {first}".rstrip())
        return "\n".join(lines)


def backfill(
    log: Log,
    graph: Graph,
    live: Plan,
    *,
    since: Instant | None,
    until: Instant | None,
    version: int | None = None,
    late: str = "as_live",
    warmup: Duration | None = None,
    params: Mapping[str, Any] | None = None,
    checkpoint_every: Duration | None = "5s",
    read_records: int = READ_RECORDS,
    throttle: float | None = None,
    stop: threading.Event | None = None,
    on_progress: OnProgress | None = None,
) -> Backfilled:
    """Backfills a pipeline.

    Args:
        log, graph, live: the log, the pipeline's graph and its plan.
        since, until: event times, since <= t < until; None for all there is.
        version: whose tables are written; the promoted or live one by default.
        late, warmup, params, checkpoint_every, read_records, throttle, stop, on_progress:
            as in `Pipeline.replay`.

    Raises:
        LogLocked: another backfill of this pipeline goes on.
        SinkError: somebody else has put a file into a partition.
        Stopped: `stop` was set; started again, it goes on.
    """
    options = RunOptions.of(
        checkpoint_every=checkpoint_every,
        read_records=read_records,
        keep_checkpoints=KEEP_CHECKPOINTS,
        throttle=throttle,
    )
    run = _opened(
        log, graph, live, span_ms(since, until), version, late, warmup, params, options,
        stop, on_progress,
    )  # fmt: skip
    return run.backfill() if isinstance(run, Backfill) else _topics(log, live, run)


def forecast(
    log: Log,
    graph: Graph,
    live: Plan,
    *,
    since: Instant | None,
    until: Instant | None,
    version: int | None = None,
    late: str = "as_live",
    warmup: Duration | None = None,
    params: Mapping[str, Any] | None = None,
    throttle: float | None = None,
) -> Forecast:
    """What a backfill would do; arguments as there."""
    span = span_ms(since, until)
    run = _opened(log, graph, live, span, version, late, warmup, params, RunOptions())
    found = estimate(log, run.plan, reads=run.reads, params=run.wanted.params, throttle=throttle)
    if not isinstance(run, Backfill):
        return Forecast(run.number, {}, {}, found)
    listed = {
        step.name: tuple(_names(step, run.spans[step.name], found, run.margin or 0))
        for step in run.plan.outlets
    }
    return Forecast(run.number, run.spans, listed, found)


def _opened(
    log: Log,
    graph: Graph,
    live: Plan,
    span: Span,
    version: int | None,
    late: str,
    warmup: Duration | None,
    params: Mapping[str, Any] | None,
    options: RunOptions,
    stop: threading.Event | None = None,
    on_progress: OnProgress | None = None,
) -> Replay:
    """The run, not begun: a `Backfill` of tables, or a replay where there are only topics."""
    others: dict[str, Any] = {
        "since": span[0],
        "until": span[1],
        "late": late,
        "warmup_ms": optional_ms(warmup, name="warmup", minimum=0),
        "params": resolve_params(live, params or {}),
        "options": options,
        "stop": stop or threading.Event(),
        "on_progress": on_progress,
    }
    plan = backfill_plan(graph, catches=live.catches)
    if plan is not None:
        return Backfill(log, plan, live, version=version, **others)
    number = version or _unfinished(log, live, *span, late)
    return Replay(log, live, version=number, overwrite=False, kind=BACKFILL, **others)


def _topics(log: Log, plan: Plan, replay: Replay) -> Backfilled:
    """The range of a pipeline that writes only topics: a version of its own, compared."""
    result, span = replay.run(), (replay.wanted.since, replay.wanted.until)
    return Backfilled(
        version=result.version,
        since=span[0],
        until=span[1],
        partitions=tuple(_against(log, plan, result.version, *span)),
        records_in=result.records_in,
        records_out=result.records_out,
        dead_letters=result.dead_letters,
        seconds=result.seconds,
        lsn=result.lsn,
        exact=result.exact,
        notes=(*result.notes, f"topics are not overwritten: the range is version {replay.number}"),
    )


def _unfinished(log: Log, plan: Plan, since: int, until: int, late: str) -> int | None:
    """The version that an earlier try of the same range had begun."""
    for number, known in versions.versions_of(log, plan.pipeline).items():
        same = (known.since, known.until, known.late) == (since, until, late)
        if same and known.status == REPLAYING and known.fingerprint == plan.fingerprint:
            return number
    return None


def _against(log: Log, plan: Plan, version: int, since: int, until: int) -> Iterator[Changed]:
    """What differs from the promoted version in the range, by topic."""
    known = versions.versions_of(log, plan.pipeline)[version]
    for name in known.outputs:
        promoted = log.catalog.aliases.get(name)
        if promoted not in (None, version):
            found = compare.between(log, f"{name}@{promoted}", f"{name}@{version}", since, until)
            yield Changed(
                name,
                f"{name}@{version}",
                added=len(found.added),
                removed=len(found.removed),
                altered=len(found.altered),
                same=found.same,
            )


def backfill_plan(graph: Graph, *, catches: bool) -> Plan | None:
    """The part of a pipeline that makes its tables; None if it writes none to overwrite."""
    ends = [node.index for node in graph.nodes if _is_table(node.part)]
    if not ends:
        return None
    part, _ = part_above(graph, ends, name=f"{graph.name}{BACKFILLS}")
    return compile_plan(part, dead_letters=catches, quiet=True)


def _is_table(part: object) -> bool:
    return isinstance(part, Sink) and part.partition_of(0) is not None


class Backfill(Replay):
    """One backfill of a pipeline's tables.

    Args:
        log: to read.
        plan: of `backfill_plan`.
        live: the whole pipeline's plan, which says whose version it is.
        version: whose tables are written; the promoted or live one by default.
        since, until: event times; widened to whole partitions.
        others: as of `Replay`.
    """

    def __init__(
        self, log: Log, plan: Plan, live: Plan, *, version: int | None, since: int, until: int,
        **others: Any,
    ) -> None:  # fmt: skip
        if since >= until:
            raise ConfigError("since must lie before until")
        number = versions.current(log, live) if version is None else version
        self.asked = (since, until)
        self.spans = {step.name: _widened(step, since, until) for step in plan.outlets}
        self.changed: tuple[Changed, ...] = ()
        super().__init__(
            log,
            plan,
            version=number,
            since=min(span[0] for span in self.spans.values()),
            until=max(span[1] for span in self.spans.values()),
            overwrite=False,
            effects=Effects("all", OVERWRITE, self.spans, number),
            kind=BACKFILL,
            **others,
        )
        self.wanted = replace(self.wanted, spans=self.spans)
        known = versions.versions_of(log, live.pipeline).get(number)
        self.pins = {} if known is None else _pins(plan, known)
        self.schemas = known.schemas if known is not None and self.pins else {}

    def backfill(self) -> Backfilled:
        """Runs to the end; see `Replay.run` for what it raises."""
        with self.log.lock(self.plan.pipeline):  # whatever version: one at a time
            result = self.run()
        return Backfilled(
            version=self.number,
            since=self.asked[0],
            until=self.asked[1],
            partitions=self.changed,
            records_in=result.records_in,
            records_out=result.records_out,
            dead_letters=result.dead_letters,
            seconds=result.seconds,
            lsn=self.end_lsn,
            exact=result.exact,
            notes=result.notes,
        )

    def _version(self) -> Version:
        known = versions.versions_of(self.log, self.plan.pipeline).get(self.number)
        wanted = self.wanted
        if known is not None and known.status == REPLAYING and _same(known, wanted):
            self.end_lsn = known.end_lsn
            return known
        if known is not None:
            checkpoint_store(self.log, known, keep=1).drop_after(-1)
        name = self.plan.pipeline.partition(BACKFILLS)[0]
        self.end_lsn = self.log.control(
            BACKFILL,
            {
                "pipeline": name,
                "version": self.number,
                "since": wanted.since,
                "until": wanted.until,
            },
        )
        made = replace(wanted, end_lsn=self.end_lsn, pins=self.pins, schemas=dict(self.schemas))
        return versions.create(self.log, self.plan, made)

    def _through(self, job: Job, version: Version) -> RunResult:
        if version.status == REPLAYED:
            raise ConfigError(f"{version.name} is finished")
        result = super()._through(job, version)
        keys = identities(self.plan)
        self.changed = tuple(
            judged(step, change, keys[step])
            for step, found in job.outlets.changes().items()
            for change in found
        )
        job.store.drop_after(-1)
        return result


def _same(known: Version, wanted: Version) -> bool:
    names = ("since", "until", "late", "fingerprint", "code", "params", "exact")
    spans = {name: tuple(span) for name, span in known.spans.items()}
    return spans == wanted.spans and all(
        getattr(known, name) == getattr(wanted, name) for name in names
    )


def _pins(plan: Plan, known: Version) -> dict[str, int]:
    """The topics that the version reads, where it reads all that the plan does."""
    names = versions.source_names(plan)
    return {name: known.pins[name] for name in names} if known.pins.keys() >= set(names) else {}


def _widened(step: Step, since: int, until: int) -> Span:
    """The range in whole partitions of a table."""
    return (
        since if since == MINUS_INFINITY else _partition(step, since).start,
        until if until == PLUS_INFINITY else _partition(step, until - 1).end,
    )


def _partition(step: Step, time: int) -> Partition:
    assert isinstance(step.part, Sink)
    found = step.part.partition_of(time)
    assert found is not None  # `backfill_plan` has left out those without
    return found


def _names(step: Step, span: Span, found: Estimate, margin: int) -> Sequence[str]:
    """Names of the partitions of a range that can hold rows."""
    if not found.records:
        return ()
    time = max(span[0], found.min_time)
    stop = min(span[1], found.max_time + margin + 1)
    names: list[str] = []
    while time < stop:
        partition = _partition(step, time)
        names.append(partition.name)
        time = partition.end
        if len(names) > MAX_LISTED:
            raise ConfigError(
                f"{step.name}: more than {MAX_LISTED:,} partitions up to {format_time(stop)};"
                " give a shorter range"
            )
    return names
