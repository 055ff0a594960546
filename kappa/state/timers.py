"""Timers: due times in event time, each with a key and a tag.

Invariants, checked by `Timers.check`: every pending timer is in `at` under its time; every
time of `at` is in the heap (which may hold times that are no longer in `at`); `fresh` and
`gone` name what was set and removed since the last checkpoint, and share nothing.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from heapq import heappop, heappush
from typing import Any

from kappa.codec import sort_keys
from kappa.errors import InternalError
from kappa.time import PLUS_INFINITY

Timer = tuple[int, Any, Any]
"""When it is due, the key it belongs to, and its tag."""


class Timers:
    """The pending timers of one step, fired in the order of (time, key bytes, tag bytes).

    Setting a timer that is pending, and deleting one that is not, change nothing. Costs
    about half a microsecond to set one and as much to fire it; `due` costs nothing.

    >>> timers = Timers("timers")
    >>> timers.set(2_000, "b")
    >>> timers.set(1_000, "b", tag="reminder")
    >>> timers.set(1_000, "a")
    >>> timers.due()
    1000
    >>> timers.pop(1_500)
    [(1000, 'a', 0), (1000, 'b', 'reminder')]
    """

    __slots__ = ("at", "fresh", "gone", "heap", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.at: dict[int, dict[tuple[Any, Any], None]] = {}
        self.heap: list[int] = []
        self.fresh: dict[Timer, None] = {}
        self.gone: dict[Timer, None] = {}

    def set(self, time: int, key: Hashable, tag: Hashable = 0) -> None:
        """Makes a timer pending; at or before the watermark it is due at once."""
        pending = self.at.get(time)
        if pending is None:
            self.at[time] = {(key, tag): None}
            heappush(self.heap, time)
        elif (key, tag) in pending:
            return
        else:
            pending[key, tag] = None
        timer = (time, key, tag)
        if timer in self.gone:
            del self.gone[timer]
        else:
            self.fresh[timer] = None

    def delete(self, time: int, key: Hashable, tag: Hashable = 0) -> bool:
        """Removes a timer; says whether it was pending."""
        pending = self.at.get(time)
        if pending is None or (key, tag) not in pending:
            return False
        del pending[key, tag]
        if not pending:
            del self.at[time]
        self._forget((time, key, tag))
        return True

    def _forget(self, timer: Timer) -> None:
        if timer in self.fresh:
            del self.fresh[timer]
        else:
            self.gone[timer] = None

    def due(self) -> int:
        """The earliest time that is pending, or PLUS_INFINITY."""
        heap, at = self.heap, self.at
        while heap and heap[0] not in at:
            heappop(heap)
        return heap[0] if heap else PLUS_INFINITY

    def pop(self, watermark: int) -> list[Timer]:
        """Removes and returns, in order, all that are due at or before `watermark`."""
        due: list[Timer] = []
        while self.at and (time := self.due()) <= watermark:
            due += [(time, key, tag) for key, tag in self.at.pop(time)]
        for timer in due:
            self._forget(timer)
        return sort_keys(due)

    def firing(self, watermark: int) -> Iterator[Timer]:
        """Removes and yields due timers one by one, while timers are set and deleted.

        Always the earliest due time comes next; within one time, the timers that were
        pending when it began come by key and tag, then what was set meanwhile.
        """
        while self.at and (time := self.due()) <= watermark:
            for key, tag in sort_keys(list(self.at[time])):
                if self.delete(time, key, tag):
                    yield time, key, tag
                    if self.due() < time:
                        break

    def __len__(self) -> int:
        return sum(map(len, self.at.values()))

    def __contains__(self, timer: Timer) -> bool:
        time, key, tag = timer
        return (key, tag) in self.at.get(time, ())

    def items(self) -> Iterator[Timer]:
        """All pending timers, in no order that may reach an output."""
        for time, pending in self.at.items():
            for key, tag in pending:
                yield time, key, tag

    def commit(self) -> None:
        """Makes the present content the base."""
        self.fresh.clear()
        self.gone.clear()

    def reset(self) -> None:
        """Forgets everything, without tombstones."""
        self.at.clear()
        self.heap.clear()
        self.commit()

    def load(self, gone: list[Timer], timers: list[Timer]) -> None:
        """Applies what a snapshot holds: removals, then additions; `commit` follows."""
        for time, key, tag in gone:
            self.delete(time, key, tag)
        for time, key, tag in timers:
            self.set(time, key, tag)

    def check(self) -> None:
        """Raises InternalError where an invariant of this file does not hold."""
        if not set(self.at) <= set(self.heap) or not all(self.at.values()):
            raise InternalError("a pending timer's time is not in the heap, or has no timer")
        if self.fresh.keys() & self.gone.keys():
            raise InternalError("a timer is both set and removed since the last checkpoint")
        if any(timer in self for timer in self.gone):
            raise InternalError("a removed timer is pending")
        if not all(timer in self for timer in self.fresh):
            raise InternalError("a timer set since the last checkpoint is not pending")
