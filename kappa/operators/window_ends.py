"""When to look at which key of a session window: an index beside the state.

A session's end moves with every record, so a timer per session would cost more than the
aggregation. Instead a key is put into a bucket of time when a session of its begins, and
looked at when the watermark gets there: what has been extended meanwhile goes into a later
bucket. Only the bucket that the watermark stands in is put in order, as a heap.

Invariant: every session's key is noted at or before the instant at which something is to
be done about it. The index is made anew from state when a step is opened.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from heapq import heapify, heappop
from typing import Any

from kappa.time import MINUS_INFINITY, PLUS_INFINITY

BUCKETS_PER_GAP = 8


class SessionEnds:
    """Keys by the time at which to look at them.

    Args:
        gap: of the sessions, ms.
        soonest: the instant at which something is to be done about a key, or None.

    Attributes:
        buckets: keys by instant // step; kernels add to it themselves.
        step: width of a bucket, ms.
    """

    def __init__(self, gap: int, soonest: Callable[[Any], int | None]) -> None:
        self.step = max(1, gap // BUCKETS_PER_GAP)
        self.buckets: defaultdict[int, dict[Any, None]] = defaultdict(dict)
        self._soonest = soonest
        self._heap: list[tuple[int, int, Any]] = []
        self._entries = 0
        self._open = MINUS_INFINITY  # buckets up to this one belong into the heap

    def note(self, key: Any, instant: int) -> None:
        """Has `key` looked at no later than `instant`."""
        self.buckets[instant // self.step][key] = None

    def due(self) -> int:
        """A time before which nothing has to be done; exact within the current bucket."""
        self._sort(self._open)
        first = self._heap[0][0] if self._heap else PLUS_INFINITY
        return min(first, min(self.buckets) * self.step) if self.buckets else first

    def pop(self, watermark: int) -> list[Any]:
        """The keys to look at now; each has to be noted again if anything is left of it."""
        current = (watermark + 1) // self.step  # the first bucket that is not over
        found: dict[Any, None] = {}
        for number in sorted(number for number in self.buckets if number < current):
            found.update(self.buckets.pop(number))
        self._sort(current)
        heap = self._heap
        while heap and heap[0][0] <= watermark:
            found[heappop(heap)[2]] = None
        return list(found)

    def _sort(self, last: int) -> None:
        """Moves the keys of the buckets up to `last` into the heap."""
        self._open = max(self._open, last)
        numbers = [number for number in self.buckets if number <= self._open]
        if not numbers:
            return
        for number in sorted(numbers):
            for key in self.buckets.pop(number):
                instant = self._soonest(key)
                if instant is not None:
                    self._entries += 1
                    self._heap.append((instant, self._entries, key))
        heapify(self._heap)
