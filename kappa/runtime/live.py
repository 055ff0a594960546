"""The live run: goes on from its checkpoint, follows the log, and stops cleanly."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from kappa.errors import ConfigError, Stopped
from kappa.log import Draft, Log
from kappa.plan import Plan
from kappa.runtime import savepoints, versions
from kappa.runtime.feeds import Feeds
from kappa.runtime.history import recorded, summary
from kappa.runtime.job import Job
from kappa.runtime.results import OnProgress, RunOptions, RunResult
from kappa.runtime.tuning import tuned
from kappa.runtime.versions import DRAINED, LIVE, REPLAYED, REPLAYING, Version
from kappa.time import PLUS_INFINITY

NO_CHECKPOINT = (
    "stopped while waiting for answers from outside: no checkpoint was written; the next run"
    " goes on from the one before, and has the answers that came"
)


class LiveRun:
    """One live run of a pipeline, from `open` to its result.

    Args:
        log: to follow.
        plan: to run.
        version: to write; the promoted one (or 1) by default.
        params: values of the pipeline's parameters.
        options: how to run.
        until_idle: end when everything in the log is handled.
        drain: at the end, close all windows for good.
        stop: set it to stop the run between two units.
        restore: savepoint that a version that does not exist yet begins from.
        savepoint: name under which the state at the end is kept.
    """

    def __init__(
        self,
        log: Log,
        plan: Plan,
        *,
        version: int | None,
        params: Mapping[str, Any],
        options: RunOptions,
        until_idle: bool,
        drain: bool,
        stop: threading.Event,
        on_progress: OnProgress | None = None,
        restore: str | None = None,
        savepoint: str | None = None,
    ) -> None:
        self.log = log
        self.plan = plan
        self.number = versions.current(log, plan) if version is None else versions.checked(version)
        self.params = params
        self.options = options
        self.until_idle = until_idle
        self.drain = drain
        self.stop = stop
        self.on_progress = on_progress
        self.restore = restore
        self.savepoint = savepoint
        self.job: Job | None = None
        self.opened = threading.Event()

    def run(self) -> RunResult:
        """Runs until it is stopped, or idle if asked for.

        Raises:
            LogLocked: another run writes this version.
            IncompatibleState: the pipeline is not the one that made the version.
        """
        name = self.plan.pipeline
        with (
            self.log.lock(f"{name}@{self.number}"),
            tuned(),
            recorded(self.log, "run", name, self.number) as ended,
        ):
            self.feeds = Feeds(self.plan, self.log, self.stop)
            self.feeds.load()
            version = self._version()
            job = self.job = Job(
                self.log,
                self.plan,
                version,
                options=self.options,
                on_progress=self.on_progress,
                stop=self.stop,
            )
            self.opened.set()
            try:
                with suppress(Stopped):  # within a unit; _end sees that it is broken
                    self._follow(job)
                result = self._end(job)
                ended(summary(result, stopped=self.stop.is_set()))
                return result
            finally:
                job.close()

    def _version(self) -> Version:
        known = versions.versions_of(self.log, self.plan.pipeline).get(self.number)
        if known is None:
            if self.restore is not None:
                loaded = savepoints.load(self.log, self.plan.pipeline, self.restore)
                savepoints.check_matches(self.plan, loaded.manifest, self.restore)
            return versions.create(self.log, self.plan, self._fresh())
        if self.restore is not None and self.restore != known.seed:
            raise ConfigError(
                f"{known.name} exists: only a version that does not yet can begin from a savepoint"
            )
        versions.check_fits(self.plan, known, self.params)
        if known.status == DRAINED:
            raise ConfigError(
                f"{known.name} was drained: its results are final; replay into a new version"
            )
        if known.status == REPLAYING:
            raise ConfigError(
                f"the replay into {known.name} is not finished; start it again and it goes on"
            )
        if known.status == REPLAYED:
            return self._hand_over(known)
        return known

    def _fresh(self) -> Version:
        return Version(
            pipeline=self.plan.pipeline,
            version=self.number,
            fingerprint=self.plan.fingerprint,
            code=self.plan.code(),
            params=dict(self.params),
            status=LIVE,
            seed=self.restore,
        )

    def _hand_over(self, version: Version) -> Version:
        """From replay to live without gap or double: void the closing append, then go on."""
        if version.until < PLUS_INFINITY or version.late == "complete":
            raise ConfigError(
                f"{version.name} is a replay with until= or late='complete': it is finished;"
                " only a replay of everything, late='as_live' or 'mended', can go on"
            )
        if version.closing_lsn and version.closing_lsn not in self.log.catalog.voided:
            self.log.control("void", {"lsn": version.closing_lsn})
        return version.moved(self.log, status=LIVE)

    def _follow(self, job: Job) -> None:
        ticks = Ticks(self.log, job)
        while not self.stop.is_set():
            self.feeds.beat()
            if job.catch_up(stop=self.stop):
                continue
            job.checkpoint_if_due()
            if self.until_idle:
                return
            ticks.beat()
            self.log.wait(job.planner.seen, self.options.poll_seconds, self.stop)

    def _end(self, job: Job) -> RunResult:
        if job.broken:
            job.notes.append(NO_CHECKPOINT)
            return job.result()
        if self.savepoint is not None:
            job.checkpoint(self.savepoint)
        if self.drain and not self.stop.is_set():
            job.checkpoint()
            job.close_windows(final=True)
            job.version.moved(self.log, status=DRAINED)
        elif job.dirty or not job.store.list():
            job.checkpoint()
        return job.result()


class Ticks:
    """Appends an empty tick to silent sources, so that idleness is a fact in the log.

    Only where a source has `idle_after`; two to a span of silence.
    """

    def __init__(self, log: Log, job: Job) -> None:
        self.log = log
        self.job = job
        spans = [clock.spec.idle_after for clock in job.clocks if clock.spec.idle_after]
        self.every_ms = max(1, min(spans) // 2) if spans else None
        self.last_ms = log.clock.now_ms()

    def beat(self) -> None:
        """Appends a tick if the sources have been silent for long enough."""
        if self.every_ms is None:
            return
        now = self.log.clock.now_ms()
        if now - max(self.last_ms, self.job.append_time) < self.every_ms:
            return
        self.last_ms = now
        claims: list[tuple[int, int | None]] = [
            (self.job.version.pins[clock.spec.topic], None)
            for clock in self.job.clocks
            if clock.spec.idle_after is not None
        ]
        self.log.commit([Draft(claims=claims)])


class Running:
    """A live run in a thread of its own; made by `Pipeline.start`.

    >>> from kappa import Log, Pipeline
    >>> with Log.memory() as log:
    ...     _ = log.create_topic("numbers", time="ts")
    ...     pipeline = Pipeline("copy")
    ...     _ = pipeline.source("numbers").to("copied")
    ...     running = pipeline.start(log)
    ...     _ = log.append("numbers", [{"ts": 1}])
    ...     running.stop()
    ...     result = running.wait()
    >>> result.version
    1
    """

    def __init__(self, run: LiveRun) -> None:
        self._run = run
        self._result: RunResult | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(
            target=self._work, name=f"kappa {run.plan.pipeline}@{run.number}", daemon=True
        )
        self._thread.start()

    def _work(self) -> None:
        try:
            self._result = self._run.run()
        except BaseException as error:
            self._error = error
        finally:
            self._run.opened.set()

    def stop(self) -> None:
        """Asks the run to stop after the unit in hand; it takes a checkpoint first."""
        self._run.stop.set()

    def wait(self, timeout: float | None = None) -> RunResult | None:
        """Waits for the end.

        Args:
            timeout: seconds to wait at most.

        Returns:
            The result, or None if the run still goes on after `timeout`.

        Raises:
            KappaError: whatever stopped the run.
        """
        self._thread.join(timeout)
        if self._error is not None:
            raise self._error
        return self._result

    @property
    def alive(self) -> bool:
        """Whether the run goes on."""
        return self._thread.is_alive()

    def explain_watermark(self) -> str:
        """Which source and partition hold time back, and since when."""
        self._run.opened.wait()
        if self._run.job is None:
            return "the run did not open; wait() says why"
        return self._run.job.explain_watermark()
