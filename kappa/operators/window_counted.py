"""Count windows, and the global window: cut by arrival, or not at all.

State: "windows", key -> an accumulator with three more slots: smallest and largest event
time, and number of records. A count window is dropped when it is full; one that overlaps
others keeps its records in parts of gcd(size, slide), as sliding windows do. What is left
comes when the pipeline is closed, which is a watermark of plus infinity.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import gcd
from typing import Any

from kappa.batch import Batch
from kappa.codec import check_key, encode_key, sort_keys
from kappa.operators.contract import OperatorContext
from kappa.operators.keyed import key_columns
from kappa.operators.window_kernels import NAMES, counting_source
from kappa.operators.window_rows import BOUNDS, END, START, Spec, WindowInstance
from kappa.time import PLUS_INFINITY
from kappa.windows import Count

NEVER = 0
"""The size of a window that is never full."""

Row = tuple[Any, list[Any]]
"""A key, and the accumulator that it is the result of."""


class CountedWindows(WindowInstance):
    """What count and global windows share: results with the event times that they cover."""

    def __init__(self, spec: Spec, context: OperatorContext) -> None:
        super().__init__(spec, context)
        self.state = context.state.keyed("windows")
        width = spec.layout.width
        self.low, self.high, self.number = width, width + 1, width + 2

    def columns(self, rows: Sequence[Row], *, kept: bool) -> dict[str, list[Any]]:
        """The result columns."""
        columns = key_columns(self.names, [key for key, _ in rows])
        found = [accumulator for _, accumulator in rows]
        columns[START] = [accumulator[self.low] for accumulator in found]
        columns[END] = [accumulator[self.high] for accumulator in found]
        return columns | self.results(found, kept=kept)

    def at_once(self, batch: Batch, indices: list[int], rows: Sequence[Row]) -> Batch:
        """The results that records caused; not empty."""
        columns = self.columns(rows, kept=False)
        solid = BOUNDS | self.layout.whole
        return batch.emitted(indices, columns=columns, times=columns[END], solid=solid)

    def left(self, rows: Sequence[Row]) -> list[Batch]:
        """The results that closing brings, by key."""
        if not rows:
            return []
        found = dict(rows)
        keys = sort_keys(list(found))
        columns = self.columns([(key, found[key]) for key in keys], kept=False)
        return [
            Batch.fired(
                times=columns[END],
                columns=columns,
                order=[(PLUS_INFINITY, encode_key(key), 0) for key in keys]
                if self.context.ranked
                else None,
                solid=BOUNDS | self.layout.whole,
            )
        ]


class PlainWindows(CountedWindows):
    """Count windows side by side, and global ones, by a generated loop."""

    def __init__(self, spec: Spec, size: int, context: OperatorContext) -> None:
        super().__init__(spec, context)
        self._size = size
        self._loose = bool(self.state)

    def process(self, batch: Batch) -> Iterable[Batch]:
        """Takes rows in; a row that fills a window shows it."""
        batch, columns, out = self.compute(batch)
        if not batch.count:
            return out
        solid = self.solid(batch)
        self._loose = self._loose or self.layout.loosens(solid)
        kernel = self.kernel((solid, self._loose), lambda: self._kernel(solid, self._loose))
        full: list[tuple[int, Any, list[Any]]] = []
        state = self.state
        heads = (state.new, state.base, state.touch, state.delete, self._size, full.append)
        columns = [columns[0], batch.times, list(range(batch.count)), *columns[1:]]
        out += self.run(kernel, heads, batch, columns)
        if full:
            rows = [(key, accumulator) for _, key, accumulator in full]
            out.append(self.at_once(batch, [index for index, _, _ in full], rows))
        return out

    def _kernel(self, solid: tuple[bool, ...], loose: bool) -> Callable[..., None]:
        guarded = self.context.dead_letters
        source = counting_source(self.layout, solid, loose=loose, guarded=guarded)
        return self.layout.build(source, "counting", **NAMES)

    def advance(self, watermark: int) -> Iterable[Batch]:
        """Shows what is left, on closing."""
        if watermark < PLUS_INFINITY:
            return ()
        out = self.left(list(self.state.items()))
        self.state.clear()
        return out


class OverlappingCounts(CountedWindows):
    """Count windows that overlap.

    State: "windows", key -> [records since the last window, parts of the windows to come].
    """

    def __init__(self, spec: Spec, window: Count, context: OperatorContext) -> None:
        super().__init__(spec, context)
        self._window = window
        self._part = gcd(window.size, window.slide)

    def process(self, batch: Batch) -> Iterable[Batch]:
        """Takes rows in; every `slide`-th of a key shows its window."""
        batch, columns, out = self.compute(batch)
        indices: list[int] = []
        rows: list[Row] = []
        for index, (time, key, *values) in enumerate(zip(batch.times, *columns)):
            try:
                parts = self._add(key, time, values)
            except Exception as error:
                out.append(self.failed(batch, index, key, error))
                continue
            parts[0] += 1
            if parts[0] == self._window.slide:
                indices.append(index)
                rows.append((key, self._together(parts[1])))
                stay = (self._window.size - self._window.slide) // self._part
                self.state.put(key, [0, parts[1][-stay:]])
        if indices:
            out.append(self.at_once(batch, indices, rows))
        return out

    def _add(self, key: Any, time: int, values: Sequence[Any]) -> list[Any]:
        """Takes a row into the last part of its key; the key's value in state."""
        found: list[Any] | None = self.state.touch(key)
        if found is None:
            check_key(key)
            found = [0, []]
        parts = found[1]
        if parts and parts[-1][self.number] < self._part:
            part = parts[-1]
            self.add_to(part, time, values)
            part[self.low] = min(part[self.low], time)
            part[self.high] = max(part[self.high], time)
            part[self.number] += 1
        else:
            part = [*self.layout.fresh(), time, time, 1]
            self.layout.add(part, time, *values)
            parts.append(part)
        self.state.put(key, found)
        return found

    def _together(self, parts: Sequence[list[Any]]) -> list[Any]:
        times = [part[self.low] for part in parts], [part[self.high] for part in parts]
        total = self.layout.fresh()
        for part in parts:
            self.layout.merge(total, part)
        return [*total, min(times[0]), max(times[1]), 0]

    def advance(self, watermark: int) -> Iterable[Batch]:
        """Shows the incomplete windows, on closing."""
        if watermark < PLUS_INFINITY:
            return ()
        left = [(key, self._together(parts)) for key, (new, parts) in self.state.items() if new]
        self.state.clear()
        return self.left(left)
