"""What a replay or backfill would read, and how long it would take; nothing is written.

Records and bytes are counted in the journal, so they are exact. The time rests on a rate:
that of earlier runs of the pipeline in the log's history, or else a sample that is worked
through in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kappa.log import CLOSING, Entry, Log, Part
from kappa.plan import Plan, SourceSpec
from kappa.runtime.executor import Executor
from kappa.runtime.history import DONE, runs_of
from kappa.runtime.locating import StepFailed
from kappa.runtime.reading import read_source
from kappa.runtime.side_inputs import present
from kappa.runtime.units import Range, Unit, UnitPlanner
from kappa.runtime.versions import BACKFILLS, newest_views, source_names
from kappa.runtime.watermarks import SourceClock
from kappa.time import MINUS_INFINITY, PLUS_INFINITY

SAMPLE_RECORDS = 20_000
SAMPLE_SECONDS = 1.0
ENOUGH_RECORDS = 1_000
"""An earlier run with fewer records says little about a rate."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a bounded run has before it.

    Args:
        records, bytes: that it reads of its sources; bytes as they lie in the log.
        appends: of the sources, which are all planned.
        min_time, max_time: event times of what it reads, ms; infinities without a record.
        rate: records per second.
        basis: where the rate comes from: "history", "sample" or "throttle".
    """

    records: int
    bytes: int
    appends: int
    min_time: int
    max_time: int
    rate: float
    basis: str

    @property
    def seconds(self) -> float:
        """How long it may take."""
        return self.records / self.rate if self.rate else 0.0


def estimate(
    log: Log,
    plan: Plan,
    *,
    reads: Range | None,
    params: Mapping[str, Any],
    throttle: float | None = None,
) -> Estimate:
    """Looks ahead at a run over the log as it stands.

    Args:
        log, plan, params: of the run.
        reads: which parts it would read; None for all.
        throttle: records per second at most.

    Cost: 3 µs per append of the log; a second for a sample.
    """
    pins = [log.topic(name).id for name in source_names(plan)]
    counted = _Count()
    for entry in _appends(log, log.end_lsn):
        touched = [part for part in entry.parts if part.topic_id in pins]
        counted.appends += bool(touched)
        for part in touched:
            if reads is None or reads.reads(part):
                counted.take(part)
    rate, basis = _rate(log, plan, pins, params)
    if throttle is not None and throttle < rate:
        rate, basis = throttle, "throttle"
    return Estimate(
        counted.records, counted.bytes, counted.appends, counted.low, counted.high, rate, basis
    )


@dataclass(slots=True)
class _Count:
    records: int = 0
    bytes: int = 0
    appends: int = 0
    low: int = PLUS_INFINITY
    high: int = MINUS_INFINITY

    def take(self, part: Part) -> None:
        self.records += part.count
        self.bytes += part.length
        self.low = min(self.low, part.min_time)
        self.high = max(self.high, part.max_time)


def _appends(log: Log, end: int) -> Iterator[Entry]:
    for entry in log.entries(0):
        if entry.lsn > end:
            return
        if entry.kind == "append" and not entry.flags & CLOSING:
            yield entry


def _rate(
    log: Log, plan: Plan, pins: Sequence[int], params: Mapping[str, Any]
) -> tuple[float, str]:
    for run in reversed(runs_of(log, plan.pipeline.partition(BACKFILLS)[0])):
        records, seconds = run.facts.get("records_in", 0), run.facts.get("seconds", 0)
        if run.outcome == DONE and records >= ENOUGH_RECORDS and seconds > 0:
            return records / seconds, "history"
    return _sampled(log, plan, pins, params), "sample"


def _sampled(log: Log, plan: Plan, pins: Sequence[int], params: Mapping[str, Any]) -> float:
    """The rate at which the log's first records go through the steps."""
    clocks = [SourceClock(s.part) for s in plan.sources if isinstance(s.part, SourceSpec)]
    planner = UnitPlanner(pins, clocks, read_records=4096)
    executor = Executor(plan, params=params, side_inputs=present(log, plan))
    began, records = log.clock.monotonic(), 0
    try:
        for unit in planner.units(_appends(log, log.end_lsn)):
            _through(log, plan, executor, unit)
            records += unit.records
            took = log.clock.monotonic() - began
            if records >= SAMPLE_RECORDS or took >= SAMPLE_SECONDS:
                break
    except StepFailed:
        pass  # the run itself will say so; here it ends the sample
    finally:
        executor.close()
    took = log.clock.monotonic() - began
    return records / took if took > 0 else 0.0


def _through(log: Log, plan: Plan, executor: Executor, unit: Unit) -> None:
    views = newest_views(log, plan)
    sources = {
        step.index: (
            read_source(log, step, at, unit.lsns, unit.append_times, unit.parts[at], views[at]),
            unit.watermarks[at],
        )
        for at, step in enumerate(plan.sources)
    }
    executor.run(unit.lsns, unit.append_times, sources)
