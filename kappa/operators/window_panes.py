"""Panes: what a window says of itself when it shows a result, and when it does so early.

An accumulator of a window with panes has six more slots behind the aggregates':

    INDEX   number of panes shown, which is the index of the next
    NEWS    records since the last pane
    SHOWN   the last pane in full, where it may have to be retracted
    DUE     when the next early pane by time is due, if news waits for one
    ENDED   whether the window has passed its end
    KEY     the key as the first record had it: 1 and True are one key, but look different
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from kappa.batch import Batch
from kappa.codec import encode_key
from kappa.operators.keyed import key_columns
from kappa.operators.window_rows import BOUNDS, END, START, WindowInstance, ranks
from kappa.time import MAX_TIME, PLUS_INFINITY
from kappa.triggers import AtWatermark, Every, OnCount

EARLY, ON_TIME, LATE = "early", "on_time", "late"
SLOTS = 6
Span = tuple[int, int]


class Pane(NamedTuple):
    """One row of a window with panes."""

    key: Any
    span: Span
    results: tuple[Any, ...]
    number: int
    timing: str
    last: bool
    retraction: bool = False


class Firing(NamedTuple):
    """A pane to come: when it was due, of which window, and what it is."""

    due: int
    span: Span
    accumulator: list[Any]
    timing: str
    last: bool


class Panes:
    """When windows of one step show panes early or late, and what these say.

    Args:
        instance: whose windows.
        trigger: when.
        mode: "accumulating", "discarding" or "retracting".
        width: number of the aggregates' slots.
        bounded: windows have an end, which is not part of them; else the last event time.
    """

    def __init__(
        self,
        instance: WindowInstance,
        trigger: AtWatermark,
        mode: str,
        width: int,
        *,
        bounded: bool = True,
    ) -> None:
        self.instance = instance
        self.trigger = trigger
        self.early = trigger.early
        self._beyond = 1 if bounded else 0
        self.discarding = mode == "discarding"
        self.retracting = mode == "retracting"
        places = range(width, width + SLOTS)
        self.index, self.news, self.shown, self.due, self.ended, self.key = places

    def fresh(self, key: Any) -> list[Any]:
        """An accumulator that has seen nothing."""
        return [*self.instance.layout.fresh(), 0, 0, None, None, False, key]

    # -- deciding --------------------------------------------------------------------------

    def counted(self, accumulator: list[Any], records: int) -> str | None:
        """Takes note of new records; says which pane their number calls for, if one."""
        accumulator[self.news] += records
        news = accumulator[self.news]
        if accumulator[self.ended]:
            return LATE if news >= self.trigger.late.count else None
        early = self.early
        if isinstance(early, OnCount) and news >= early.count and self.wanted(accumulator):
            return EARLY
        return None

    def wanted(self, accumulator: list[Any]) -> bool:
        """Whether the early trigger has not had its only pane."""
        return self.early is not None and (self.early.repeats or not accumulator[self.index])

    @property
    def every(self) -> Every | None:
        """The early trigger by time, if there is one."""
        return self.early if isinstance(self.early, Every) else None

    @property
    def on_append(self) -> bool:
        """Whether early panes go by append time."""
        return self.every is not None and self.every.clock == "append"

    def next_due(self, accumulator: list[Any], span: Span, watermark: int, now: int) -> int | None:
        """When news of an accumulator is to be shown early; None for at its end.

        Args:
            watermark: before the record.
            now: append time of the record.
        """
        every = self.every
        if every is None or not self.wanted(accumulator):
            return None
        if every.clock == "append":
            return now + every.period  # even past its end: a session may be extended
        if accumulator[self.ended]:
            return None
        mark = next_mark(span[0], every.period, watermark)
        return mark - 1 if mark < span[1] else None

    # -- showing ---------------------------------------------------------------------------

    def show(self, accumulator: list[Any], span: Span, timing: str, last: bool) -> list[Pane]:
        """The pane, behind the retraction of the one before; changes the accumulator."""
        panes = self.retract(accumulator)
        index = accumulator[self.index]
        results = self.instance.read(accumulator)
        panes.append(Pane(accumulator[self.key], span, results, index, timing, last))
        accumulator[self.index] = index + 1
        accumulator[self.news] = 0
        accumulator[self.due] = None
        if self.retracting and not last:
            accumulator[self.shown] = [*span, index, timing, *self.instance.read(accumulator)]
        if self.discarding:
            accumulator[: self.index] = self.instance.layout.fresh()
        return panes

    def retract(self, accumulator: list[Any]) -> list[Pane]:
        """Takes back the pane that an accumulator showed last, if it has not been."""
        shown = accumulator[self.shown]
        if shown is None:
            return []
        accumulator[self.shown] = None
        start, end, index, timing, *results = shown
        key = accumulator[self.key]
        return [Pane(key, (start, end), tuple(results), index, timing, False, True)]

    def at_once(self, batch: Batch, indices: list[int], panes: list[Pane]) -> Batch:
        """The panes that records of a batch caused; not empty."""
        columns, times = self._columns(panes)
        return batch.emitted(indices, columns=columns, times=times, solid=self._solid)

    def fire(self, firings: Sequence[Firing]) -> list[Batch]:
        """The panes of what is due, by due time, key and start of the window."""
        if not firings:
            return []
        place = ranks(firing.accumulator[self.key] for firing in firings)
        ordered = sorted(
            firings, key=lambda one: (one.due, place[one.accumulator[self.key]], one.span[0])
        )
        panes: list[Pane] = []
        order: list[tuple[Any, ...]] = []
        for due, span, accumulator, timing, last in ordered:
            shown = self.show(accumulator, span, timing, last)
            panes += shown
            if self.instance.context.ranked:
                data = encode_key(accumulator[self.key])
                order += [(due, data, span[0], number) for number in range(len(shown))]
        columns, times = self._columns(panes)
        return [
            Batch.fired(
                times=times,
                columns=columns,
                order=order if self.instance.context.ranked else None,
                solid=self._solid,
            )
        ]

    @property
    def _solid(self) -> frozenset[str]:
        return BOUNDS | self.instance.layout.whole | {"pane_index"}

    def _columns(self, panes: Sequence[Pane]) -> tuple[dict[str, list[Any]], list[int]]:
        keys, spans, results, numbers, timings, lasts, retractions = map(list, zip(*panes))
        columns = key_columns(self.instance.names, keys)
        columns[START] = [start for start, _ in spans]
        columns[END] = [end for _, end in spans]
        columns |= zip(self.instance.layout.names, map(list, zip(*results)))
        columns["pane_index"] = numbers
        columns["pane_timing"] = timings
        columns["pane_last"] = lasts
        if self.retracting:
            columns["retraction"] = retractions
        return columns, [min(end - self._beyond, MAX_TIME) for _, end in spans]


class Dues:
    """Which keys to look at when, for early panes by time; made anew from state when opened.

    An entry may be out of date: whoever takes it compares it with the accumulator's.
    """

    def __init__(self) -> None:
        self._at: dict[int, dict[Any, None]] = {}

    def add(self, due: int, entry: Any) -> None:
        """Notes that `entry` is due."""
        self._at.setdefault(due, {})[entry] = None

    def earliest(self) -> int:
        """The earliest due time, or PLUS_INFINITY."""
        return min(self._at, default=PLUS_INFINITY)

    def pop(self, reached: int) -> Iterator[tuple[int, Any]]:
        """Takes out what is due, by due time."""
        for due in sorted(due for due in self._at if due <= reached):
            for entry in self._at.pop(due):
                yield due, entry


def next_mark(start: int, period: int, watermark: int) -> int:
    """The first start + k · period, k at least 1, that the watermark has not passed.

    >>> next_mark(0, 10, 8), next_mark(0, 10, 9)
    (10, 20)
    """
    return start + max(1, (watermark + 1 - start) // period + 1) * period
