"""Whether a pipeline gives one result: a range is run twice, and the first difference shown.

The first run takes in as many appends at once as a live run would, the second each by itself,
as a run that keeps up with the log does. Both are in memory, side by side, and compared
append by append (R1), so a difference is found where it arises and no output is kept.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, NamedTuple

from kappa.batch import Batch
from kappa.codec import values
from kappa.errors import ConfigError
from kappa.log import Log
from kappa.plan import Plan
from kappa.runtime.delivery import Span, by_lsn
from kappa.runtime.dry import Made, dry_run
from kappa.runtime.margins import range_of
from kappa.runtime.results import READ_RECORDS, OnProgress
from kappa.time import Instant, format_time, span_ms

ONE_BY_ONE = 1
"""Records to take in at once in the second run: an append is never cut, so one append."""


class Place(NamedTuple):
    """The rows of one output that answer one append; `closing` for those at the very end."""

    closing: bool
    lsn: int
    output: str


class Timed(NamedTuple):
    """A row and its event time in ms."""

    time: int
    value: Any


@dataclass(frozen=True, slots=True)
class Difference:
    """The first row on which two runs differ.

    Args:
        output: name of the topic or sink.
        lsn: of the append that the row answers.
        closing: it came from closing all windows at the end.
        row: its number among the rows of that output and append, from 0.
        first, second: the row of either run, None if it has none.
    """

    output: str
    lsn: int
    closing: bool
    row: int
    first: Timed | None
    second: Timed | None

    def __str__(self) -> str:
        where = "closing all windows" if self.closing else f"the append with LSN {self.lsn}"
        return (
            f"{self.output}, row {self.row} of what {where} gives:\n"
            f"  first run:  {_shown(self.first)}\n"
            f"  second run: {_shown(self.second)}"
        )


@dataclass(frozen=True, slots=True)
class Verified:
    """How a verification went. True if both runs gave the same.

    Args:
        pipeline: its name.
        rows: compared and equal, per output.
        difference: the first one; None if there is none.
    """

    pipeline: str
    rows: Mapping[str, int]
    difference: Difference | None

    def __bool__(self) -> bool:
        return self.difference is None

    def __str__(self) -> str:
        total = sum(self.rows.values())
        if self.difference is None:
            return f"{self.pipeline}: two runs gave the same {total:,} rows"
        return f"{self.pipeline}: two runs differ after {total:,} equal rows\n{self.difference}"


def verify(
    log: Log,
    plan: Plan,
    *,
    since: Instant | None = None,
    until: Instant | None = None,
    params: Mapping[str, Any] | None = None,
    read_records: int = READ_RECORDS,
    stop: threading.Event | None = None,
    on_progress: OnProgress | None = None,
) -> Verified:
    """Runs a plan twice over the log and compares what it puts out; see `Pipeline.verify`.

    Args:
        log: as far as it goes now.
        plan: to run.
        since, until: only rows with since <= event time < until.
        params: values of the pipeline's parameters.
        read_records: records to take in at once in the first run.
        stop: ends the work between two units.
        on_progress: called after each unit of the first run.

    Raises:
        ConfigError: `since` does not lie before `until`.
        OperatorError, ContractViolation: a record stops it.
        Stopped: `stop` was set.

    Cost: a replay at full speed and one that takes in each append by itself.
    """
    span = Span(*span_ms(since, until))
    if span.since >= span.until:
        raise ConfigError("since must lie before until")
    end, reads = log.end_lsn, range_of(plan, span.since, span.until)
    first, second = (
        dry_run(log, plan, end=end, params=params or {}, read_records=size, reads=reads, stop=stop,
                on_progress=told)
        for size, told in ((read_records, on_progress), (ONE_BY_ONE, None))
    )  # fmt: skip
    equal: Counter[str] = Counter()
    with closing(first), closing(second):
        pieces = (_appends(made, plan, span) for made in (first, second))
        for one, other in zip_longest(*pieces):
            found, place, same = _compared(one, other)
            equal[place.output] += same
            if found is not None:
                return Verified(plan.pipeline, dict(equal), found)
    return Verified(plan.pipeline, dict(equal), None)


def _appends(made: Iterator[Made], plan: Plan, span: Span) -> Iterator[tuple[Place, Batch]]:
    """The rows of each append and output, in the order of their places."""
    for outputs, ending in made:
        found: list[tuple[Place, Batch]] = []
        for output in outputs:
            name = output.topic if output.outlet is None else plan.steps[output.outlet].name
            pieces = by_lsn(output.batches, span)
            found += [(Place(ending, lsn, name), batch) for lsn, batch in pieces]
        yield from sorted(found, key=lambda piece: piece[0])


def _compared(
    one: tuple[Place, Batch] | None, other: tuple[Place, Batch] | None
) -> tuple[Difference | None, Place, int]:
    """The first difference of two appends' rows, where, and how many rows before it are equal."""
    place = min(piece[0] for piece in (one, other) if piece is not None)
    left, right = (
        _rows(piece[1]) if piece is not None and piece[0] == place else [] for piece in (one, other)
    )
    for number, (first, second) in enumerate(zip_longest(left, right)):
        if first is None or second is None or not _same(first, second):
            at = Difference(place.output, place.lsn, place.closing, number, first, second)
            return at, place, number
    return None, place, len(left)


def _rows(batch: Batch) -> list[Timed]:
    return list(map(Timed, batch.times, batch.rows()))


def _same(one: Timed, other: Timed) -> bool:
    """Whether two rows are stored as the same bytes; 1 and 1.0 are not."""
    return one.time == other.time and values.encode(one.value) == values.encode(other.value)


def _shown(row: Timed | None) -> str:
    return "no such row" if row is None else f"{row.value!r} at {format_time(row.time)}"
