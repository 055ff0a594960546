"""The global window with a trigger: one window per key, that ends when the pipeline closes.

State: "windows", key -> an accumulator with pane slots, then the smallest and largest event
time. Marks of a trigger by event time are multiples of its period.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from kappa.batch import Batch
from kappa.codec import check_key
from kappa.operators.contract import OperatorContext
from kappa.operators.window_panes import EARLY, ON_TIME, SLOTS, Dues, Firing, Pane, Panes, Span
from kappa.operators.window_rows import Spec, WindowInstance
from kappa.time import MINUS_INFINITY, PLUS_INFINITY
from kappa.triggers import AtWatermark


class GlobalPanes(WindowInstance):
    """Global windows with panes."""

    def __init__(
        self, spec: Spec, trigger: AtWatermark, mode: str, context: OperatorContext
    ) -> None:
        super().__init__(spec, context)
        self._panes = panes = Panes(self, trigger, mode, spec.layout.width, bounded=False)
        self._low = spec.layout.width + SLOTS
        self._state = context.state.keyed("windows")
        self._reached = MINUS_INFINITY
        self._now = MINUS_INFINITY
        self._dues = Dues()
        for key, accumulator in self._state.items():
            if accumulator[panes.due] is not None:
                self._dues.add(accumulator[panes.due], key)

    def _span(self, accumulator: list[Any]) -> Span:
        return accumulator[self._low], accumulator[self._low + 1]

    def process(self, batch: Batch) -> Iterable[Batch]:
        """Takes rows in, one by one."""
        self._reached = max(self._reached, batch.watermark)
        batch, columns, out = self.compute(batch)
        indices: list[int] = []
        shown: list[Pane] = []
        for index, (time, key, *values) in enumerate(zip(batch.times, *columns)):
            try:
                accumulator = self._add(key, time, values)
            except Exception as error:
                out.append(self.failed(batch, index, key, error))
                continue
            if self._panes.counted(accumulator, 1) is not None:
                panes = self._panes.show(accumulator, self._span(accumulator), EARLY, False)
                shown += panes
                indices += [index] * len(panes)
            elif accumulator[self._panes.due] is None:
                self._plan(key, accumulator, batch.watermark)
        if shown:
            out.append(self._panes.at_once(batch, indices, shown))
        return out

    def _add(self, key: Any, time: int, values: Sequence[Any]) -> list[Any]:
        accumulator: list[Any] | None = self._state.touch(key)
        low, high = self._low, self._low + 1
        if accumulator is None:
            check_key(key)
            accumulator = [*self._panes.fresh(key), time, time]
            self.layout.add(accumulator, time, *values)
            self._state.put(key, accumulator)
        else:
            self.add_to(accumulator, time, values)
            accumulator[low] = min(accumulator[low], time)
            accumulator[high] = max(accumulator[high], time)
        return accumulator

    def _plan(self, key: Any, accumulator: list[Any], watermark: int) -> None:
        every = self._panes.every
        if every is None:
            return
        # Where time has no beginning, the mark before the next one is as good as any.
        start = (watermark + 1) // every.period * every.period
        due = self._panes.next_due(accumulator, (start, PLUS_INFINITY), watermark, self._now)
        if due is not None:
            accumulator[self._panes.due] = due
            self._dues.add(due, key)

    # -- firing ----------------------------------------------------------------------------

    def due(self) -> int:
        """The next mark, if the trigger goes by event time."""
        every = self._panes.every
        if every is None or self._panes.on_append:
            return PLUS_INFINITY
        return ((self._reached + 1) // every.period + 1) * every.period - 1

    def advance(self, watermark: int) -> Iterable[Batch]:
        """Shows what is due; on closing, what is left."""
        firings = [] if self._panes.on_append else self._early(watermark)
        self._reached = max(self._reached, watermark)
        if watermark >= PLUS_INFINITY:
            left = [one for _, one in list(self._state.items()) if one[self._panes.news]]
            firings = [Firing(PLUS_INFINITY, self._span(one), one, ON_TIME, True) for one in left]
            self._state.clear()
        return self._panes.fire(firings)

    def _early(self, reached: int) -> list[Firing]:
        found = []
        for due, key in self._dues.pop(reached):
            accumulator = self._state.touch(key)
            if accumulator is not None and accumulator[self._panes.due] == due:
                found.append(Firing(due, self._span(accumulator), accumulator, EARLY, False))
        return found

    def append_due(self) -> int:
        """Always, with such a trigger: it has to know the append time of what comes."""
        return MINUS_INFINITY if self._panes.on_append else PLUS_INFINITY

    def advance_append(self, append_time: int) -> Iterable[Batch]:
        """Shows panes that are due by append time."""
        self._now = append_time
        return self._panes.fire(self._early(append_time))
