"""The parts of a topic that a query may see, and what is decoded from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from kappa.log.body import Decoded
from kappa.log.catalog import Topic
from kappa.log.journal import Entry, Part
from kappa.log.registry import SchemaView
from kappa.log.seen import decode_seen
from kappa.log.store import Store
from kappa.time import MINUS_INFINITY, PLUS_INFINITY

__all__ = ["Group", "Piece", "TopicParts"]

GROUP_RECORDS = 4096
GROUP_PARTS = 64


@dataclass(frozen=True, slots=True)
class Group:
    """Neighbouring appends of a topic: what one batch of rows is made of."""

    first_lsn: int
    last_lsn: int
    min_time: int
    max_time: int


@dataclass(frozen=True, slots=True)
class Piece:
    """Bodies that were decoded together, and where they come from."""

    entries: Sequence[Entry]
    parts: Sequence[Part]
    counts: Sequence[int]
    body: Decoded

    def repeated(self, values: Iterable[Any]) -> list[Any]:
        """One value per part, as often as the part has rows."""
        return [
            value for value, count in zip(values, self.counts, strict=True) for _ in range(count)
        ]

    def offsets(self) -> list[int]:
        """Of each row; only for pieces of one body."""
        own = self.body.offsets or range(self.body.count)
        return [self.parts[0].base_offset + offset for offset in own]


@dataclass(frozen=True, slots=True)
class TopicParts:
    """A topic up to an LSN, without the appends that are voided by then.

    Args:
        store: where the log is.
        topic: what to read.
        end: the last LSN.
        voided: appends to leave out.
        view: the schema that rows are seen through; None for as they were written.
    """

    store: Store
    topic: Topic
    end: int
    voided: frozenset[int]
    view: SchemaView | None = None

    def groups(self) -> Iterator[Group]:
        """The whole of it, group by group. Cost: 3 µs per append of the log."""
        first = last = records = parts = 0
        low, high = PLUS_INFINITY, MINUS_INFINITY
        for entry, part in self._planned(1, self.end):
            full = records + part.count > GROUP_RECORDS or parts >= GROUP_PARTS
            if first and full and entry.lsn != last:
                yield Group(first, last, low, high)
                first = records = parts = 0
                low, high = PLUS_INFINITY, MINUS_INFINITY
            first, last = first or entry.lsn, entry.lsn
            records, parts = records + part.count, parts + 1
            low, high = min(low, part.min_time), max(high, part.max_time)
        if first:
            yield Group(first, last, low, high)

    def _planned(self, first: int, last: int) -> Iterator[tuple[Entry, Part]]:
        topic_id, voided = self.topic.id, self.voided
        heads = self.store.ledger.heads[topic_id]
        for entry in self.store.history.entries(first - 1, end=last):
            if entry.lsn in voided:
                continue
            for part in entry.parts:
                if part[0] == topic_id and part[6] + part[7] > heads[part[1]].start_offset:
                    yield entry, part

    def pieces(
        self,
        group: Group,
        fields: set[str] | None,
        *,
        each: bool = False,
        at_most: int | None = None,
    ) -> Iterator[Piece]:
        """What a group holds.

        Args:
            group: one of `groups`.
            fields: to decode; None for all.
            each: one piece per body, so that offsets are known.
            at_most: how many parts to read.
        """
        planned = list(self._planned(group.first_lsn, group.last_lsn))[:at_most]
        bodies = self.store.read_parts([part for _, part in planned])
        # Of some, compaction has left nothing.
        held = [(*at, body) for at, body in zip(planned, bodies, strict=True) if body]
        if not held:
            return
        if not each:
            counts = [part.count for _, part, _ in held]
            lsns = [entry.lsn for entry, _, _ in held]
            joined = decode_seen([body for _, _, body in held], lsns, fields, self.view)
            if joined.count == sum(counts):
                yield Piece([e for e, _, _ in held], [p for _, p, _ in held], counts, joined)
                return
        for entry, part, body in held:
            decoded = decode_seen([body], [entry.lsn], fields, self.view)
            yield Piece([entry], [part], [decoded.count], decoded)
