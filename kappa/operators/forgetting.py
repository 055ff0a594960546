"""When to look at which key again: an index beside the state, made from it when needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import heapify, heappop, heappush
from typing import Any

from kappa.time import PLUS_INFINITY


class Forgetting:
    """Keys by the time at which something of theirs is due.

    Nothing of a key is due before an entry of it; an entry may come too early.

    Args:
        times: gives a due time and a key for all that is in state.
    """

    def __init__(self, times: Callable[[], Iterable[tuple[int, Any]]]) -> None:
        self._times = times
        self._at: dict[int, list[Any]] | None = None
        self._heap: list[int] = []

    def _made(self) -> dict[int, list[Any]]:
        if self._at is None:
            self._at = {}
            for due, key in self._times():
                self._at.setdefault(due, []).append(key)
            self._heap = list(self._at)
            heapify(self._heap)
        return self._at

    def adder(self) -> Callable[[int, Any], None]:
        """A function that adds an entry: a due time and a key."""
        at, heap = self._made(), self._heap

        def add(due: int, key: Any) -> None:
            keys = at.get(due)
            if keys is None:
                at[due] = [key]
                heappush(heap, due)
            else:
                keys.append(key)

        return add

    def due(self) -> int:
        """The earliest due time; the end of time if there is none."""
        return self._heap[0] if self._made() else PLUS_INFINITY

    def pop(self, watermark: int) -> list[Any]:
        """Removes what is due; the keys, each once."""
        at, heap = self._made(), self._heap
        found: dict[Any, None] = {}
        while heap and heap[0] <= watermark:
            found.update(dict.fromkeys(at.pop(heappop(heap))))
        return list(found)
