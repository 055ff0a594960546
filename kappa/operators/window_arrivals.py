"""The sessions of a key, in state, and what the arrival of records makes of them.

State: "sessions", key -> its latest session, which holds the earlier ones. A session is an
accumulator with more slots behind the aggregates' (and the panes', where there are any):
start, last event time, the earlier sessions or None, whether it has passed its end, and
its key as the first record had it (1 and True are one key, but not the same to look at).

An arrival is the rows of one append and key: merged first, in order of time, then judged
once per merged session. So all rows of an append have to come in one batch.

Invariants: the sessions of a key do not join, and are in order; one that ended, and takes
no more records, is not in state once the watermark has been handled.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from kappa.batch import Batch
from kappa.codec import check_key
from kappa.operators.contract import OperatorContext
from kappa.operators.keyed import Columns
from kappa.operators.window_ends import SessionEnds
from kappa.operators.window_rows import Spec, WindowInstance
from kappa.windows import Session

Accumulator = list[Any]
NATIVE = ({int}, {str})
"""Types of keys that Python itself orders as their bytes."""
Span = tuple[int, int]


class Slots(NamedTuple):
    """Where in an accumulator a session has its own slots."""

    start: int
    last: int
    others: int
    ended: int
    key: int


class Merged(NamedTuple):
    """Sessions in state and new rows that are one session together."""

    span: Span
    sessions: list[Accumulator]
    rows: list[int]


class Sessions(WindowInstance):
    """Sessions by key, in the step's state: what plain ones and those with panes share."""

    def __init__(self, spec: Spec, window: Session, context: OperatorContext, slots: Slots) -> None:
        super().__init__(spec, context)
        self.window = window
        self.slots = slots
        self.state = context.state.keyed("sessions")
        self.ends = SessionEnds(window.gap, self._soonest)
        for key, session in self.state.items():
            self.note(key, self.of(session))

    # -- the sessions of a key ---------------------------------------------------------------

    def of(self, latest: Accumulator | None) -> list[Accumulator]:
        """All sessions of a key, given the latest, by start."""
        if latest is None:
            return []
        others = latest[self.slots.others]
        return [latest] if others is None else [*others, latest]

    def span(self, session: Accumulator) -> Span:
        """Start and end."""
        return session[self.slots.start], session[self.slots.last] + self.window.gap

    def keep(self, key: Any, sessions: list[Accumulator]) -> None:
        """Puts the sessions of a key, in order, in state; none deletes the key."""
        if not sessions:
            self.state.delete(key)
            return
        others = self.slots.others
        for session in sessions:
            session[others] = None
        latest = sessions[-1]
        if len(sessions) > 1:
            latest[others] = sessions[:-1]
        self.state.put(key, latest)

    def note(self, key: Any, sessions: Iterable[Accumulator]) -> None:
        """Sets down when each of a key's sessions is next to be looked at."""
        for session in sessions:
            self.ends.note(key, self._instant(session))

    def _instant(self, session: Accumulator) -> int:
        """When something is to be done about a session."""
        end = self.span(session)[1] - 1
        return end + self.lateness if session[self.slots.ended] else end

    def _soonest(self, key: Any) -> int | None:
        latest = self.state.get(key)
        if latest is not None and latest[self.slots.others] is None:
            return self._instant(latest)
        return min(map(self._instant, self.of(latest)), default=None)

    # -- by arrival --------------------------------------------------------------------------

    def arrivals(self, batch: Batch, keys: list[Any]) -> Iterator[tuple[Any, list[int]]]:
        """The rows of each append and key, as indices, in order of append and first row."""
        start = 0
        for _, stop in batch.runs or [(0, batch.count)]:
            found: dict[Any, list[int]] = {}
            for index in range(start, stop):
                found.setdefault(keys[index], []).append(index)
            yield from found.items()
            start = stop

    def merge(self, key: Any, times: list[int], rows: list[int]) -> list[Merged]:
        """What an arrival makes of a key's sessions; those that it does not touch are left out."""
        gap, inclusive = self.window.gap, self.window.inclusive
        parts: list[tuple[int, int, Any, int]] = [
            (*self.span(session), session, -1) for session in self.of(self.state.touch(key))
        ]
        parts += [(times[row], times[row] + gap, None, row) for row in rows]
        parts.sort(key=lambda part: part[0])
        found: list[Merged] = []
        for start, end, session, row in parts:
            reach = found[-1].span[1] if found else start
            if not found or (start > reach if inclusive else start >= reach):
                found.append(Merged((start, end), [], []))
            else:
                found[-1] = found[-1]._replace(span=(found[-1].span[0], max(reach, end)))
            if session is None:
                found[-1].rows.append(row)
            else:
                found[-1].sessions.append(session)
        for merged in found:
            merged.rows.sort()
        return found

    def checked(self, batch: Batch, columns: Columns) -> tuple[Batch, Columns, list[Batch]]:
        """The rows whose keys can be keys, and the dead letters of the others."""
        try:
            for key in dict.fromkeys(columns[0]):
                if key not in self.state:
                    check_key(key)
            return batch, columns, []
        except Exception:  # below finds which
            pass
        kept: list[int] = []
        dead: list[Batch] = []
        for index, key in enumerate(columns[0]):
            try:
                check_key(key)
                kept.append(index)
            except Exception as error:
                dead.append(self.failed(batch, index, key, error))
        columns = [[column[index] for index in kept] for column in columns]
        return batch.take(kept), columns, dead

    def add_rows(
        self, batch: Batch, columns: Columns, merged: Merged, into: Accumulator
    ) -> tuple[list[int], list[Batch]]:
        """Takes the rows of a merged session in, in order; those taken, and dead letters."""
        for session in merged.sessions[1:]:
            self.layout.merge(into, session)
        taken: list[int] = []
        dead: list[Batch] = []
        for row in merged.rows:
            try:
                values = [column[row] for column in columns[1:]]
                self.add_to(into, batch.times[row], values)
                taken.append(row)
            except Exception as error:
                dead.append(self.failed(batch, row, columns[0][row], error))
        start, end = merged.span
        into[self.slots.start], into[self.slots.last] = start, end - self.window.gap
        into[self.slots.ended] = end - 1 <= batch.watermark
        return taken, dead

    def lost(self, merged: Merged, watermark: int) -> bool:
        """Whether a merged session takes no more records."""
        return merged.span[1] - 1 + self.lateness <= watermark

    def settle(self, key: Any, sessions: list[Accumulator]) -> None:
        """Puts the sessions of a key in state, and has the key looked at again."""
        sessions.sort(key=lambda session: session[self.slots.start])
        self.keep(key, sessions)
        self.note(key, sessions)
