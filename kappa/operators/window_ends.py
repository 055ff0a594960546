"""When to look at which key of a session window: an index beside the state.

A session's end moves with every record, so a timer per session would cost more than the
aggregation. Instead a key is put into a bucket of time when a session of its begins, and
looked at when the watermark gets there: what has been extended meanwhile goes into a later
bucket. Only the bucket that the watermark stands in is put in order.

Invariant: every session's key is noted at or before the instant at which something is to
be done about it. The index is made anew from state when a step is opened.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from typing import Any

from kappa.time import MINUS_INFINITY, PLUS_INFINITY

BUCKETS_PER_GAP = 64


class Buckets(dict[int, dict[Any, None]]):
    """Keys by number of bucket, made on demand, with the numbers in a heap."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers: list[int] = []

    def __missing__(self, number: int) -> dict[Any, None]:
        made: dict[Any, None] = {}
        self[number] = made
        heappush(self.numbers, number)
        return made

    def until(self, last: int) -> Iterator[dict[Any, None]]:
        """Removes the buckets up to a number, in order."""
        while self.numbers and self.numbers[0] <= last:
            yield self.pop(heappop(self.numbers))


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
        self.buckets = Buckets()
        self._soonest = soonest
        # (-instant, number, key) of the buckets up to `_current`, ascending: the next is last.
        self._sorted: list[tuple[int, int, Any]] = []
        self._entries = 0
        self._current = MINUS_INFINITY

    def note(self, key: Any, instant: int) -> None:
        """Has `key` looked at no later than `instant`."""
        self.buckets[instant // self.step][key] = None

    def due(self) -> int:
        """A time before which nothing has to be done; exact within the current bucket."""
        self._sort(self._current)
        # A key of a bucket that is over may have moved on, behind what other buckets hold.
        sorted_due = -self._sorted[-1][0] if self._sorted else PLUS_INFINITY
        numbers = self.buckets.numbers
        return min(sorted_due, numbers[0] * self.step) if numbers else sorted_due

    def pop(self, watermark: int) -> list[Any]:
        """The keys to look at now; each has to be noted again if anything is left of it."""
        current = (watermark + 1) // self.step  # the first bucket that is not over
        found: dict[Any, None] = {}
        for bucket in self.buckets.until(current - 1):
            found.update(bucket)
        self._sort(current)
        waiting = self._sorted
        while waiting and -waiting[-1][0] <= watermark:
            found[waiting.pop()[2]] = None
        return list(found)

    def _sort(self, last: int) -> None:
        """Puts the keys of the buckets up to `last` in order."""
        self._current = max(self._current, last)
        keys = [key for bucket in self.buckets.until(self._current) for key in bucket]
        if not keys:
            return
        made = []
        for number, key in enumerate(keys, self._entries):
            instant = self._soonest(key)
            if instant is not None:
                made.append((-instant, number, key))
        self._entries += len(keys)
        if len(made) < 8:
            for entry in made:
                insort(self._sorted, entry)
        else:
            self._sorted += made
            self._sorted.sort()
