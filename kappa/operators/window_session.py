"""Session windows with the default trigger and plain panes.

Two ways in give the same state. Rows whose own session lies before the watermark cannot be
late or fire anything, whatever they join: a generated loop takes them one by one. Others
are taken by arrival, and with them all rows of their keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from operator import itemgetter
from typing import Any

from kappa.aggregates import Layout
from kappa.batch import Batch
from kappa.codec import encode_key
from kappa.operators.contract import OperatorContext
from kappa.operators.keyed import Columns, key_columns
from kappa.operators.window_arrivals import Accumulator, Sessions, Slots, Span
from kappa.operators.window_kernels import NAMES, closing_source, session_source
from kappa.operators.window_rows import BOUNDS, END, START, Spec, ranks
from kappa.time import MAX_TIME, MINUS_INFINITY
from kappa.windows import Session

NATIVE = ({int}, {str})
"""Types of keys that Python itself orders as their bytes."""


class SessionWindows(Sessions):
    """Sessions with the default trigger and plain panes."""

    def __init__(self, spec: Spec, window: Session, context: OperatorContext) -> None:
        width = spec.layout.width
        super().__init__(spec, window, context, Slots(*range(width, width + 5)))
        self._loose = bool(self.state)

    def due(self) -> int:
        """The earliest end, or when to forget a session that ended."""
        return self.ends.due()

    def process(self, batch: Batch) -> Iterable[Batch]:
        """Takes rows in; those of sessions that ended are late, or fire them at once."""
        if not batch.count:
            return ()
        careful = self.window.bound(batch.min_time) <= batch.watermark
        batch, columns, out = self.compute(batch)
        if careful:
            batch, columns, dead = self.checked(batch, columns)
            out += dead
            batch, columns, behind = self._behind(batch, columns)
            out += behind
        if batch.count:
            out += self._take(batch, columns)
        return out

    # -- rows before the watermark -----------------------------------------------------------

    def _take(self, batch: Batch, columns: Columns) -> list[Batch]:
        """The generated loop."""
        solid = self.solid(batch)
        self._loose = self._loose or self.layout.loosens(solid)
        kernel = self.kernel(
            (solid, self._loose), lambda: self._kernel(self.layout, solid, self._loose)
        )
        state, gap = self.state, self.window.gap
        heads: list[Any] = [state.new, state.base, state.touch, gap, gap - 1]
        heads += [self.ends.step, self.ends.buckets, self._joined, self._placed]
        return self.run(kernel, heads, batch, [columns[0], batch.times, *columns[1:]])

    def _kernel(self, layout: Layout, solid: tuple[bool, ...], loose: bool) -> Callable[..., None]:
        source = session_source(
            layout,
            solid,
            loose=loose,
            guarded=self.context.dead_letters,
            inclusive=self.window.inclusive,
            lingering=self.lateness > 0,
        )
        return layout.build(source, "session", **NAMES)

    def _joined(self, key: Any, latest: Accumulator, time: int) -> Accumulator | None:
        """The sessions that a row joins, put together and in state; None if it joins none."""
        own = self.window.window_of(time)
        sessions = self.of(latest)
        hit = [one for one in sessions if self.window.joins(self.span(one), own)]
        if not hit:
            return None
        first, slots = hit[0], self.slots
        for session in hit[1:]:
            self.layout.merge(first, session)
        first[slots.start] = min(first[slots.start], time)
        first[slots.last] = max(hit[-1][slots.last], time)
        first[slots.ended] = False
        self.ends.note(key, own[1] - 1)
        gone = set(map(id, hit[1:]))
        self.keep(key, [one for one in sessions if id(one) not in gone])
        return first

    def _placed(self, key: Any, session: Accumulator) -> None:
        """Puts a session that joins no other among those of its key."""
        sessions = self.of(self.state.new[key])
        sessions.append(session)
        sessions.sort(key=lambda one: one[self.slots.start])
        self.keep(key, sessions)

    # -- rows behind it ------------------------------------------------------------------------

    def _behind(self, batch: Batch, columns: Columns) -> tuple[Batch, Columns, list[Batch]]:
        """Deals with the keys that have such rows; gives the rows of the others."""
        keys, times, watermark = columns[0], batch.times, batch.watermark
        edge = watermark - self.window.gap + 1
        suspects = {key for key, time in zip(keys, times) if time <= edge}
        self._loose = True
        indices: list[int] = []
        results: list[tuple[Any, Span, tuple[Any, ...]]] = []
        late: dict[int, Span] = {}
        out: list[Batch] = []
        for key, rows in self.arrivals(batch, keys):
            if key not in suspects:
                continue
            kept: list[Accumulator] = []
            for merged in self.merge(key, times, rows):
                if not merged.rows:
                    kept += merged.sessions
                elif self.lost(merged, watermark):
                    late.update(dict.fromkeys(merged.rows, merged.span))
                else:
                    session = merged.sessions[0] if merged.sessions else self._fresh(key)
                    taken, dead = self.add_rows(batch, columns, merged, session)
                    out += dead
                    if taken or merged.sessions:
                        kept.append(session)
                    if taken and session[self.slots.ended]:
                        indices.append(taken[-1])
                        results.append((key, merged.span, self.read(session)))
            self.settle(key, kept)
        if late:
            order = sorted(late)
            out.append(self.late(batch, order, [late[index] for index in order]))
        if indices:
            order = sorted(range(len(indices)), key=indices.__getitem__)
            found = [results[place] for place in order]
            answered = [list(part) for part in zip(*found)]
            out.append(self.answered(batch, [indices[place] for place in order], *answered))
        rest = [key not in suspects for key in keys]
        columns = [[v for v, keep in zip(column, rest) if keep] for column in columns]
        return batch.compress(rest), columns, out

    def _fresh(self, key: Any) -> Accumulator:
        return [*self.layout.fresh(), 0, 0, None, False, key]

    # -- firing --------------------------------------------------------------------------------

    def advance(self, watermark: int) -> Iterable[Batch]:
        """Fires the sessions that end, by end, key and start; forgets those that are over."""
        state, gap, ends = self.state, self.window.gap, self.ends
        closing = self.kernel("closing", lambda: _closing(self.layout))
        forget = state.delete if state.base else state.new.pop
        # With lateness a session that ended may stay, so each key is looked at with care.
        limit = MINUS_INFINITY if self.lateness else watermark + 2 - gap
        some = partial(self._end_some, watermark)
        keys = ends.pop(watermark)
        if self.lateness:
            fired = [row for key in keys for row in some(key)]
        else:
            heads = (state.new.get, state.base, forget, ends.step, gap - 1, ends.buckets)
            fired = closing(keys, limit, *heads, some)
        return [self._fire(in_order(fired))] if fired else []

    def _end_some(self, watermark: int, key: Any) -> list[tuple[Any, ...]]:
        """The sessions of a key that end now, where some may be kept."""
        slots = self.slots
        fired, kept = [], []
        for session in self.of(self.state.touch(key)):
            start, end = self.span(session)
            if not session[slots.ended] and end - 1 <= watermark:
                session[slots.ended] = True
                results = self.read(session)
                fired.append((session[slots.last], session[slots.key], start, *results))
            if end - 1 + self.lateness > watermark:
                kept.append(session)
        self.keep(key, kept)
        self.note(key, kept)
        return fired

    def _fire(self, fired: Sequence[tuple[Any, ...]]) -> Batch:
        """The result rows of `(last, key, start, *results)`, in order."""
        lasts, keys, starts, *results = (
            list(map(itemgetter(place), fired)) for place in range(len(fired[0]))
        )
        ends = [last + self.window.gap for last in lasts]
        columns = key_columns(self.names, keys)
        columns |= {START: starts, END: ends}
        columns |= zip(self.layout.names, results)
        return Batch.fired(
            times=[min(end - 1, MAX_TIME) for end in ends],
            columns=columns,
            order=[(end - 1, encode_key(key), start) for end, key, start in zip(ends, keys, starts)]
            if self.context.ranked
            else None,
            solid=BOUNDS | self.layout.whole,
        )


def _closing(layout: Layout) -> Callable[..., list[tuple[Any, ...]]]:
    return layout.build(closing_source(layout), "closing", **NAMES)


def in_order(fired: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rows of (due, key, start, …) by due time, bytes of the key and start; none are equal."""
    keys = [row[1] for row in fired]
    if set(map(type, keys)) in NATIVE:
        fired.sort()
        return fired
    place = ranks(keys)
    return sorted(fired, key=lambda row: (row[0], place[row[1]], row[2]))
