"""Sliding windows with the default trigger, by slices.

Windows overlap, but all are made of the same slices, of length gcd(size, slide). A record
is added to its one slice; a window that fires puts its slices together, in order of time,
by blocks where they are many. So a float sum of a window is the sum of its slices' sums.

State: "slices", a namespace per slice start, key -> accumulator; "clock" tells which
windows have fired (`Clock`). A slice is dropped when no window that holds it takes records.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from itertools import compress
from typing import Any

from kappa.batch import Batch
from kappa.operators.contract import OperatorContext
from kappa.operators.window_aligned import Cell, Cells
from kappa.operators.window_blocks import MANY_SLICES, Blocks, Content
from kappa.operators.window_kernels import combine_kernel
from kappa.operators.window_rows import Clock, Spec
from kappa.time import PLUS_INFINITY
from kappa.windows import Sliding


class SlidingWindows(Cells):
    """Windows that overlap: a cell is a slice of them."""

    def __init__(self, spec: Spec, window: Sliding, context: OperatorContext) -> None:
        self._window = window
        self._slice = window.slice
        self._due = PLUS_INFINITY
        self._clock = Clock(context.state.keyed("clock"))
        self._combine = combine_kernel(spec.layout)
        number = window.size // window.slice
        self._blocks = Blocks(number, self._content, self._combine)
        self._many_slices = number >= MANY_SLICES
        super().__init__(spec, context, "slices")

    def span(self, time: int) -> tuple[int, int]:
        """The slice."""
        low = time - (time - self._window.offset) % self._slice
        return low, low + self._slice

    @property
    def grid(self) -> tuple[int, int]:
        """The slices'."""
        return self._slice, self._window.offset

    def opened(self, cell: Cell) -> None:
        """Brings the due time forward."""
        self._due = min(self._due, self._next(cell.low))

    def _number(self, time: int) -> int:
        return (time - self._window.offset) // self._slice

    def _content(self, number: int) -> Content:
        """What the slice of a number holds."""
        cell = self.cells.get(number * self._slice + self._window.offset)
        return {} if cell is None else cell.content

    def _changed(self, batch: Batch) -> None:
        """Drops the blocks with slices that a batch may have changed."""
        if self._many_slices:
            first, last = self._number(batch.min_time), self._number(batch.max_time)
            if last - first < len(self.cells):
                changed: Iterable[int] = range(first, last + 1)
            else:
                changed = map(self._number, self.cells)
            for number in changed:
                self._blocks.forget(number)

    def drop(self, low: int) -> None:
        """Forgets a slice."""
        super().drop(low)
        if self._many_slices:
            self._blocks.forget(self._number(low))

    def _next(self, low: int) -> int:
        """The end - 1 of the first window with this slice that has not fired."""
        window = self._window
        start = max(window.first_start(low), window.first_start(self._clock.reached + 1))
        return start + window.size - 1 if start <= low else PLUS_INFINITY

    def due(self) -> int:
        """The end - 1 of the earliest window that has rows and has not fired."""
        return self._due

    # -- records ---------------------------------------------------------------------------

    def process(self, batch: Batch) -> Iterable[Batch]:
        """Takes rows in; rows of windows that ended are late, or fire them at once."""
        out: list[Batch] = []
        if not batch.count:
            return out
        behind = self._window.bound(batch.min_time) <= batch.watermark
        if behind:
            # From here on a slice may be new whose first windows ended without it.
            self._clock.move(batch.watermark)
        if behind or self._window.slide > self._window.size:
            batch, out = self._taken(batch)
        if behind and self.lateness and batch.count:
            batch, again = self._reopened(batch)
            out += again
        if batch.count:
            batch, columns, dead = self.compute(batch)
            out += dead
            if batch.count:
                out += self.take(batch, columns)
                self._changed(batch)
        return out

    def _taken(self, batch: Batch) -> tuple[Batch, list[Batch]]:
        """Takes out the rows that no window takes: late ones, and those between windows."""
        window, size = self._window, self._window.size
        over = batch.watermark - self.lateness + 1 - size
        starts = list(map(window.last_start, batch.times))
        lost = [start <= over or time >= start + size for time, start in zip(batch.times, starts)]
        if not any(lost):
            return batch, []
        indices = list(compress(range(batch.count), lost))
        spans: list[tuple[int | None, int | None]] = []
        for index in indices:
            start = starts[index]
            inside = batch.times[index] < start + size
            spans.append((start, start + size) if inside else (None, None))
        self.context.count("unwindowed", sum(start is None for start, _ in spans))
        rest = batch.compress([not one for one in lost])
        return rest, [self.late(batch, indices, spans)]

    def _reopened(self, batch: Batch) -> tuple[Batch, list[Batch]]:
        """Deals with the rows that fire a window again, and gives the others."""
        window = self._window
        # The end of the last window that has fired.
        edge = window.first_start(batch.watermark + 1) - window.slide + window.size
        again = [index for index, time in enumerate(batch.times) if time < edge]
        if not again:
            return batch, []
        out = self._fire_again(batch.take(again))
        return batch.compress([time >= edge for time in batch.times]), out

    def _fire_again(self, batch: Batch) -> list[Batch]:
        """Every record fires all its windows that ended and still take records."""
        batch, columns, out = self.compute(batch)
        window, watermark = self._window, batch.watermark
        kept: list[int] = []
        spans: list[tuple[int, int]] = []
        results: list[tuple[Any, ...]] = []
        for index in range(batch.count):
            failed = self.add(batch, index, columns)
            if self._many_slices:
                self._blocks.forget(self._number(batch.times[index]))
            if failed is not None:
                out.append(failed)
                continue
            for start, end in window.windows_of(batch.times[index]):
                if end - 1 <= watermark < end - 1 + self.lateness:
                    kept.append(index)
                    spans.append((start, end))
                    results.append(self.read(self._of(columns[0][index], start)))
        if kept:
            keys = [columns[0][index] for index in kept]
            out.append(self.answered(batch, kept, keys, spans, results))
        return out

    def _of(self, key: Any, start: int) -> list[Any]:
        """The accumulator of one key in a window."""
        if self._many_slices:
            first = self._number(start)
            return self._blocks.one(key, first, self._number(start + self._window.size))[key]
        out: Content = {}
        for cell in self._slices(start, sorted(self.cells)):
            found = cell.new.get(key) or cell.base.get(key)
            if found is not None:
                self._combine(out, [(key, found)])
        return out[key]

    # -- firing ----------------------------------------------------------------------------

    def _slices(self, start: int, lows: list[int]) -> list[Cell]:
        """The slices of a window that are there, in order; `lows` are all, ascending."""
        first = bisect_left(lows, start)
        last = bisect_left(lows, start + self._window.size, first)
        return [self.cells[low] for low in lows[first:last]]

    def advance(self, watermark: int) -> Iterable[Batch]:
        """Fires the windows that end, by end and key; drops slices that none needs."""
        out: list[Batch] = []
        size, lows = self._window.size, sorted(self.cells)
        due = self._following(lows, self._clock.reached)
        while due <= watermark and due < PLUS_INFINITY:
            start = due + 1 - size
            content = self._together(start, lows)
            if content:
                out.append(self.fired((start, start + size), content, kept=True))
            due = self._following(lows, due)
        self._clock.move(watermark)
        over = watermark - self.lateness + 1 - size
        for low in lows:
            if self._window.last_start(low) > over:
                break
            self.drop(low)
        self._due = due
        return out

    def _together(self, start: int, lows: list[int]) -> Content:
        """The accumulators of a window by key."""
        if self._many_slices:
            first = self._number(start)
            return self._blocks.window(first, self._number(start + self._window.size))
        content: Content = {}
        for cell in self._slices(start, lows):
            self._combine(content, cell.content.items())
        return content

    def _following(self, lows: list[int], reached: int) -> int:
        """The end - 1 of the first window behind `reached` that has a slice."""
        start = self._window.first_start(reached + 1)
        place = bisect_left(lows, start)
        if place == len(lows):
            return PLUS_INFINITY
        return max(start, self._window.first_start(lows[place])) + self._window.size - 1
