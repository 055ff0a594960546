"""Slices put together in blocks of two, four, eight …, for windows that are made of many.

A window of n slices fires with about 2 log n combinations instead of n: a block, once put
together, serves every window that holds it. Blocks are aligned, so the blocks that make up
a window, and with them the order of additions, follow from the window alone: neither from
what was fired before nor from a restart. They are no state, but made from it again.

Source: the aligned panes of Krishnamurthy, Wu, Franklin, "On-the-fly sharing for streamed
aggregation", SIGMOD 2006, as a segment tree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

Content = dict[Any, list[Any]]
Combine = Callable[[Content, Any], None]

MANY_SLICES = 16
"""From this number on blocks are worth their memory: a copy of the slices, at most."""


class Blocks:
    """The blocks of one step's slices.

    Args:
        slices: number of slices of a window.
        content: accumulators by key of the slice of a number; not to be changed.
        combine: takes accumulators into a dict that shares none of them.
    """

    def __init__(self, slices: int, content: Callable[[int], Content], combine: Combine) -> None:
        self._top = slices.bit_length() - 1
        self._content = content
        self._combine = combine
        self._made: dict[tuple[int, int], Content] = {}

    def forget(self, number: int) -> None:
        """Drops the blocks with a slice, which has changed or is gone."""
        for level in range(1, self._top + 1):
            self._made.pop((level, number >> level), None)

    def window(self, first: int, last: int) -> Content:
        """The content of slices [first, last), in order of time."""
        out: Content = {}
        for level, number in cover(first, last):
            self._combine(out, self._block(level, number).items())
        return out

    def one(self, key: Any, first: int, last: int) -> Content:
        """The same for one key."""
        out: Content = {}
        for level, number in cover(first, last):
            self._combine(out, self._entry(key, level, number))
        return out

    def _block(self, level: int, number: int) -> Content:
        if level == 0:
            return self._content(number)
        made = self._made.get((level, number))
        if made is None:
            left = self._block(level - 1, 2 * number)
            right = self._block(level - 1, 2 * number + 1)
            if left and right:
                made = {}
                self._combine(made, left.items())
                self._combine(made, right.items())
            else:
                made = dict(left or right)  # a slice's own dict is emptied by a checkpoint
            self._made[level, number] = made
        return made

    def _entry(self, key: Any, level: int, number: int) -> list[tuple[Any, list[Any]]]:
        """The key's entry of a block, as items, without making the block."""
        made = self._content(number) if level == 0 else self._made.get((level, number))
        if made is not None:
            found = made.get(key)
            return [] if found is None else [(key, found)]
        left = self._entry(key, level - 1, 2 * number)
        right = self._entry(key, level - 1, 2 * number + 1)
        if not left or not right:
            return left or right
        out: Content = {}
        self._combine(out, left)
        self._combine(out, right)
        return list(out.items())


def cover(first: int, last: int) -> Iterator[tuple[int, int]]:
    """The largest aligned blocks that make up [first, last): (level, number) in order.

    >>> list(cover(3, 9))
    [(0, 3), (2, 1), (0, 8)]
    """
    while first < last:
        level = (last - first).bit_length() - 1
        if first:
            level = min(level, (first & -first).bit_length() - 1)
        yield level, first >> level
        first += 1 << level
