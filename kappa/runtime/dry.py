"""A run in memory that writes nothing: no output, no version, no checkpoint, no answer."""

from __future__ import annotations

import threading
from collections.abc import Generator, Mapping
from typing import Any, NamedTuple

from kappa.errors import Stopped
from kappa.log import Log
from kappa.plan import Plan, SourceSpec
from kappa.plan.params import resolve_params
from kappa.runtime import versions
from kappa.runtime.executor import Executor, Output
from kappa.runtime.locating import StepFailed
from kappa.runtime.outside import outside_of
from kappa.runtime.reading import read_source
from kappa.runtime.results import OnProgress, Progress
from kappa.runtime.side_inputs import present
from kappa.runtime.units import Range, UnitPlanner
from kappa.runtime.watermarks import SourceClock
from kappa.time import MINUS_INFINITY


class Made(NamedTuple):
    """What a unit of work put out, or closing all windows at the end."""

    outputs: list[Output]
    closing: bool


def dry_run(
    log: Log,
    plan: Plan,
    *,
    end: int,
    params: Mapping[str, Any],
    read_records: int,
    reads: Range | None = None,
    complete: bool = False,
    stop: threading.Event | None = None,
    on_progress: OnProgress | None = None,
) -> Generator[Made, None, None]:
    """What a plan puts out over the log, unit by unit, then by closing all windows.

    Steps that ask outside are told what the current version was told, and call for the rest.

    Args:
        log: read from its start.
        plan: to run.
        end: the last LSN to read.
        params: values of the pipeline's parameters.
        read_records: records to take in at once.
        reads: which parts to read; all by default.
        complete: no watermark moves until the end, so that nothing is late.
        stop: ends the work between two units.
        on_progress: called after each unit.

    Raises:
        OperatorError, ContractViolation: a record stops it.
        Stopped: `stop` was set.
    """
    known = versions.versions_of(log, plan.pipeline).get(versions.current(log, plan))
    executor = Executor(
        plan,
        params=resolve_params(plan, dict(params)),
        outside=outside_of(plan, log, known.answers if known is not None else {}, writes=False),
        side_inputs=present(log, plan),
    )
    clocks = [SourceClock(step.part) for step in plan.sources if isinstance(step.part, SourceSpec)]
    topics = [log.topic(clock.spec.topic).id for clock in clocks]
    views = versions.newest_views(log, plan)
    planner = UnitPlanner(topics, clocks, read_records=read_records, reads=reads)
    lsn = append_time = records = 0
    began = log.clock.monotonic()
    entries = (entry for entry in log.entries(0) if entry.lsn <= end)
    try:
        for unit in planner.units(entries):
            if stop is not None and stop.is_set():
                raise Stopped(f"stopped at LSN {lsn} of {end}; nothing was written")
            sources = {
                step.index: (
                    read_source(
                        log, step, i, unit.lsns, unit.append_times, unit.parts[i], views[i]
                    ),
                    [None] * len(unit.lsns) if complete else unit.watermarks[i],
                )
                for i, step in enumerate(plan.sources)
            }
            yield Made(executor.run(unit.lsns, unit.append_times, sources), False)
            lsn, append_time = unit.lsns[-1], unit.append_times[-1]
            records += unit.records
            if on_progress is not None:
                seconds = log.clock.monotonic() - began
                mark = min((clock.watermark for clock in clocks), default=MINUS_INFINITY)
                on_progress(Progress(records, lsn, end, seconds, mark))
        yield Made(executor.close_all(lsn, append_time), True)
    except StepFailed as failed:
        raise failed.error(None) from failed.failure.cause
    finally:
        executor.close()
