"""R5: the watermark of a source as a function of the LSN, from the journal alone.

A `SourceClock` takes in the journal entries of the pipeline's sources in LSN order and
says the source's watermark after each. It holds the small state that this needs (newest
event time and last append time per partition, claims per producer), which a checkpoint
keeps, so that a run that goes on does not read the journal from its start.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kappa.plan.graph import SourceSpec
from kappa.time import MINUS_INFINITY, format_time


class SourceClock:
    """The watermark of one source (one topic).

    Args:
        spec: the source's options.

    >>> clock = SourceClock(SourceSpec("bids", out_of_orderness=5))
    >>> clock.take(0, [(0, 100, 1)]), clock.take(0, [(1, 50, 1)]), clock.take(0, [(1, 200, 1)])
    (94, 44, 94)
    >>> clock.take(0, [(0, 300, 1)])
    194

    Source: semantics.md S1 and S2; Akidau et al., The Dataflow Model, VLDB 2015.
    """

    def __init__(self, spec: SourceSpec) -> None:
        self.spec = spec
        self.newest: dict[int, int] = {}
        self.seen_at: dict[int, int] = {}
        self.claims: dict[str, int] = {}
        self.claimed_at: dict[str, int] = {}
        self.watermark = MINUS_INFINITY
        self.reached = MINUS_INFINITY
        self.first_append: int | None = None
        self.idle = False
        self.moved_at: int | None = None
        self._floor = MINUS_INFINITY

    def take(
        self,
        append_time: int,
        parts: Sequence[tuple[int, int, int]] = (),
        *,
        claim: int | None = None,
        producer: str = "",
    ) -> int:
        """Takes in one append of the pipeline's sources; returns how far time has come.

        That is the minimum over what counts at this append. It may be less than before,
        when a partition appears or returns: it then holds back whoever takes the minimum
        over several sources, until it has caught up. A step's own watermark never goes
        back, and neither does `watermark`.

        Args:
            append_time: of the append, in ms.
            parts: (partition, largest event time, count) of the parts in this topic.
            claim: a watermark claimed for this topic, or None.
            producer: who claims.
        """
        if self.first_append is None:
            self.first_append = append_time
        changed = self._note_parts(append_time, parts) if parts else False
        if parts and producer in self.claims:
            self.claimed_at[producer] = append_time
        if claim is not None:
            self.claims[producer] = max(claim, self.claims.get(producer, MINUS_INFINITY))
            self.claimed_at[producer] = append_time
            changed = True
        if changed or self.spec.idle_after is not None:
            self._move(append_time)
        return self.reached

    def _note_parts(self, append_time: int, parts: Sequence[tuple[int, int, int]]) -> bool:
        changed = False
        newest = self.newest
        for partition, max_time, _ in parts:
            before = newest.get(partition)
            self.seen_at[partition] = append_time
            if before is None or max_time > before:
                newest[partition] = max_time
                # Only the slowest partition, or a new one, can move the minimum.
                changed = changed or before is None or before <= self._floor
        return changed or self.spec.max_lag is not None

    def _move(self, append_time: int) -> None:
        reached = self._claimed(append_time) if self.claims else self._observed(append_time)
        self.idle = reached is None
        if reached is not None:
            self.reached = reached
            if reached > self.watermark:
                self.watermark = reached
                self.moved_at = append_time

    def _claimed(self, append_time: int) -> int | None:
        idle_after = self.spec.idle_after
        return min(
            (
                claim
                for producer, claim in self.claims.items()
                if idle_after is None or append_time - self.claimed_at[producer] <= idle_after
            ),
            default=None,
        )

    def _observed(self, append_time: int) -> int | None:
        if not self.newest:
            return self._before_first(append_time)
        active = self.active(append_time)
        if not active:
            return None
        self._floor = min(active)
        return self._floor - self.spec.out_of_orderness - 1

    def _before_first(self, append_time: int) -> int | None:
        idle_after = self.spec.idle_after
        since = append_time if self.first_append is None else self.first_append
        if idle_after is not None and append_time - since > idle_after:
            return None
        return MINUS_INFINITY

    def active(self, append_time: int) -> list[int]:
        """Newest event times of the partitions that count at `append_time`."""
        idle_after, max_lag = self.spec.idle_after, self.spec.max_lag
        if idle_after is None and max_lag is None:
            return list(self.newest.values())
        kept = [
            newest
            for partition, newest in self.newest.items()
            if idle_after is None or append_time - self.seen_at[partition] <= idle_after
        ]
        if max_lag is not None:
            top = max(self.newest.values())
            kept = [newest for newest in kept if top - newest <= max_lag]
        return kept

    def snapshot(self) -> dict[str, Any]:
        """The state, in values a checkpoint can keep."""
        return {
            "newest": sorted(self.newest.items()),
            "seen_at": sorted(self.seen_at.items()),
            "claims": sorted(self.claims.items()),
            "claimed_at": sorted(self.claimed_at.items()),
            "watermark": self.watermark,
            "reached": self.reached,
            "first_append": self.first_append,
            "idle": self.idle,
            "moved_at": self.moved_at,
            "floor": self._floor,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Goes on from a snapshot."""
        self.newest = dict(map(tuple, state["newest"]))
        self.seen_at = dict(map(tuple, state["seen_at"]))
        self.claims = dict(map(tuple, state["claims"]))
        self.claimed_at = dict(map(tuple, state["claimed_at"]))
        self.watermark = state["watermark"]
        self.reached = state["reached"]
        self.first_append = state["first_append"]
        self.idle = state["idle"]
        self.moved_at = state["moved_at"]
        self._floor = state["floor"]

    def explain(self) -> Hold:
        """Who holds the watermark, and since when."""
        if self.claims:
            claim, who = min((claim, who) for who, claim in self.claims.items())
            return Hold(
                self.spec.topic,
                None,
                who or "an append",
                self.watermark,
                claim,
                self.claimed_at[who],
            )
        if not self.newest:
            return Hold(self.spec.topic, None, "", self.watermark, None, self.first_append)
        newest, partition = min((newest, partition) for partition, newest in self.newest.items())
        return Hold(self.spec.topic, partition, "", self.watermark, newest, self.seen_at[partition])


@dataclass(frozen=True, slots=True)
class Hold:
    """What holds a source's watermark back."""

    topic: str
    partition: int | None
    producer: str
    watermark: int
    newest: int | None
    since: int | None

    def __str__(self) -> str:
        """One line that answers: why is nothing coming out?"""
        head = f"{self.topic}: watermark {format_time(self.watermark)}"
        since = "" if self.since is None else f", last heard of at {format_time(self.since)}"
        if self.producer:
            claimed = format_time(self.newest)
            return f"{head}, held by producer {self.producer!r} (claims {claimed}{since})"
        if self.partition is None:
            return f"{head}, held because the topic has no record yet"
        return (
            f"{head}, held by partition {self.partition}"
            f" (newest record {format_time(self.newest)}{since})"
        )


def combine(watermarks: Iterable[int | None]) -> int | None:
    """The minimum over the inputs that are not idle; None if all are.

    >>> combine([5, None, 3]), combine([None])
    (3, None)
    """
    known = [watermark for watermark in watermarks if watermark is not None]
    return min(known) if known else None
