"""Replay: a bounded run over the log as it stands, into a version of its own.

The end L is fixed when the replay starts. The checkpoint after L is kept, then every
window closes in one append flagged closing. A live run of the same version goes on from L
and first voids that append.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from kappa.errors import ConfigError, Stopped
from kappa.log import Entry, Log
from kappa.operators.asking import JOURNAL
from kappa.plan import Plan
from kappa.runtime import versions
from kappa.runtime.feeds import Feeds
from kappa.runtime.history import recorded, summary
from kappa.runtime.job import Job
from kappa.runtime.margins import margin_before, range_of
from kappa.runtime.outlets import Effects
from kappa.runtime.results import OnProgress, RunOptions, RunResult
from kappa.runtime.savepoints import checkpoint_store
from kappa.runtime.tuning import tuned
from kappa.runtime.units import Ceiling, Range, oldest_times
from kappa.runtime.versions import REPLAYED, REPLAYING, Version
from kappa.time import MINUS_INFINITY

LATE_MODES = ("as_live", "complete", "mended")


class Replay:
    """One replay of a pipeline.

    Args:
        log: to read from its start.
        plan: to run.
        version: to write; the next free one by default.
        since, until: only rows with since <= event time < until are written (R8).
        late: "as_live" repeats the live verdicts; "complete" lets nothing be late; "mended"
            repeats them, with mended records where they were set aside.
        warmup_ms: history to read before `since` where a step would need all of it;
            the rows are then not exact.
        overwrite: start again in a version that exists.
        params: values of the pipeline's parameters.
        options: how to run.
        stop: set it to stop between two units.
        effects: which sinks outside the log take part; by default those that do not reach
            outside.
        journal: "repeat" or "refresh" answers from outside; None for what each step says.
        refresh_side_inputs: a new version sees side inputs as they stand.
    """

    def __init__(
        self,
        log: Log,
        plan: Plan,
        *,
        version: int | None,
        since: int,
        until: int,
        late: str,
        warmup_ms: int | None,
        overwrite: bool,
        params: Mapping[str, Any],
        options: RunOptions,
        stop: threading.Event,
        on_progress: OnProgress | None = None,
        effects: Effects | None = None,
        kind: str = "replay",
        journal: str | None = None,
        refresh_side_inputs: bool = False,
        schemas: Mapping[str, int] | None = None,
    ) -> None:
        if journal is not None and journal not in JOURNAL:
            raise ConfigError(f"journal is {journal!r}: give one of {', '.join(JOURNAL)}")
        if late not in LATE_MODES:
            raise ConfigError(f"late is {late!r}: give one of {', '.join(LATE_MODES)}")
        if since >= until:
            raise ConfigError("since must lie before until")
        self.log = log
        self.plan = plan
        self.kind = kind
        self.number = (
            versions.next_free(log, plan) if version is None else versions.checked(version)
        )
        self.overwrite = overwrite
        self.options = options
        self.stop = stop
        self.on_progress = on_progress
        self.effects = effects or Effects("default")
        self.journal = journal
        self.refresh_side_inputs = refresh_side_inputs
        self.schemas = schemas or {}
        self.margin = margin_before(plan)
        self.warmup_ms = warmup_ms
        exact = since == MINUS_INFINITY or self.margin is not None or warmup_ms is None
        self.wanted = Version(
            pipeline=plan.pipeline,
            version=self.number,
            fingerprint=plan.fingerprint,
            code=plan.code(),
            params=dict(params),
            status=REPLAYING,
            since=since,
            until=until,
            late=late,
            exact=exact,
        )

    def run(self) -> RunResult:
        """Runs to the end that was fixed at the first start.

        Raises:
            LogLocked: another run writes this version.
            ConfigError: the version exists and is something else.
            Stopped: it was stopped; started again, it goes on.
        """
        wanted = self.wanted
        span = {"since": wanted.since, "until": wanted.until, "late_mode": wanted.late}
        with (
            self.log.lock(wanted.name),
            tuned(),
            recorded(self.log, self.kind, wanted.pipeline, wanted.version, **span) as ended,
        ):
            Feeds(self.plan, self.log, self.stop).load()
            version = self._version()
            job = Job(
                self.log,
                self.plan,
                version,
                options=self.options,
                reads=self.reads,
                ceilings=self._ceilings(version),
                on_progress=self.on_progress,
                effects=self.effects,
                stop=self.stop,
            )
            try:
                result = self._through(job, version)
                ended(summary(result))
                return result
            finally:
                job.close()

    def _through(self, job: Job, version: Version) -> RunResult:
        job.catch_up(until_lsn=version.end_lsn, stop=self.stop)
        if self.stop.is_set() and job.planner.seen < version.end_lsn:
            job.checkpoint()
            raise Stopped(
                f"stopped at LSN {job.position} of {version.end_lsn}; start it again to go on"
            )
        job.checkpoint()
        closing = job.close_windows(final=False)
        version.moved(self.log, status=REPLAYED, closing_lsn=closing)
        self.log.sync()
        return job.result()

    def _version(self) -> Version:
        known = versions.versions_of(self.log, self.plan.pipeline).get(self.number)
        if known is not None and not self.overwrite:
            return self._resume(known)
        if known is not None:
            self._discard(known)
        wanted = replace(self.wanted, end_lsn=self.log.end_lsn)
        return versions.create(
            self.log,
            self.plan,
            wanted,
            journal=self.journal,
            refresh_side_inputs=self.refresh_side_inputs,
            schemas=self.schemas,
        )

    def _resume(self, known: Version) -> Version:
        if known.status != REPLAYING:
            raise ConfigError(
                f"{known.name} exists ({known.status}): leave version out for the next free one,"
                " or give overwrite=True to make it anew"
            )
        for what in ("since", "until", "late"):
            if getattr(known, what) != getattr(self.wanted, what):
                raise ConfigError(
                    f"{known.name} is an unfinished replay with another {what}; give the same,"
                    " or overwrite=True to start again"
                )
        versions.check_fits(self.plan, known, self.wanted.params)
        return known

    def _discard(self, known: Version) -> None:
        promoted = [
            name for name in known.outputs if self.log.catalog.aliases.get(name) == known.version
        ]
        if promoted and len(versions.versions_of(self.log, known.pipeline)) > 1:
            raise ConfigError(
                f"{known.name} is the promoted version: readers of {promoted[0]!r} would see it"
                " empty; replay into another one and promote that"
            )
        checkpoint_store(self.log, known, keep=1).drop_after(-1)
        for number in known.outputs.values():
            topic = self.log.catalog.topics.get(number)
            if topic is not None:  # else a first try got this far
                self.log.delete_topic(topic.full_name)

    @property
    def reads(self) -> Range | None:
        """Which parts of the sources it reads; None for all."""
        return range_of(self.plan, self.wanted.since, self.wanted.until, self.warmup_ms)

    def _ceilings(self, version: Version) -> list[Ceiling] | None:
        if version.late != "complete":
            return None
        topics = [version.pins[name] for name in versions.source_names(self.plan)]
        return [Ceiling(oldest_times(self._range(version), topic)) for topic in topics]

    def _range(self, version: Version) -> Iterator[Entry]:
        return (entry for entry in self.log.entries(0) if entry.lsn <= version.end_lsn)
