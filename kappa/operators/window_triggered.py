"""Tumbling, sliding and calendar windows with a trigger, or with other than plain panes.

Every window keeps accumulators of its own: panes of overlapping windows are apart. Records
are taken one by one, in order, as each may fire.

State: "windows", a namespace per window start, key -> accumulator with pane slots. What is
due is found in it when the step is opened, and kept beside it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kappa.batch import Batch
from kappa.codec import check_key
from kappa.operators.contract import OperatorContext
from kappa.operators.window_panes import (
    EARLY,
    LATE,
    ON_TIME,
    Dues,
    Firing,
    Pane,
    Panes,
    Span,
    next_mark,
)
from kappa.operators.window_rows import Spec, WindowInstance
from kappa.state.generations import Generations
from kappa.time import MINUS_INFINITY, PLUS_INFINITY
from kappa.triggers import AtWatermark
from kappa.windows import Sliding


class TriggeredWindows(WindowInstance):
    """Windows aligned to the epoch or a calendar, with panes."""

    def __init__(
        self, spec: Spec, trigger: AtWatermark, mode: str, context: OperatorContext
    ) -> None:
        super().__init__(spec, context)
        self._window = spec.window
        self._panes = Panes(self, trigger, mode, spec.layout.width)
        self._state = context.state.spaces("windows")
        self._open: dict[int, int] = {}  # end of every window that has not passed it, by start
        self._past: dict[int, int] = {}  # and of every one that has, and still takes records
        self._dues = Dues()
        self._reached = MINUS_INFINITY
        self._now = MINUS_INFINITY
        self._find()

    def _find(self) -> None:
        panes = self._panes
        for start in self._state.namespaces():
            assert isinstance(start, int)
            span = next(one for one in self._window.windows_of(start) if one[0] == start)
            for key, accumulator in self._state.space(start).items():
                if accumulator[panes.due] is not None:
                    self._dues.add(accumulator[panes.due], (span, key))
                ended = accumulator[panes.ended]
            (self._past if ended else self._open)[start] = span[1]

    # -- records ---------------------------------------------------------------------------

    def process(self, batch: Batch) -> Iterable[Batch]:
        """Takes rows in, one by one."""
        self._reached = max(self._reached, batch.watermark)
        batch, columns, out = self.compute(batch)
        indices: list[int] = []
        panes: list[Pane] = []
        lost: list[tuple[int, tuple[int | None, int | None]]] = []
        for index, (time, key, *values) in enumerate(zip(batch.times, *columns)):
            spans = self._window.windows_of(time)
            taken = [one for one in spans if one[1] - 1 + self.lateness > batch.watermark]
            if not taken:
                lost.append((index, spans[-1] if spans else (None, None)))
                continue
            try:
                for span in taken:
                    shown = self._take(span, key, time, values, batch.watermark)
                    panes += shown
                    indices += [index] * len(shown)
            except Exception as error:
                out.append(self.failed(batch, index, key, error))
        if panes:
            out.append(self._panes.at_once(batch, indices, panes))
        if lost:
            outside = sum(end is None for _, (_, end) in lost)
            if outside:
                self.context.count("unwindowed", outside)
            out.append(self.late(batch, [n for n, _ in lost], [span for _, span in lost]))
        return out

    def _take(
        self, span: Span, key: Any, time: int, values: list[Any], watermark: int
    ) -> list[Pane]:
        """Adds one record to one window; the panes that it fires."""
        panes = self._panes
        space = self._state.space(span[0])
        accumulator = space.touch(key)
        if accumulator is None:
            check_key(key)
            accumulator = panes.fresh(key)
            self.layout.add(accumulator, time, *values)
            accumulator[panes.ended] = span[1] - 1 <= watermark
            space.put(key, accumulator)
            (self._past if accumulator[panes.ended] else self._open)[span[0]] = span[1]
        else:
            self.add_to(accumulator, time, values)
        timing = panes.counted(accumulator, 1)
        if timing is not None:
            return panes.show(accumulator, span, timing, False)
        if accumulator[panes.due] is None:
            due = panes.next_due(accumulator, span, watermark, self._now)
            if due is not None:
                accumulator[panes.due] = due
                self._dues.add(due, (span, key))
        return []

    # -- firing ----------------------------------------------------------------------------

    def due(self) -> int:
        """The earliest end, mark, or drop of a window that may hold news back."""
        dues = [min(self._open.values(), default=PLUS_INFINITY) - 1]
        if self._panes.trigger.late.count > 1 and self._past:
            dues.append(min(self._past.values()) - 1 + self.lateness)
        every = self._panes.every
        if every is not None and not self._panes.on_append:
            dues.append(self._next_mark(every.period) - 1)
        return min(*dues, PLUS_INFINITY)

    def _next_mark(self, period: int) -> int:
        """The next mark of any window, there or not: a record may still make it matter."""
        spans = self._window.windows_of(self._reached + 1)
        window = self._window
        if isinstance(window, Sliding):
            following = window.last_start(self._reached + 1) + window.slide
        else:
            following = spans[-1][1]
        marks = [next_mark(start, period, self._reached) for start, _ in spans]
        inside = [mark for mark, (_, end) in zip(marks, spans) if mark < end]
        return min([*inside, following + period])

    def advance(self, watermark: int) -> Iterable[Batch]:
        """Shows what is due, by due time, key and window; drops what takes no more."""
        firings = [] if self._panes.on_append else self._early(watermark)
        over = watermark - self.lateness + 1
        gone = sorted(start for start, end in self._past.items() if end <= over)
        for start in gone:
            firings += self._rest(start, self._past.pop(start))
        for start in sorted(start for start, end in self._open.items() if end - 1 <= watermark):
            end = self._open.pop(start)
            firings += self._end(start, end, last=end <= over)
            if end <= over:
                gone.append(start)
            else:
                self._past[start] = end
        out = self._panes.fire(firings)
        for start in gone:
            self._state.drop(start)
        self._reached = max(self._reached, watermark)
        return out

    def _end(self, start: int, end: int, *, last: bool) -> list[Firing]:
        """The panes of a window at its end."""
        firings = []
        for accumulator in touched(self._state.space(start)):
            accumulator[self._panes.ended] = True
            firings.append(Firing(end - 1, (start, end), accumulator, ON_TIME, last))
        return firings

    def _rest(self, start: int, end: int) -> list[Firing]:
        """What a late count held back, when the window is dropped."""
        due = end - 1 + self.lateness
        return [
            Firing(due, (start, end), accumulator, LATE, True)
            for accumulator in touched(self._state.space(start))
            if accumulator[self._panes.news]
        ]

    def _early(self, reached: int) -> list[Firing]:
        panes = self._panes
        found = []
        for due, (span, key) in self._dues.pop(reached):
            ended = span[1] - 1 <= reached and not panes.on_append
            if span[0] not in self._open or ended:
                continue
            accumulator = self._state.space(span[0]).touch(key)
            if accumulator is not None and accumulator[panes.due] == due:
                found.append(Firing(due, span, accumulator, EARLY, False))
        return found

    # -- append time -----------------------------------------------------------------------

    def append_due(self) -> int:
        """Always: the instance needs to know the append time of what comes."""
        return MINUS_INFINITY if self._panes.on_append else PLUS_INFINITY

    def advance_append(self, append_time: int) -> Iterable[Batch]:
        """Shows early panes that are due by append time."""
        self._now = append_time
        return self._panes.fire(self._early(append_time))


def touched(space: Generations) -> list[list[Any]]:
    """The accumulators of a space, all marked as changed."""
    return [space.touch(key) for key, _ in list(space.items())]
