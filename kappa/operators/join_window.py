"""join with `window`: rows of one key that fall into the same window.

The pairs of a window come when it fires, in the order of the left rows and, for each, of the
right ones; then, of an outer join, the left rows without a partner and the right ones. Rows
of a side go by (event time, arrival). A result has the event time end - 1. Lateness is 0: a
row that no window takes is late and goes to the side "late".

State: "windows" holds, per window start, key -> [end, left rows, right rows]; for sessions
"sessions" holds key -> [[start, end, left rows, right rows], ...] ascending. A row is kept
as [event time, row].
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, ClassVar

from kappa.batch import Batch
from kappa.codec import encode_key, sort_keys
from kappa.errors import ConfigError
from kappa.operators.contract import ALL_HISTORY, Fields, Instance, Names, Operator, OperatorContext
from kappa.operators.forgetting import Forgetting
from kappa.operators.join import LATE
from kappa.operators.joined import KINDS, Joined, Joining, is_null
from kappa.operators.ports import LEFT
from kappa.time import MAX_TIME
from kappa.windows import Session, Window

BOUNDS = ("window_start", "window_end")
TIME = itemgetter(0)

Side = list[list[Any]]
Span = tuple[int, int]


@dataclass(frozen=True)
class WindowJoin(Operator):
    """Pairs of rows of one key and window. Its inputs come through `Port`.

    Args:
        shape: condition and fields of the result.
        how: "inner", "left", "right" or "full".
        window: how event time is cut: any window that event time ends.

    Raises:
        ConfigError: the window has no end in event time, or `how` is wrong.
    """

    shape: Joined
    how: str
    window: Window

    kind: ClassVar[str] = "window_join"
    stateful: ClassVar[bool] = True
    counts_rows: ClassVar[bool] = True
    sides: ClassVar[tuple[str, ...]] = (LATE,)

    def __post_init__(self) -> None:
        if self.how not in KINDS:
            raise ConfigError(f"join: how is {self.how!r}: give one of {', '.join(KINDS)}")
        if not isinstance(self.window, Window) or not self.window.timed:
            raise ConfigError(
                f"join: window is {self.window!r}: give one that event time ends, such as"
                ' Tumbling("10s")'
            )

    @property
    def margin_before(self) -> int | None:
        """The size of a window."""
        if any(self.shape.learns(self.how)):
            return ALL_HISTORY
        margin = self.window.margin
        return ALL_HISTORY if margin is None else margin

    def open(self, context: OperatorContext) -> Instance:
        """The instance on the step's state."""
        if isinstance(self.window, Session):
            return SessionJoin(self, self.window, context)
        return AlignedJoin(self, context)

    def required(self, wanted: Fields) -> Fields:
        """Of either input, the same as of the left one."""
        return self.shape.required(LEFT, wanted)

    def required_at(self, port: int, wanted: Fields) -> Fields:
        """The fields of one input."""
        return self.shape.required(port, wanted)

    def yields(self, inputs: Sequence[Names]) -> Names:
        """The fields of the result."""
        return self.shape.yields()

    def bound(self, min_time: int) -> int:
        """The window's own."""
        return self.window.bound(min_time)

    def describe(self) -> str:
        """What it keeps, and for how long."""
        names = " and ".join((self.shape.left_key.name, self.shape.right_key.name))
        return (
            f"{self.how} join by {names}{self.shape.describe()}: keeps the rows of both sides"
            f" per {self.window.kind} window until the watermark reaches its end"
        )


class Windows(Instance):
    """What the joins over aligned windows and over sessions share."""

    def __init__(self, operator: WindowJoin, context: OperatorContext) -> None:
        self.context = context
        self.padded = operator.how in ("left", "full"), operator.how in ("right", "full")
        self.joining: Joining = operator.shape.open(context, operator.how)

    def late(self, batch: Batch, indices: list[int], spans: list[Span | None]) -> Batch:
        """Rows that no window takes, counted, with the last window of each."""
        self.context.count(LATE, len(indices))
        picked = batch.take(indices)
        rows = [
            {
                **row,
                BOUNDS[0]: span[0] if span else None,
                BOUNDS[1]: span[1] if span else None,
                "late_by": batch.watermark + 2 - span[1] if span else None,
                "join_side": "left" if port == LEFT else "right",
            }
            for (port, _, row), span in zip(picked.rows(), spans, strict=True)
        ]
        return picked.with_rows(rows).marked(output=LATE)

    def fired(self, windows: Iterable[tuple[Span, Any, Side, Side]]) -> list[Batch]:
        """The rows of windows that end, given in order."""
        lefts: list[Any] = []
        rights: list[Any] = []
        spans: list[Span] = []
        order: list[tuple[Any, ...]] = []
        dead: list[Batch] = []
        for span, key, left, right in windows:
            pairs = list(self._pairs(key, left, right, dead, min(span[1] - 1, MAX_TIME)))
            lefts += [one for one, _ in pairs]
            rights += [other for _, other in pairs]
            spans += [span] * len(pairs)
            if self.context.ranked:
                place = (span[1] - 1, encode_key(key), span[0])
                order += [(*place, number) for number in range(len(pairs))]
        if not spans:
            return dead
        bounds = {name: [span[at] for span in spans] for at, name in enumerate(BOUNDS)}
        columns = self.joining.columns(lefts, rights, bounds)
        times = [min(end - 1, MAX_TIME) for _, end in spans]
        whole = Batch.fired(
            times=times, columns=columns, order=order if self.context.ranked else None
        )
        return [*self.joining.rows(whole), *dead]

    def _pairs(
        self, key: Any, left: Side, right: Side, dead: list[Batch], time: int
    ) -> Iterator[tuple[Any, Any]]:
        lefts = [row for _, row in sorted(left, key=TIME)]
        rights = [row for _, row in sorted(right, key=TIME)]
        count = 0 if is_null(key) else len(rights)
        pairs = [(one, other) for one in lefts for other in rights[:count]]
        holds, failed = self.joining.holding(
            pairs, lambda columns: Batch.fired(times=[time] * len(pairs), columns=columns)
        )
        dead += failed
        kept = [at for at, holding in enumerate(holds) if holding]
        matched = {at // count for at in kept}, {at % count for at in kept}
        yield from (pairs[at] for at in kept)
        if self.padded[0]:
            yield from ((one, None) for at, one in enumerate(lefts) if at not in matched[0])
        if self.padded[1]:
            yield from ((None, one) for at, one in enumerate(rights) if at not in matched[1])


class AlignedJoin(Windows):
    """Windows that are the same for all keys."""

    def __init__(self, operator: WindowJoin, context: OperatorContext) -> None:
        super().__init__(operator, context)
        self._window = operator.window
        self._spaces = context.state.spaces("windows")
        self._ends: dict[int, int] = {}
        for start in self._spaces.namespaces():
            assert isinstance(start, int)
            self._ends[start] = next(cell[0] for _, cell in self._spaces.space(start).items())

    def process(self, batch: Batch) -> Iterable[Batch]:
        """Puts rows into their windows."""
        late: list[int] = []
        spans: list[Span | None] = []
        watermark, windows_of = batch.watermark, self._window.windows_of
        self.joining.learn(batch.rows())
        for index, ((port, key, row), time) in enumerate(zip(batch.rows(), batch.times)):
            windows = windows_of(time)
            open_ones = [window for window in windows if window[1] - 1 > watermark]
            if not open_ones:
                late.append(index)
                spans.append(windows[-1] if windows else None)
            elif not is_null(key) or self.padded[port]:
                for start, end in open_ones:
                    self._add(start, end, port, key, [time, row])
        return [self.late(batch, late, spans)] if late else []

    def _add(self, start: int, end: int, port: int, key: Any, element: list[Any]) -> None:
        self._ends[start] = end
        space = self._spaces.space(start)
        cell = space.touch(key)
        if cell is None:
            cell = [end, [], []]
            space.put(key, cell)
        cell[1 + port].append(element)

    def due(self) -> int:
        """The end - 1 of the window that ends first."""
        return min(self._ends.values(), default=MAX_TIME * 2) - 1

    def advance(self, watermark: int) -> Iterable[Batch]:
        """Gives the pairs of the windows that end, by end, key and start."""
        ended = [(end, start) for start, end in self._ends.items() if end - 1 <= watermark]
        found: dict[tuple[int, Any, int], list[Any]] = {}
        for end, start in ended:
            for key, cell in self._spaces.space(start).items():
                found[end, key, start] = cell
        places = sort_keys(list(found))
        out = self.fired(
            ((start, end), key, found[end, key, start][1], found[end, key, start][2])
            for end, key, start in places
        )
        for _, start in ended:
            del self._ends[start]
            self._spaces.drop(start)
        return out


class SessionJoin(Windows):
    """Sessions that the rows of both sides make together."""

    def __init__(self, operator: WindowJoin, window: Session, context: OperatorContext) -> None:
        super().__init__(operator, context)
        self._window = window
        self._state = context.state.keyed("sessions")
        self._ends = Forgetting(self._times)

    def _times(self) -> Iterable[tuple[int, Any]]:
        for key, sessions in self._state.items():
            for _, end, _, _ in sessions:
                yield end - 1, key

    def process(self, batch: Batch) -> Iterable[Batch]:
        """Merges the rows of each append into the sessions of their keys."""
        late: dict[int, Span | None] = {}
        rows, times = batch.rows(), batch.times
        self.joining.learn(rows)
        start = 0
        for _, stop in batch.runs or ():
            arrivals: dict[Any, list[int]] = {}
            for index in range(start, stop):
                arrivals.setdefault(rows[index][1], []).append(index)
            for key, indices in arrivals.items():
                indices.sort(key=times.__getitem__)
                self._arrive(batch, key, indices, late)
            start = stop
        lost = sorted(late)
        return [self.late(batch, lost, [late[index] for index in lost])] if lost else []

    def _arrive(
        self, batch: Batch, key: Any, indices: list[int], late: dict[int, Span | None]
    ) -> None:
        """Takes in the rows of one append and key; notes those of sessions that are over."""
        rows, times = batch.rows(), batch.times
        kept: list[list[Any]] = list(self._state.get(key) or ())
        for span, members in self._together(times, indices):
            merged, others = self._merged(kept, span)
            if merged[1] - 1 <= batch.watermark:
                late.update(dict.fromkeys(members, (merged[0], merged[1])))
                continue
            for index in members:
                port, _, row = rows[index]
                merged[2 + port].append([times[index], row])
            kept = sorted([*others, merged], key=TIME)
            self._ends.adder()(merged[1] - 1, key)
        if kept:
            self._state.put(key, kept)

    def _together(self, times: list[int], indices: list[int]) -> list[tuple[Span, list[int]]]:
        """The sessions that rows make by themselves, given in the order of their times."""
        made: list[tuple[Span, list[int]]] = []
        for index in indices:
            span = self._window.window_of(times[index])
            if made and self._window.joins(made[-1][0], span):
                (low, _), members = made[-1]
                made[-1] = ((low, span[1]), [*members, index])
            else:
                made.append((span, [index]))
        return made

    def _merged(self, kept: list[list[Any]], span: Span) -> tuple[list[Any], list[list[Any]]]:
        """One session of those that a span joins, and the others."""
        joined: list[list[Any]] = []
        others: list[list[Any]] = []
        for session in kept:
            meets = self._window.joins(span, (session[0], session[1]))
            (joined if meets else others).append(session)
        low = min([span[0], *(session[0] for session in joined)])
        high = max([span[1], *(session[1] for session in joined)])
        left = [element for session in joined for element in session[2]]
        right = [element for session in joined for element in session[3]]
        return [low, high, left, right], others

    def due(self) -> int:
        """A time before which no session ends."""
        return self._ends.due()

    def advance(self, watermark: int) -> Iterable[Batch]:
        """Gives the pairs of the sessions that end, by end, key and start."""
        found: dict[tuple[int, Any, int], list[Any]] = {}
        for key in self._ends.pop(watermark):
            left = []
            for session in self._state.get(key) or ():
                if session[1] - 1 <= watermark:
                    found[session[1], key, session[0]] = session
                else:
                    left.append(session)
            if left:
                self._state.put(key, left)
            else:
                self._state.delete(key)
        return self.fired(
            ((start, end), key, found[end, key, start][2], found[end, key, start][3])
            for end, key, start in sort_keys(list(found))
        )
