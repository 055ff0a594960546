"""Sinks outside the log, driven exactly once: who owns what lies there, and when it shows.

    units ── write, advance ──► instance ── prepare ──► staged ── commit ──► visible
                                                │                    ▲
                                                └── the checkpoint ──┘

Invariants: the log is synced before anything is staged. What is staged is named by the
checkpoint, and is committed after it; a run that takes a checkpoint up commits again what
it names. What lies outside under another mark than this log and version can have made is
never touched.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from kappa.errors import ConfigError, SinkError
from kappa.log import Log, NamedLock, SchemaView
from kappa.plan import Plan, Step
from kappa.plan.straight import source_of
from kappa.runtime.delivery import Span, by_lsn
from kappa.runtime.executor import Output
from kappa.runtime.versions import BACKFILLS, LIVE, REPLAYING, Version
from kappa.schemas import Schema
from kappa.sinks import OVERWRITE, WRITE, Change, Mark, Sink, SinkContext, SinkInstance, lock_of
from kappa.state import StepState
from kappa.time import MINUS_INFINITY

SWAP_TIMEOUT = "10m"
"""How long a writer waits for another one to make its work visible."""

SINKS = ("default", "all", "none")


@dataclass(frozen=True, slots=True)
class Effects:
    """Which external sinks take part in a run, and how.

    Args:
        which: "all"; "default" for all but those that reach outside; or "none".
        mode: "write" adds rows; "overwrite" replaces whole partitions at the end.
        spans: event times that a step's rows are restricted to, if not the version's.
        target: the version whose place is written; the writing one by default.
    """

    which: str = "all"
    mode: str = WRITE
    spans: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    target: int | None = None

    def __post_init__(self) -> None:
        if self.which not in SINKS:
            raise ConfigError(f"sinks is {self.which!r}: give one of {', '.join(SINKS)}")

    def has(self, sink: Sink) -> bool:
        """Whether a sink takes part."""
        return self.which == "all" or (self.which == "default" and not sink.reaches_outside)


class Outlets:
    """The external sinks of one run.

    Args:
        log: what the rows rest on.
        plan: its sinks are opened.
        version: that writes.
        states: of all steps; the sinks' own are added.
        position: the LSN of the checkpoint that was taken up, or 0.
        kept: what that checkpoint says of the sinks, by step.
        effects: which sinks take part, and how.
        seen: how rows of each source are seen, in the order of the plan's sources.
    """

    def __init__(
        self,
        log: Log,
        plan: Plan,
        version: Version,
        states: dict[str, StepState],
        *,
        position: int,
        kept: Mapping[str, Any],
        effects: Effects,
        seen: Sequence[SchemaView | None],
    ) -> None:
        self.log = log
        self.plan = plan
        self.version = version
        self.effects = effects
        self.seen = seen
        self.steps = {
            step.index: step
            for step in plan.outlets
            if isinstance(step.part, Sink) and effects.has(step.part)
        }
        whole = (version.since, version.until)
        self.spans = {
            index: Span(*effects.spans.get(step.name, whole)) for index, step in self.steps.items()
        }
        self.levels = dict.fromkeys(self.steps, MINUS_INFINITY)
        self.rows = 0
        self.instances: dict[int, SinkInstance] = {}
        self.marked: dict[int, bool] = {}
        for index, step in self.steps.items():
            state = states.setdefault(step.name, StepState(step.name))
            self._open(index, step, state, position, kept.get(step.name))

    # -- opening -------------------------------------------------------------------------

    def _open(self, index: int, step: Step, state: StepState, position: int, kept: Any) -> None:
        version = self.version
        context = SinkContext(
            step=step.name,
            state=state,
            owner=version.name,
            made=version.made,
            mode=self.effects.mode,
            since=self.spans[index].since,
            until=self.spans[index].until,
            end_lsn=version.end_lsn,
            target=self.effects.target or version.version,
            params=version.params,
            schema=self._schema(step),
        )
        assert isinstance(step.part, Sink)
        with located(step), self._held(step):
            instance = self.instances[index] = step.part.open(context)
            self._take_up(index, step, instance, position, kept)

    def _schema(self, step: Step) -> Schema | None:
        """The schema of a step's rows, where they are a topic's as they are."""
        source = source_of(self.plan, step)
        view = None if source is None else self.seen[source]
        return None if view is None else view.through.schema

    def _take_up(
        self, index: int, step: Step, instance: SinkInstance, position: int, kept: Any
    ) -> None:
        mark = self._judged(step, instance, instance.mark(), position, kept)
        closed = mark is not None and mark.closed
        if closed and self.version.status != REPLAYING:
            instance.reopen()
            closed = False
        if kept is not None:
            self.levels[index] = kept["watermark"]
            if mark is None or mark.lsn <= position:
                instance.commit(kept["staged"], self._mark(position, closed=closed))
        self.marked[index] = kept is not None or mark is not None

    def _judged(
        self, step: Step, instance: SinkInstance, mark: Mark | None, position: int, kept: Any
    ) -> Mark | None:
        """The mark, if what lies there is this version's own; None if there is nothing yet."""
        where = getattr(step.part, "target", "") or step.name
        if mark is None:
            if kept is not None and kept["marked"] and self.effects.mode == WRITE:
                raise SinkError(
                    f"{where} holds nothing of {self.version.name}, whose checkpoint is at LSN"
                    f" {position}: it was moved or emptied. Put it back, or write it anew with"
                    " a replay into a new version",
                    step=step.name,
                )
            return None
        own = mark.owner == self.version.name
        if mark.lsn > self.log.end_lsn or mark.chain_crc != self._chain(mark.lsn):
            raise SinkError(
                f"{where} holds rows of {mark.owner} through LSN {mark.lsn} of another log, or of"
                " a future that this log lost: give the sink another place, or remove what lies"
                " there",
                step=step.name,
                lsn=mark.lsn,
            )
        if self.effects.mode == OVERWRITE:
            return mark if own and mark.made == self.version.made else None
        if not own:
            raise ConfigError(
                f"{where} holds rows of {mark.owner}; {self.version.name} would mix its own with"
                " them. Give each version a place of its own with {version} in the path, replace"
                ' whole partitions with a backfill, or leave the sinks out: sinks="none"',
                step=step.name,
            )
        if mark.made != self.version.made:
            instance.discard()
            return None
        return mark

    def _held(self, step: Step) -> NamedLock:
        """Holds what a sink writes against a backfill's swap, or another writer's commit."""
        where = getattr(step.part, "target", "") or step.name
        number = self.effects.target or self.version.version
        return self.log.lock(lock_of(where, number), timeout=SWAP_TIMEOUT)

    def _is_live(self, owner: str) -> bool:
        """Whether who adds to a table, or may begin to at any time, is a version that goes on."""
        name = self.version.pipeline.partition(BACKFILLS)[0]
        owners = {owner, f"{name}@{self.effects.target}"}
        return any(
            record["status"] == LIVE and f"{pipeline}@{number}" in owners
            for (pipeline, number), record in self.log.catalog.versions.items()
        )

    def _chain(self, lsn: int) -> int:
        return self.log.chain_crc(lsn) if lsn else 0

    def _mark(self, lsn: int, *, closed: bool = False) -> Mark:
        version = self.version
        return Mark(version.name, version.made, lsn, self._chain(lsn), closed)

    # -- work ----------------------------------------------------------------------------

    def deliver(
        self, lsns: Sequence[int], append_times: Sequence[int], outputs: Sequence[Output]
    ) -> None:
        """Hands the sinks what a unit caused, LSN by LSN."""
        for output in outputs:
            if output.outlet in self.steps:
                with located(self.steps[output.outlet]):
                    self._deliver(output.outlet, lsns, append_times, output)

    def _deliver(
        self, index: int, lsns: Sequence[int], append_times: Sequence[int], output: Output
    ) -> None:
        instance = self.instances[index]
        pieces = dict(by_lsn(output.batches, self.spans[index]))
        if pieces and not _marks(self.steps[index]):
            self.log.sync()  # else a power cut could give their LSNs to other rows
        level = self.levels[index]
        for lsn, append_time, mark in zip(lsns, append_times, output.marks, strict=True):
            batch = pieces.get(lsn)
            if batch is not None:
                self.rows += batch.count
                instance.write(lsn, append_time, batch)
            if mark is not None and mark > level:
                level = mark
            instance.advance(lsn, append_time, level)
        self.levels[index] = level

    def cut(self, lsn: int, since: int, until: int) -> None:
        """Closes what is open of event times in a range, which a backfill takes over."""
        for index, instance in self.instances.items():
            with located(self.steps[index]):
                instance.cut(lsn, since, until)

    def changes(self) -> dict[str, Sequence[Change]]:
        """What an overwrite did, by step."""
        return {step.name: self.instances[index].changes() for index, step in self.steps.items()}

    def prepare(self) -> dict[str, Any]:
        """Stages what is complete; returns what the checkpoint keeps, by step."""
        kept = {}
        for index, step in self.steps.items():
            with located(step):
                staged = self.instances[index].prepare()
            kept[step.name] = {
                "staged": staged,
                "watermark": self.levels[index],
                "marked": self.marked[index] and _marks(step),
            }
        return kept

    def commit(self, kept: Mapping[str, Any], lsn: int) -> None:
        """Makes visible what a durable checkpoint names."""
        if not self.steps:
            return
        mark = self._mark(lsn)
        for index, step in self.steps.items():
            with located(step), self._held(step):
                self.instances[index].commit(kept[step.name]["staged"], mark)
            self.marked[index] = True

    def finish(self, lsn: int, append_time: int, outputs: Sequence[Output]) -> None:
        """Makes visible all there is, at the end of a bounded run.

        Args:
            lsn, append_time: of the last LSN handled.
            outputs: what closing all windows gave.
        """
        self.log.sync()
        own = {output.outlet: output for output in outputs if output.outlet in self.steps}
        with ExitStack() as held:
            staged = {}
            for index, output in own.items():
                step = self.steps[index]
                with located(step):
                    held.enter_context(self._held(step))
                    staged[index] = self._finished(index, lsn, append_time, output)
            for index, what in staged.items():  # all of them, before the first changes anything
                with located(self.steps[index]):
                    self.instances[index].check(what)
            for index, what in staged.items():
                with located(self.steps[index]):
                    self.instances[index].commit(what, self._mark(lsn, closed=True))

    def _finished(self, index: int, lsn: int, append_time: int, output: Output) -> Any:
        instance = self.instances[index]
        batch = dict(by_lsn(output.batches, self.spans[index])).get(lsn)
        if self.effects.mode == OVERWRITE and self._is_live(instance.writer()):
            instance.share()
            batch = None  # what closing gives here, the live run gives in its time
        self.rows += 0 if batch is None else batch.count
        return instance.finish(lsn, append_time, batch)

    def close(self) -> None:
        """Closes every instance."""
        for instance in self.instances.values():
            instance.close()


def _marks(step: Step) -> bool:
    """Whether a sink keeps a mark beside its data, once it has any."""
    return isinstance(step.part, Sink) and not step.part.reaches_outside


@contextmanager
def located(step: Step) -> Iterator[None]:
    """The one edge at which a failure outside becomes kappa's, with the step's name.

    Raises:
        SinkError: in place of an OSError, which may be gone when it is tried again.
    """
    where = getattr(step.part, "target", "") or step.name
    try:
        yield
    except OSError as error:
        raise SinkError(
            f"sink {where}: {error}; started again, the run goes on behind its last checkpoint",
            retryable=True,
            step=step.name,
            path=getattr(error, "filename", None),
        ) from error
    except SinkError as error:
        error.step = error.step or step.name
        raise
