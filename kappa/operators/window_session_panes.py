"""Session windows with a trigger, or with other than plain panes.

All rows are taken by arrival. A merged session goes on with the largest pane index, and its
trigger counts add up. Where panes are retracted, those of sessions that an arrival merges
or extends are taken back with it, by ascending start.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kappa.batch import Batch
from kappa.operators.contract import OperatorContext
from kappa.operators.keyed import Columns
from kappa.operators.window_arrivals import Accumulator, Merged, Sessions, Slots, Span
from kappa.operators.window_panes import EARLY, LATE, ON_TIME, SLOTS, Dues, Firing, Pane, Panes
from kappa.operators.window_rows import Spec
from kappa.time import MINUS_INFINITY, PLUS_INFINITY
from kappa.triggers import AtWatermark
from kappa.windows import Session


class SessionPanes(Sessions):
    """Sessions with panes."""

    def __init__(
        self,
        spec: Spec,
        window: Session,
        trigger: AtWatermark,
        mode: str,
        context: OperatorContext,
    ) -> None:
        self._panes = panes = Panes(self, trigger, mode, spec.layout.width)
        first = spec.layout.width + SLOTS
        slots = Slots(first, first + 1, first + 2, panes.ended, panes.key)
        super().__init__(spec, window, context, slots)
        self._now = MINUS_INFINITY
        self._dues = Dues()
        for key, latest in self.state.items():
            for session in self.of(latest):
                if session[panes.due] is not None:
                    self._dues.add(session[panes.due], key)

    # -- records ---------------------------------------------------------------------------

    def process(self, batch: Batch) -> Iterable[Batch]:
        """Takes rows in, arrival by arrival."""
        batch, columns, out = self.compute(batch)
        batch, columns, dead = self.checked(batch, columns)
        out += dead
        shown: list[tuple[int, list[Pane]]] = []
        late: dict[int, Span] = {}
        for key, rows in self.arrivals(batch, columns[0]):
            kept: list[Accumulator] = []
            for merged in self.merge(key, batch.times, rows):
                if not merged.rows:
                    kept += merged.sessions
                elif self.lost(merged, batch.watermark):
                    late.update(dict.fromkeys(merged.rows, merged.span))
                else:
                    out += self._take(batch, columns, key, merged, kept, shown)
            self.settle(key, kept)
        if late:
            order = sorted(late)
            out.append(self.late(batch, order, [late[index] for index in order]))
        if shown:
            shown.sort(key=lambda one: one[0])
            indices = [index for index, panes in shown for _ in panes]
            found = [pane for _, panes in shown for pane in panes]
            out.append(self._panes.at_once(batch, indices, found))
        return out

    def _take(
        self,
        batch: Batch,
        columns: Columns,
        key: Any,
        merged: Merged,
        kept: list[Accumulator],
        shown: list[tuple[int, list[Pane]]],
    ) -> list[Batch]:
        """Takes one merged session's rows in; what it shows stands at the last of them."""
        panes = self._panes
        session = merged.sessions[0] if merged.sessions else self._fresh(key)
        taken_back: list[Pane] = []
        if len(merged.sessions) > 1 or merged.span != self.span(session):
            for one in merged.sessions:
                taken_back += panes.retract(one)
            self._unite(merged.sessions)
        taken, dead = self.add_rows(batch, columns, merged, session)
        if not taken and not merged.sessions:
            return dead
        kept.append(session)
        timing = panes.counted(session, len(taken)) if taken else None
        if timing is not None:
            taken_back += panes.show(session, merged.span, timing, False)
        elif taken:
            self._plan(key, session, merged.span, batch.watermark)
        if taken_back:
            shown.append((merged.rows[-1], taken_back))
        return dead

    def _unite(self, sessions: list[Accumulator]) -> None:
        """The panes of sessions that become one: the first goes on for all."""
        panes = self._panes
        if not sessions:
            return
        first = sessions[0]
        dues = [one[panes.due] for one in sessions if one[panes.due] is not None]
        first[panes.index] = max(one[panes.index] for one in sessions)
        first[panes.news] = sum(one[panes.news] for one in sessions)
        # Marks move with the start; a pane's first record stays what it was.
        stays = dues and panes.on_append and panes.wanted(first)
        first[panes.due] = min(dues) if stays else None

    def _plan(self, key: Any, session: Accumulator, span: Span, watermark: int) -> None:
        panes = self._panes
        if session[panes.due] is None:
            session[panes.due] = panes.next_due(session, span, watermark, self._now)
        if session[panes.due] is not None:
            self._dues.add(session[panes.due], key)

    def _fresh(self, key: Any) -> Accumulator:
        return [*self._panes.fresh(key), 0, 0, None]

    # -- firing ----------------------------------------------------------------------------

    def due(self) -> int:
        """The earliest end or mark, or when to forget a session that ended."""
        if self._panes.on_append:
            return self.ends.due()
        return min(self.ends.due(), self._dues.earliest())

    def advance(self, watermark: int) -> Iterable[Batch]:
        """Shows what is due, by due time, key and start; forgets sessions that are over."""
        firings = [] if self._panes.on_append else self._early(watermark)
        for key in self.ends.pop(watermark):
            kept = []
            for session in self.of(self.state.touch(key)):
                span = self.span(session)
                last = span[1] - 1 + self.lateness
                if not session[self.slots.ended] and span[1] - 1 <= watermark:
                    session[self.slots.ended] = True
                    over = last <= watermark
                    firings.append(Firing(span[1] - 1, span, session, ON_TIME, over))
                elif last <= watermark and session[self._panes.news]:
                    firings.append(Firing(last, span, session, LATE, True))
                if last > watermark:
                    kept.append(session)
            self.keep(key, kept)
            self.note(key, kept)
        return self._panes.fire(firings)

    def _early(self, reached: int) -> list[Firing]:
        panes, found = self._panes, []
        for due, key in self._dues.pop(reached):
            for session in self.of(self.state.touch(key)):
                span = self.span(session)
                over = session[self.slots.ended] or (not panes.on_append and span[1] - 1 <= reached)
                if session[panes.due] == due and not over:
                    found.append(Firing(due, span, session, EARLY, False))
        return found

    # -- append time -----------------------------------------------------------------------

    def append_due(self) -> int:
        """Always, with such a trigger: it has to know the append time of what comes."""
        return MINUS_INFINITY if self._panes.on_append else PLUS_INFINITY

    def advance_append(self, append_time: int) -> Iterable[Batch]:
        """Shows early panes that are due by append time."""
        self._now = append_time
        return self._panes.fire(self._early(append_time))
