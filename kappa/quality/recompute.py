"""Results of mended records, made what they would have been.

A live run takes a mended record as a late one: windows that still take it fire again. What
the watermark has closed is recomputed: a replay over just the event times that the records
can touch, with `late="mended"`, into a version of its own; the rows of it that the output
does not have are then appended to the output as corrections, as late panes would be: of
several rows of a key and window the last one counts.

Where a step keeps what it learnt for ever (sessions, running state, tables), the state that
goes on lacks the record too. Then the whole log is replayed, and the new version is the one
to promote and to go on from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from kappa.errors import ConfigError, IncompatibleState, LogLocked
from kappa.log import Draft, Log, Record
from kappa.log.compare import Row, digest
from kappa.operators.letters import DEAD_LETTER
from kappa.pipeline import Pipeline
from kappa.plan import Plan
from kappa.plan.params import resolve_params
from kappa.quality.letters import RECOMPUTED, SUFFIX, Letter, lock, resolved_topic, waiting
from kappa.quality.readmit import Mend, Readmitted, readmit
from kappa.runtime import versions
from kappa.runtime.margins import margin_after, margin_before
from kappa.runtime.versions import Version
from kappa.time import PLUS_INFINITY, format_time

Span = tuple[int, int]
"""Event times [from, to)."""


@dataclass(frozen=True)
class Recomputed:
    """What a recomputation did.

    Args:
        version: whose output was corrected.
        replayed: the version that holds the rows as they should be.
        spans: the event times that were recomputed, [from, to) in ms.
        corrected: rows appended to each output.
        whole: some step keeps what it learnt for ever, so the log was replayed as a whole:
            promote the version that was replayed, nothing was corrected.
        late: how many records the live run found late on the way.
    """

    version: int
    replayed: int
    spans: tuple[Span, ...]
    corrected: dict[str, int] = field(default_factory=dict)
    late: int = 0
    whole: bool = False

    def __str__(self) -> str:
        if self.whole:
            return (
                f"replayed the log into version {self.replayed}, as if the records had been right"
                " from the start: compare, and promote it"
            )
        span = ", ".join(f"{format_time(a)} to {format_time(b)}" for a, b in self.spans[:5])
        rows = ", ".join(f"{count:,} rows of {name}" for name, count in self.corrected.items())
        return (
            f"recomputed {span} into version {self.replayed};"
            f" corrected {rows or 'nothing'} in version {self.version}"
        )


@dataclass(frozen=True)
class Replayed:
    """What `replay_letters` did: the records, and then the results."""

    records: Readmitted
    results: Recomputed | None
    resolved: int = 0


def replay_letters(
    log: Log,
    name: str,
    *,
    pipeline: Pipeline | None = None,
    numbers: Iterable[int] | None = None,
    mend: Mend | None = None,
    params: dict[str, Any] | None = None,
) -> Replayed:
    """Sends dead letters through once more, after what broke them is mended.

    Letters of appends, and letters of a pipeline with `mend`, are appended to their topic
    again. With a pipeline, its results become what they would have been. Letters of a
    pipeline without `mend` are resolved if its steps, as they are now, take their records.

    Args:
        log: where the letters are.
        name: of the topic or pipeline, or of the topic of the letters.
        pipeline: whose results to recompute.
        numbers: only these letters.
        mend: changes each record; None from it gives a record up.
        params: values of the pipeline's parameters.

    Raises:
        ConfigError: letters of a pipeline need the pipeline, or `mend`.
        IncompatibleState: the pipeline's code is not that of its version; see the message.
    """
    letters = waiting(log, name, numbers)
    inside = [letter for letter in letters if not letter.at_append]
    if inside and mend is None:
        if pipeline is None:
            raise ConfigError(
                f"{name}: these are letters of a pipeline: say which, so that its results are"
                " recomputed, or give a function that mends the records"
            )
        return _through_steps(log, name, pipeline, inside, params or {})
    records = readmit(log, name, numbers=numbers, mend=mend)
    results = None
    if pipeline is not None and records.times:
        results = recompute(log, pipeline, records.times, params=params or {})
    return Replayed(records, results)


def recompute(
    log: Log, pipeline: Pipeline, times: Sequence[int], *, params: dict[str, Any]
) -> Recomputed:
    """Makes the results that records of these event times touch what they should be.

    The pipeline is run to the log's end first, unless another process runs it.

    Raises:
        IncompatibleState: the pipeline's code is not that of its version.
    """
    plan = pipeline.plan()
    number = versions.current(log, plan)
    known = versions.versions_of(log, plan.pipeline).get(number)
    if known is None:
        raise ConfigError(f"{plan.pipeline} has no version {number} yet: run it first")
    versions.check_fits(plan, known, resolve_params(plan, params))
    late = 0
    try:
        late = pipeline.run(log, version=number, params=params, until_idle=True).late
    except LogLocked:  # it runs elsewhere, and takes the records in itself
        pass
    except ConfigError:
        if known.status != versions.DRAINED and known.status != versions.REPLAYED:
            raise
    spans = touched(plan, times)
    if margin_before(plan) is None:  # state that goes on lacks the records too
        replayed = pipeline.replay(log, late="mended", params=params).version
        return Recomputed(number, replayed, spans, late=late, whole=True)
    first, stop = spans[0][0], spans[-1][1]
    # Its rows are to be those of the version, so they are made of what the version sees.
    schemas = {name: known.schemas.get(name, 0) for name in known.pins}
    replayed = pipeline.replay(
        log, since=first, until=stop, late="mended", params=params, schemas=schemas
    ).version
    return Recomputed(number, replayed, spans, _correct(log, plan, known, replayed, spans), late)


def touched(plan: Plan, times: Iterable[int]) -> tuple[Span, ...]:
    """The event times of rows that records of these times can touch, put together."""
    before, after = margin_before(plan), margin_after(plan)
    spans: list[Span] = []
    for time in sorted(set(times)):
        start = time - after
        end = PLUS_INFINITY if before is None else time + before + 1
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    return tuple(spans)


def _correct(
    log: Log, plan: Plan, version: Version, replayed: int, spans: Sequence[Span]
) -> dict[str, int]:
    """Appends to a version's outputs the rows of another that they do not have."""
    other = versions.versions_of(log, plan.pipeline)[replayed]
    bodies: list[Any] = []
    corrected: dict[str, int] = {}
    for name, topic_id in version.outputs.items():
        if name == plan.collected.get(DEAD_LETTER):
            continue
        topic = log.catalog.topics[topic_id]
        has = Counter(digest(_row(one)) for one in _inside(log, topic.full_name, spans, 0))
        missing = []
        for record in _inside(log, f"{name}@{replayed}", spans, other.closing_lsn):
            text = digest(_row(record))
            if has[text] > 0:
                has[text] -= 1
            else:
                missing.append(record)
        if missing:
            corrected[name] = len(missing)
            found = log._admission.encode(
                topic,
                [record.value for record in missing],
                log.clock.now_ms(),
                key=None if topic.key is not None else [record.key for record in missing],
                time=[record.time for record in missing],
            )
            bodies += found.bodies
    if bodies:
        log.commit([Draft(bodies)])
    return corrected


def _row(record: Record) -> Row:
    return Row(record.time, record.key, record.value)


def _inside(log: Log, topic: str, spans: Sequence[Span], closing: int) -> Iterable[Record]:
    """Records in the spans; what only closing gave is left out, as it is not final live."""
    for record in log.read(topic):
        if record.lsn != closing and any(a <= record.time < b for a, b in spans):
            yield record


def _through_steps(
    log: Log, name: str, pipeline: Pipeline, letters: list[Letter], params: dict[str, Any]
) -> Replayed:
    """Letters whose step has been mended: the results are recomputed from the log."""
    plan = pipeline.plan()
    number = versions.current(log, plan)
    known = versions.versions_of(log, plan.pipeline).get(number)
    if known is None:
        raise ConfigError(f"{plan.pipeline} has no version {number} yet: run it first")
    try:
        results = recompute(log, pipeline, [one.event_time for one in letters], params=params)
    except IncompatibleState:
        # Other code may change any row: the whole log again, into a version to be promoted.
        done = pipeline.replay(log, late="mended", params=params)
        results = Recomputed(number, done.version, (), whole=True)
    still = {
        _place(record.value) for record in log.read(f"{plan.pipeline}{SUFFIX}@{results.replayed}")
    }
    solved = [one for one in letters if _place_of(one) not in still]
    with lock(log, name) as topic:
        if solved:
            notes = [{"number": one.number, "outcome": RECOMPUTED} for one in solved]
            log.append(resolved_topic(log, topic).full_name, notes)
    return Replayed(Readmitted(), results, len(solved))


def _place(value: dict[str, Any]) -> tuple[Any, ...]:
    return (value["lsn"], value["topic"], value["partition"], value["offset"], value["step"])


def _place_of(letter: Letter) -> tuple[Any, ...]:
    return (letter.lsn, letter.topic, letter.partition, letter.offset, letter.step)
