"""One opened run of a plan into one version: units in, appends out, checkpoints.

The walk of one record: the journal names its part (`units`), its body is read
(`reading`), it goes through the steps (`executor`), what it causes is appended under its
LSN (`delivery`). A checkpoint says "the state after LSN x" and is written only once the
log is durable through x and through what x caused. After a crash the newest checkpoint is
restored and the LSNs behind it are handled again: their appends are repeats.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from kappa.batch import Batch
from kappa.errors import ContractViolation, InternalError, OffsetOutOfRange, OperatorError
from kappa.log import Entry, Log, Part
from kappa.plan import Plan, SourceSpec, Step
from kappa.runtime import savepoints, side_inputs
from kappa.runtime.delivery import Delivery, Span
from kappa.runtime.executor import Executor
from kappa.runtime.lateness import LateLines
from kappa.runtime.locating import StepFailed, origin_of
from kappa.runtime.mending import Mended
from kappa.runtime.outlets import Effects, Outlets
from kappa.runtime.outside import outside_of
from kappa.runtime.reading import read_source
from kappa.runtime.results import OnProgress, Progress, RunOptions, RunResult
from kappa.runtime.tuning import settle
from kappa.runtime.units import Ceiling, Range, Unit, UnitPlanner
from kappa.runtime.versions import LIVE, Version, targets, told_as_before, views_of
from kappa.runtime.watermarks import SourceClock
from kappa.state import StepState
from kappa.time import MINUS_INFINITY, Clock

MENDED = "mended"
FORMAT = 1
"""Of what a checkpoint says beside the state; another one is passed over."""


class Job:
    """Holds everything between `open` and `close` of a run.

    Args:
        log: where everything is.
        plan: what to run.
        version: what to write.
        options: how.
        reads: which parts to read; all by default.
        ceilings: per source, for `late="complete"`.
        on_progress: called after each unit.
        effects: which sinks outside the log take part; all by default.
        stop: ends the waiting for answers from outside.
    """

    def __init__(
        self,
        log: Log,
        plan: Plan,
        version: Version,
        *,
        options: RunOptions,
        reads: Range | None = None,
        ceilings: Sequence[Ceiling] | None = None,
        on_progress: OnProgress | None = None,
        effects: Effects | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        self.log = log
        # A live run that goes on from such a replay must not take in again what was in it.
        self.view = Mended(log, version.end_lsn) if version.late == MENDED else None
        self.plan = plan
        self.version = version
        self.options = options
        self.on_progress = on_progress
        self.clock: Clock = log.clock
        self.stop = stop
        self.notes: list[str] = []
        self.store = savepoints.checkpoint_store(log, version, keep=options.keep_checkpoints)
        self.seen = views_of(log, plan, version)
        self.clocks = [
            SourceClock(step.part) for step in plan.sources if isinstance(step.part, SourceSpec)
        ]
        self.position = 0
        self.append_time = 0
        self.records_in = 0
        self.checkpoints = 0
        self.broken = False
        self.kept: Mapping[str, Any] = {}
        claimed = self._restore()
        self.outlets = Outlets(
            log,
            plan,
            version,
            self.executor.states,
            position=self.position,
            kept=self.kept,
            effects=effects or Effects(),
            seen=self.seen,
        )
        self.delivery = Delivery(
            log,
            log.open_producer(version.committer, mode="monotone"),
            targets(log, plan, version),
            params=version.params,
            span=Span(version.since, version.until),
            claimed=claimed,
        )
        self.planner = UnitPlanner(
            [version.pins[clock.spec.topic] for clock in self.clocks],
            self.clocks,
            read_records=options.read_records,
            ceilings=ceilings,
            reads=reads,
            on_backfill=self._announced,
        )
        self.planner.seen = self.position
        self.notes += told_as_before(log, plan, version)
        self.late_lines = LateLines(plan, self.executor.counters, log.clock)
        settle()
        self.began = self.clock.monotonic()
        self.last_checkpoint = self.began
        self.dirty = False

    # -- checkpoints ---------------------------------------------------------------------

    def _restore(self) -> Mapping[str, int]:
        """Takes up the newest checkpoint, or the savepoint that the version begins from."""
        loaded = self.store.load(fits=self._fits)
        self.notes += self.store.fallbacks
        seeded = loaded is None and self.version.seed is not None
        if seeded and self.version.seed is not None:
            loaded = savepoints.load(self.log, self.version.pipeline, self.version.seed)
            savepoints.check_matches(self.plan, loaded.manifest, self.version.seed)
        if loaded is None:
            self.executor = self._opened({})
            return {}
        self.position = loaded.manifest["lsn"]
        states = {name: StepState(name) for name in loaded.steps}
        for name, frames in loaded.steps.items():
            states[name].restore(frames)
        self.executor = self._opened(states)
        extra = loaded.manifest["extra"]
        self.executor.restore_watermarks(extra["watermarks"])
        for clock in self.clocks:
            clock.restore(extra["clocks"][clock.spec.topic])
        self.append_time = extra["append_time"]
        if seeded:
            for step in self.plan.outlets:  # what lies outside belongs to the version before
                self.executor.states.pop(step.name, None)
            return {}
        self.kept = extra.get("outlets", {})
        return dict(extra["claimed"])

    def _opened(self, states: Mapping[str, StepState]) -> Executor:
        lines, position = self.version.answers, self.position
        outside = outside_of(self.plan, self.log, lines, position=position, stop=self.stop)
        return Executor(
            self.plan,
            states=states,
            params=self.version.params,
            outside=outside,
            side_inputs=side_inputs.loaded(self.log, self.version.side_inputs),
        )

    def _fits(self, manifest: Mapping[str, Any]) -> str | None:
        """Why a checkpoint cannot be used, or None if it can."""
        if manifest["extra"].get("format") != FORMAT:
            return "another release of kappa made it"
        lsn = manifest["lsn"]
        if manifest["pipeline"] != self.version.pipeline:
            return f"it belongs to pipeline {manifest['pipeline']!r}"
        if manifest["fingerprint"] != self.version.fingerprint:
            return "it belongs to another graph"
        if lsn > self.log.end_lsn or manifest["chain_crc"] != self.log.chain_crc(lsn):
            return f"it rests on LSN {lsn} of a future that the log lost"
        return None

    def checkpoint(self, name: str | None = None) -> None:
        """Makes the state after the last LSN handled durable.

        Args:
            name: keeps it for good under this name; else it is one of the newest few.
        """
        if self.broken:
            raise InternalError("a checkpoint of a run that failed half-way through a unit")
        self.log.sync()
        outlets = self.outlets.prepare()
        manifest = {
            "pipeline": self.version.pipeline,
            "version": self.version.version,
            "fingerprint": self.version.fingerprint,
            "code": self.version.code,
            "params": self.version.params,
            "lsn": self.position,
            "chain_crc": self.log.chain_crc(self.position),
            "log_epoch": self.log.epoch,
            "extra": {
                "format": FORMAT,
                "watermarks": self.executor.watermarks(),
                "clocks": {clock.spec.topic: clock.snapshot() for clock in self.clocks},
                "states": self.plan.state_texts(),
                "claimed": dict(self.delivery.claimed),
                "append_time": self.append_time,
                "outlets": outlets,
            },
        }
        self.store.save(manifest, self.executor.states, name=name)
        self.outlets.commit(outlets, self.position)
        self.checkpoints += 1
        self.last_checkpoint = self.clock.monotonic()
        self.dirty = False

    def checkpoint_if_due(self) -> None:
        """Takes a checkpoint if there is news and the time has come."""
        every = self.options.checkpoint_every_ms
        if every is None or not self.dirty:
            return
        if (self.clock.monotonic() - self.last_checkpoint) * 1000 >= every:
            self.checkpoint()

    # -- work ----------------------------------------------------------------------------

    def catch_up(self, *, until_lsn: int | None = None, stop: threading.Event | None = None) -> int:
        """Handles what the log holds by now; returns the number of LSNs handled.

        Args:
            until_lsn: the last LSN to handle; to the present end by default.
            stop: ends the work between two units.
        """
        handled = 0
        end = self.log.end_lsn if until_lsn is None else until_lsn
        for unit in self.planner.units(self._entries(end)):
            self._take(unit)
            handled += len(unit.lsns)
            if self.on_progress is not None:
                self.on_progress(self.progress(end))
            if self.options.throttle is not None:
                self._pace(self.options.throttle, stop)
            if stop is not None and stop.is_set():
                break
            self.checkpoint_if_due()
        return handled

    def _pace(self, rate: float, stop: threading.Event | None) -> None:
        """Waits until no more than `rate` records a second were read since the run began."""
        until = self.began + self.records_in / rate
        while (left := until - self.clock.monotonic()) > 0:
            if stop is not None and stop.is_set():
                return
            self.clock.wait(min(left, self.options.poll_seconds), stop)

    def _announced(self, entry: Entry) -> None:
        """A backfill takes over up to here, so the files of a live run end here."""
        data, version = entry.data or {}, self.version
        if (data["pipeline"], data["version"], LIVE) == (
            version.pipeline,
            version.version,
            version.status,
        ):
            self.outlets.cut(entry.lsn, data["since"], data["until"])
            self.dirty = True

    def _entries(self, end: int) -> Iterator[Entry]:
        entries: Iterable[Entry] = self.log.entries(self.planner.seen)
        for entry in entries if self.view is None else self.view(entries):
            if entry.lsn > end:
                return
            yield entry

    def _take(self, unit: Unit) -> None:
        self.broken = True  # until the whole unit is through and delivered
        sources = {
            step.index: (self._read(step, index, unit), unit.watermarks[index])
            for index, step in enumerate(self.plan.sources)
        }
        try:
            outputs = self.executor.run(unit.lsns, unit.append_times, sources)
        except StepFailed as failed:
            raise self._located(failed, unit) from failed.failure.cause
        self.delivery.deliver(unit.lsns, unit.append_times, outputs)
        self.outlets.deliver(unit.lsns, unit.append_times, outputs)
        self.position = unit.lsns[-1]
        self.append_time = unit.append_times[-1]
        self.records_in += unit.records
        self.late_lines.look(self.position)
        self.dirty = True
        self.broken = False

    def _read(self, step: Step, index: int, unit: Unit) -> list[Batch]:
        parts = unit.parts[index]
        try:
            return self._rows(step, index, unit.lsns, unit.append_times, parts)
        except OffsetOutOfRange:
            kept = [(at, part) for at, part in parts if self.log.holds(part)]
            gone = sum(part.count for _, part in parts) - sum(part.count for _, part in kept)
            unit.records -= gone
            return self._rows(step, index, unit.lsns, unit.append_times, kept)

    def _rows(
        self,
        step: Step,
        index: int,
        lsns: Sequence[int],
        times: Sequence[int],
        parts: Sequence[tuple[int, Part]],
    ) -> list[Batch]:
        written = None if self.view is None else self.view.written
        return read_source(self.log, step, index, lsns, times, parts, self.seen[index], written)

    def _located(self, failed: StepFailed, unit: Unit) -> OperatorError | ContractViolation:
        """The error with the topic, partition and offset of its record, where they are known."""

        def read(step: Step, lsn: int) -> tuple[list[Batch], dict[int, int]]:
            source = self.plan.sources.index(step)
            at = unit.lsns.index(lsn)
            parts = [(0, part) for place, part in unit.parts[source] if place == at]
            ranked = replace(step, ranked=True)
            batches = self._rows(ranked, source, [lsn], [0], parts)
            return batches, {part.partition: part.base_offset for _, part in parts}

        return failed.error(origin_of(failed, self.plan, self.executor.instances, read))

    def close_windows(self, *, final: bool) -> int:
        """Fires all that is left; returns the LSN of the append that says so.

        Args:
            final: the end is claimed for good (drain); else the append is flagged closing,
                and a run that goes on from here voids it.
        """
        self.broken = True
        try:
            outputs = self.executor.close_all(self.position, self.append_time)
        except StepFailed as failed:
            raise failed.error(None) from failed.failure.cause
        closing = self.delivery.claim_end if final else self.delivery.close
        lsn = closing(self.position, self.append_time, outputs)
        self.outlets.finish(self.position, self.append_time, outputs)
        return lsn

    # -- what it says --------------------------------------------------------------------

    @property
    def watermark(self) -> int:
        """The smallest watermark of the sources."""
        return min((clock.watermark for clock in self.clocks), default=MINUS_INFINITY)

    def progress(self, end_lsn: int) -> Progress:
        """How far the run is."""
        return Progress(
            self.records_in,
            self.position,
            end_lsn,
            self.clock.monotonic() - self.began,
            self.watermark,
        )

    def result(self) -> RunResult:
        """What the run did."""
        return RunResult(
            version=self.version.version,
            records_in=self.records_in,
            records_out=self.delivery.rows + self.outlets.rows,
            late=self.executor.total("late"),
            dead_letters=self.executor.total("dead_letters"),
            seconds=self.clock.monotonic() - self.began,
            checkpoints=self.checkpoints,
            watermark=self.watermark,
            exact=self.version.exact,
            lsn=self.position,
            notes=tuple(self.notes),
            breaches=self.executor.total("breaches"),
        )

    def explain_watermark(self) -> str:
        """Which source and partition hold time back, and since when."""
        holds = sorted((clock.explain() for clock in self.clocks), key=lambda hold: hold.watermark)
        return "\n".join(map(str, holds))

    def close(self) -> None:
        """Closes the steps and the sinks."""
        self.late_lines.look(self.position, last=True)
        self.outlets.close()
        self.executor.close()
