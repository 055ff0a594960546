"""Planning apart from reading: the journal becomes bounded units of work.

A unit is a run of LSNs of the pipeline's own sources: which parts to read, and the
watermark of every source after each LSN. It is made from the journal alone, so that it
can be made anywhere, and reading it is a pure function of it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from kappa.log import CLOSING, Entry, Part
from kappa.runtime.watermarks import SourceClock
from kappa.time import MINUS_INFINITY, PLUS_INFINITY

MAX_UNIT_LSNS = 4096
BACKFILL = "backfill"
"""Kind of the control record that announces a backfill."""


@dataclass(slots=True)
class Unit:
    """LSNs to take in together, and what to read for them.

    Args:
        lsns: ascending.
        append_times: of each LSN, in ms.
        parts: per source, (index into `lsns`, part) in order of LSN and partition.
        watermarks: per source, its watermark after each LSN; None while it is idle.
        records: number of records in the parts.
    """

    lsns: list[int] = field(default_factory=list)
    append_times: list[int] = field(default_factory=list)
    parts: list[list[tuple[int, Part]]] = field(default_factory=list)
    watermarks: list[list[int | None]] = field(default_factory=list)
    records: int = 0


class Ceiling:
    """What `late="complete"` adds: no watermark passes a record that is still to come.

    Built from the journal of the whole range: after LSN x, a source's watermark stays
    below the smallest event time of its appends after x.
    """

    def __init__(self, minima: Iterable[tuple[int, int]]) -> None:
        pairs = list(minima)
        self.lsns = [lsn for lsn, _ in pairs]
        self.floor = [PLUS_INFINITY] * (len(pairs) + 1)
        for i in range(len(pairs) - 1, -1, -1):
            self.floor[i] = min(self.floor[i + 1], pairs[i][1])

    def limit(self, lsn: int, watermark: int) -> int:
        """`watermark`, or as much of it as the records after `lsn` allow."""
        floor = self.floor[bisect_right(self.lsns, lsn)]
        return watermark if floor >= PLUS_INFINITY else min(watermark, floor - 1)


@dataclass(frozen=True, slots=True)
class Range:
    """Which parts need their bodies read; the watermark comes from all of them.

    Args:
        first: parts whose newest record lies before this event time are skipped.
        stop: parts whose oldest record lies at or after this event time are skipped.
    """

    first: int = MINUS_INFINITY
    stop: int = PLUS_INFINITY

    def reads(self, part: Part, moment: int | None = None) -> bool:
        """Whether the part may hold a record that matters.

        Args:
            part: with the event times of its records.
            moment: the event time of all of them instead, or None.
        """
        if moment is not None:
            return self.first <= moment < self.stop
        return part.max_time >= self.first and part.min_time < self.stop


class UnitPlanner:
    """Turns journal entries into units.

    Args:
        topics: the id of each source's topic, in source order.
        clocks: the clock of each source, which it moves on.
        producers: names of producers by their number in the journal.
        read_records: a unit is closed once it holds this many records.
        ceilings: per source, for `late="complete"`.
        reads: which parts to read.
        on_backfill: called with an announced backfill, between the units around it.
    """

    def __init__(
        self,
        topics: Sequence[int],
        clocks: Sequence[SourceClock],
        *,
        read_records: int,
        ceilings: Sequence[Ceiling] | None = None,
        reads: Range | None = None,
        on_backfill: Callable[[Entry], None] | None = None,
    ) -> None:
        self.on_backfill = on_backfill
        self.source_of = {topic: index for index, topic in enumerate(topics)}
        self.clocks = clocks
        self.by_append = [clock.spec.time == "append" for clock in clocks]
        self.read_records = read_records
        self.ceilings = ceilings
        self.reads = reads
        self.seen = 0
        """The last LSN looked at, whether it was a source's or not."""

    def units(self, entries: Iterable[Entry]) -> Iterator[Unit]:
        """Units over `entries`; all of those given end up in one."""
        unit = self._empty()
        source_of = self.source_of
        for entry in entries:
            self.seen = entry.lsn
            if entry.kind == BACKFILL and self.on_backfill is not None:
                if unit.lsns:
                    yield unit
                    unit = self._empty()
                self.on_backfill(entry)
            if entry.kind != "append" or entry.flags & CLOSING:
                continue
            touched = [part for part in entry.parts if part.topic_id in source_of]
            claims = [claim for claim in entry.claims if claim[0] in source_of]
            if not touched and not claims:
                continue
            self._take(unit, entry, touched, claims)
            if unit.records >= self.read_records or len(unit.lsns) >= MAX_UNIT_LSNS:
                yield unit
                unit = self._empty()
        if unit.lsns:
            yield unit

    def _empty(self) -> Unit:
        return Unit(parts=[[] for _ in self.clocks], watermarks=[[] for _ in self.clocks])

    def _take(
        self,
        unit: Unit,
        entry: Entry,
        touched: list[Part],
        claims: list[tuple[int, int | None]],
    ) -> None:
        position = len(unit.lsns)
        unit.lsns.append(entry.lsn)
        unit.append_times.append(entry.append_time)
        if len(touched) > 1:
            touched.sort(key=self._order)
        for part in touched:
            source = self.source_of[part.topic_id]
            moment = entry.append_time if self.by_append[source] else None
            if self.reads is None or self.reads.reads(part, moment):
                unit.parts[source].append((position, part))
                unit.records += part.count
        if len(touched) == 1 and not claims and len(self.clocks) == 1:
            unit.watermarks[0].append(self._after_one(entry, touched[0]))
            return
        for index, watermarks in enumerate(unit.watermarks):
            watermarks.append(self._watermark(index, entry, touched, claims))

    def _order(self, part: Part) -> tuple[int, int]:
        return self.source_of[part.topic_id], part.partition

    def _after_one(self, entry: Entry, part: Part) -> int | None:
        """The only source's watermark after an append of one part: small appends come by here."""
        clock = self.clocks[0]
        newest = entry.append_time if self.by_append[0] else part.max_time
        moved = ((part.partition, newest, part.count),)
        producer = "" if entry.producer is None else str(entry.producer)
        return self._limited(0, entry, clock.take(entry.append_time, moved, producer=producer))

    def _watermark(
        self,
        index: int,
        entry: Entry,
        touched: list[Part],
        claims: list[tuple[int, int | None]],
    ) -> int | None:
        clock = self.clocks[index]
        source_of = self.source_of
        by_append = self.by_append[index]
        parts = [
            (p.partition, entry.append_time if by_append else p.max_time, p.count)
            for p in touched
            if source_of[p.topic_id] == index
        ]
        claim = None
        for topic, value in claims:
            if source_of[topic] == index and value is not None:
                claim = value
        producer = "" if entry.producer is None else str(entry.producer)
        watermark = clock.take(entry.append_time, parts, claim=claim, producer=producer)
        return self._limited(index, entry, watermark)

    def _limited(self, index: int, entry: Entry, watermark: int) -> int | None:
        if self.clocks[index].idle:
            return None
        if self.ceilings is not None and not self.by_append[index]:
            return self.ceilings[index].limit(entry.lsn, watermark)
        return watermark


def oldest_times(entries: Iterable[Entry], topic_id: int) -> Iterator[tuple[int, int]]:
    """(LSN, smallest event time) of each append with records in a topic."""
    for entry in entries:
        if entry.kind == "append" and not entry.flags & CLOSING:
            times = [part.min_time for part in entry.parts if part.topic_id == topic_id]
            if times:
                yield entry.lsn, min(times)
