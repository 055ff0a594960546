"""The best rows in order: where a row stands, which rows are shown, and at which places.

Entries are lists [values to sort by, event time, row], best first. An entry is put behind
those that are equal to it, so neighbours have always been compared: a row whose values have
no order with those of another is refused before anything changes.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

from kappa.errors import ConfigError
from kappa.expressions import Order, SortKey, sort_key

Entry: TypeAlias = "list[Any]"

RETRACTION = "retraction"
"""The field that says whether a row is taken back."""


class Ranking:
    """How entries are sorted, and how many of them are shown.

    Args:
        n: how many.
        orders: by what; null comes last.
        ties: show all that are equal to the n-th too; equal ones then have one place.
        timed: of equal ones the earliest comes first; else they stay in order of arrival.

    >>> from kappa.expressions import desc
    >>> best = Ranking(2, [desc("price")], ties=True)
    >>> entries = []
    >>> for price in (5, 9, 5, 1):
    ...     _ = best.put(entries, [(price,), 0, price])
    >>> [row for _, _, row in entries], best.places(entries, 0, 3)
    ([9, 5, 5], [1, 2, 2])
    """

    def __init__(
        self, n: int, orders: Sequence[Order], *, ties: bool = False, timed: bool = False
    ) -> None:
        self.n = n
        self.ties = ties
        self._sort_key = sort_key(orders)
        self.key = self._by_and_time if timed else self.by

    def by(self, entry: Entry) -> SortKey:
        """What an entry is sorted by; entries of one place are equal in it."""
        return self._sort_key(entry[0])

    def _by_and_time(self, entry: Entry) -> SortKey:
        return self._sort_key(entry[0]), entry[1]

    def position(self, entries: Sequence[Entry], entry: Entry) -> int:
        """Where an entry belongs, behind its equals. Costs O(log) comparisons.

        Raises:
            TypeError: it has no order with another.
        """
        key = self.key(entry)
        if not entries or not key < self.key(entries[-1]):
            return len(entries)
        return bisect_right(entries, key, hi=len(entries) - 1, key=self.key)

    def enters(self, entries: Sequence[Entry], entry: Entry) -> bool:
        """Whether an entry is among the best of full `entries`, or equal to the n-th of ties."""
        key, last = self.key(entry), self.key(entries[-1])
        return bool(key < last or (self.ties and key == last))

    def put(self, entries: list[Entry], entry: Entry) -> int:
        """Puts an entry in its place, and drops those that are not shown any more.

        Returns:
            Its position, which may be behind the last that is left.
        """
        at = self.position(entries, entry)
        if at < self.n or self.ties:
            entries.insert(at, entry)
            del entries[self.shown(entries) :]
        return at

    def merge(self, entries: list[Entry], others: Sequence[Entry]) -> None:
        """Puts the entries of a later list among those of an earlier one."""
        for entry in others:
            self.put(entries, entry)

    def shown(self, entries: Sequence[Entry]) -> int:
        """How many of the entries are shown."""
        n = self.n
        if not self.ties or len(entries) <= n:
            return min(n, len(entries))
        return bisect_right(entries, self.by(entries[n - 1]), lo=n, key=self.by)

    def places(self, entries: Sequence[Entry], start: int, stop: int) -> list[int]:
        """The places, from 1, of the entries [start, stop)."""
        if not self.ties:
            return list(range(start + 1, stop + 1))
        return list(self._shared(entries, start, stop))

    def _shared(self, entries: Sequence[Entry], start: int, stop: int) -> Iterator[int]:
        previous = None
        place = 0
        for index in range(start, stop):
            key = self.by(entries[index])
            if previous is None:
                place = 1 + bisect_left(entries, key, hi=index, key=self.by)
            elif key != previous:
                place = index + 1
            previous = key
            yield place

    def ranked(self, entries: Sequence[Entry]) -> list[list[Any]]:
        """The rows shown, each as [place, row]."""
        count = self.shown(entries)
        places = self.places(entries, 0, count)
        return [[place, entry[-1]] for place, entry in zip(places, entries)]


def check_top(n: object, rank: object) -> None:
    """Refuses a number of rows, or a name for their places, that makes no sense.

    Raises:
        ConfigError: `n` is no int of at least 1, or `rank` no name.
    """
    if type(n) is not int or n < 1:
        raise ConfigError(f"top: n is {n!r}, but must be an int of at least 1")
    if rank is not None and (type(rank) is not str or not rank):
        raise ConfigError(f'top: rank is {rank!r}; give the name of a field, rank="place"')
