"""The naive model of windows: per record, whole lists, nothing shared with the engine.

`run` takes a log of appends, each with the watermark after it, and gives for every append
the rows of the main output and of the late side, in order. It knows every kind of window,
trigger and pane mode; what the engine does with slices, kernels, indexes and generations is
done here by looking at everything again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

NEG, POS = -(1 << 62), 1 << 62
Row = dict[str, Any]


@dataclass(frozen=True)
class Append:
    """One LSN: rows as (event time, row), its append time, and the watermark after it."""

    rows: tuple[tuple[int, Row], ...]
    level: int
    time: int = 0


@dataclass(frozen=True)
class Case:
    """A windowed aggregation. Aggregates are functions of [(time, row)] in arrival order."""

    kind: tuple[Any, ...]
    aggregates: dict[str, Callable[[list[tuple[int, Row]]], Any]]
    lateness: int = 0
    mode: str = "accumulating"
    paned: bool = False
    early: tuple[Any, ...] | None = None  # ("count", n, once) ("event", d, once) ("append", …)
    late: int = 1


@dataclass
class Held:
    """One window of one key."""

    key: Any
    start: int
    end: int
    items: list[tuple[int, int, Row]] = field(default_factory=list)  # time, arrival, row
    index: int = 0
    news: int = 0
    since: int = 0  # append time of the first record that no pane has shown
    shown: Row | None = None
    ended: bool = False


@dataclass
class Output:
    main: list[tuple[int, Row]] = field(default_factory=list)
    late: list[tuple[int, Row]] = field(default_factory=list)


@cache
def midnight(day: date, zone: str) -> int:
    """The first instant of a local date, found by walking minute by minute."""
    at = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo("UTC")) - timedelta(hours=18)
    while at.astimezone(ZoneInfo(zone)).date() < day:
        at += timedelta(minutes=1)
    return int(at.timestamp()) * 1000


def windows_of(time: int, kind: tuple[Any, ...]) -> list[tuple[int, int]]:
    """By trying every candidate."""
    if kind[0] == "tumbling":
        kind = ("sliding", kind[1], kind[1], kind[2])
    if kind[0] == "sliding":
        _, size, slide, offset = kind
        near = (time - offset) // slide
        starts = [offset + n * slide for n in range(near - size // slide - 2, near + 2)]
        return [(start, start + size) for start in starts if start <= time < start + size]
    _, zone = kind
    local = datetime.fromtimestamp(time // 1000, tz=ZoneInfo(zone)).date()
    for day in (local - timedelta(days=1), local, local + timedelta(days=1)):
        found = midnight(day, zone), midnight(day + timedelta(days=1), zone)
        if found[0] <= time < found[1]:
            return [found]
    raise AssertionError(time)


class Model:
    def __init__(self, case: Case) -> None:
        self.case = case
        self.held: list[Held] = []
        self.arrivals = 0
        self.level = NEG

    # -- rows

    def content(self, held: Held) -> Row:
        items = [(time, row) for time, _, row in sorted(held.items, key=lambda item: item[1])]
        return {name: make(items) for name, make in self.case.aggregates.items()}

    def pane(self, held: Held, timing: str, last: bool) -> list[tuple[int, Row]]:
        out = self.retract(held)
        row = {"k": held.key, "window_start": held.start, "window_end": held.end}
        row |= self.content(held)
        if self.case.paned:
            row |= {"pane_index": held.index, "pane_timing": timing, "pane_last": last}
        if self.case.mode == "retracting":
            held.shown = dict(row)
            row["retraction"] = False
        held.index += 1
        held.news = 0
        if self.case.mode == "discarding":
            held.items = []
        out.append((self.time(held.end), row))
        return out

    def time(self, end: int) -> int:
        return end if self.case.kind[0] in ("count", "global") else end - 1

    def retract(self, held: Held) -> list[tuple[int, Row]]:
        if held.shown is None:
            return []
        row, held.shown = {**held.shown, "retraction": True}, None
        return [(self.time(row["window_end"]), row)]

    # -- records

    def append(self, append: Append) -> Output:
        out = Output()
        out.main += self.by_append_time(append.time)
        arrived = []
        for time, row in append.rows:
            self.arrivals += 1
            arrived.append((time, self.arrivals, row))
        if self.case.kind[0] == "session":
            self.sessions(arrived, append, out)
        elif self.case.kind[0] == "count":
            self.counts(arrived, out)
        else:
            for item in arrived:
                self.record(item, append, out)
        out.main += self.move(append.level)
        return out

    def record(self, item: tuple[int, int, Row], append: Append, out: Output) -> None:
        time, _, row = item
        if self.case.kind[0] == "global":
            spans: list[tuple[int, int]] = [(NEG, POS)]
        else:
            spans = windows_of(time, self.case.kind)
        taken = [one for one in spans if one[1] - 1 + self.case.lateness > self.level]
        if not taken:
            self.tell(time, row, spans[-1] if spans else (None, None), out)
        for start, end in taken:
            held = self.find(row["k"], start, end)
            if self.case.kind[0] == "global":
                times = [time, *(t for t, _, _ in held.items)]
                low, high = (held.start, held.end) if held.index or held.news else (time, time)
                held.start, held.end = min(low, *times), max(high, *times)
            self.take(held, [item], append)
            out.main += self.after(held)

    def find(self, key: Any, start: int, end: int) -> Held:
        for held in self.held:
            if held.key == key and (self.case.kind[0] == "global" or held.start == start):
                return held
        held = Held(key, start, end, ended=end - 1 <= self.level)
        self.held.append(held)
        return held

    def take(self, held: Held, items: list[tuple[int, int, Row]], append: Append) -> None:
        if not held.news:
            held.since = append.time
        held.items += items
        held.news += len(items)

    def after(self, held: Held) -> list[tuple[int, Row]]:
        """The pane that new records call for at once."""
        case = self.case
        if held.ended:
            return self.pane(held, "late", False) if held.news >= case.late else []
        if not case.early or case.early[0] != "count" or (case.early[2] and held.index):
            return []
        return self.pane(held, "early", False) if held.news >= case.early[1] else []

    def tell(self, time: int, row: Row, span: tuple[Any, Any], out: Output) -> None:
        start, end = span
        by = None if end is None else self.level - (end - 1 + self.case.lateness) + 1
        out.late.append((time, {**row, "window_start": start, "window_end": end, "late_by": by}))

    # -- sessions

    def joins(self, a: tuple[int, int], b: tuple[int, int]) -> bool:
        if self.case.kind[2]:
            return a[0] <= b[1] and b[0] <= a[1]
        return a[0] < b[1] and b[0] < a[1]

    def sessions(self, arrived: list[tuple[int, int, Row]], append: Append, out: Output) -> None:
        gap = self.case.kind[1]
        shown: list[tuple[int, list[tuple[int, Row]]]] = []
        late: list[tuple[int, int, Row, tuple[int, int]]] = []
        for key in dict.fromkeys(row["k"] for _, _, row in arrived):
            groups = [([item], (item[0], item[0] + gap)) for item in arrived if item[2]["k"] == key]
            olds = [(held, (held.start, held.end)) for held in self.held if held.key == key]
            parts: list[tuple[list[Any], list[Held], tuple[int, int]]] = []
            parts += [(items, [], span) for items, span in groups]
            parts += [([], [held], span) for held, span in olds]
            while pair := self.joining(parts):
                one, other = (parts[n] for n in pair)
                parts = [part for n, part in enumerate(parts) if n not in pair]
                span = min(one[2][0], other[2][0]), max(one[2][1], other[2][1])
                parts.append((one[0] + other[0], one[1] + other[1], span))
            for items, helds, span in sorted(parts, key=lambda part: part[2]):
                if not items:
                    continue
                items.sort(key=lambda item: item[1])
                if span[1] - 1 + self.case.lateness <= self.level:
                    late += [(arrival, time, row, span) for time, arrival, row in items]
                    continue
                rows = self.unite(key, items, helds, span, append)
                if rows:
                    shown.append((items[-1][1], rows))
        for _, rows in sorted(shown, key=lambda one: one[0]):
            out.main += rows
        for _, time, row, span in sorted(late, key=lambda one: one[0]):
            self.tell(time, row, span, out)

    def joining(self, parts: list[Any]) -> tuple[int, int] | None:
        for n in range(len(parts)):
            for m in range(n):
                # Sessions that are there already do not join by themselves.
                if (parts[n][0] or parts[m][0]) and self.joins(parts[n][2], parts[m][2]):
                    return (m, n)
        return None

    def unite(
        self,
        key: Any,
        items: list[Any],
        helds: list[Held],
        span: tuple[int, int],
        append: Append,
    ) -> list[tuple[int, Row]]:
        helds = sorted(helds, key=lambda held: held.start)
        rows = []
        if len(helds) != 1 or (helds[0].start, helds[0].end) != span:
            for held in helds:
                rows += self.retract(held)
        new = Held(key, *span)
        for held in helds:
            self.held.remove(held)
            new.items += held.items
            new.index = max(new.index, held.index)
            if held.news:
                new.since = min(new.since, held.since) if new.news else held.since
            new.news += held.news
            new.shown = held.shown or new.shown
        new.ended = span[1] - 1 <= self.level
        self.held.append(new)
        self.take(new, items, append)
        return rows + self.after(new)

    # -- count windows

    def counts(self, arrived: list[tuple[int, int, Row]], out: Output) -> None:
        _, size, slide = self.case.kind
        for item in arrived:
            held = self.find(item[2]["k"], 0, POS)
            held.items.append(item)
            if len(held.items) % slide == 0:
                out.main.append(self.counted(held.key, held.items[-size:]))

    def counted(self, key: Any, items: list[tuple[int, int, Row]]) -> tuple[int, Row]:
        times = [time for time, _, _ in items]
        return self.pane(Held(key, min(times), max(times), list(items)), "", False)[0]

    # -- time

    def by_append_time(self, now: int) -> list[tuple[int, Row]]:
        if not self.case.early or self.case.early[0] != "append":
            return []
        due = []
        for held in self.held:
            at = held.since + self.case.early[1]
            once = self.case.early[2] and held.index
            if held.news and not held.ended and not once and at <= now:
                due.append((at, held.key, held.start, held))
        rows = []
        for _, _, _, held in sorted(due, key=lambda one: one[:3]):
            rows += self.pane(held, "early", False)
        return rows

    def move(self, level: int) -> list[tuple[int, Row]]:
        before, self.level = self.level, level
        if self.case.kind[0] == "count":
            return self.close_counts() if level == POS else []
        due: list[tuple[int, Any, int, Held, str, bool]] = []
        for held in self.held:
            for at, timing, last in self.due(held, before, level):
                due.append((at, held.key, held.start, held, timing, last))
        rows = []
        for _, _, _, held, timing, last in sorted(due, key=lambda one: one[:3]):
            rows += self.pane(held, timing, last)
        lateness = self.case.lateness
        if self.case.kind[0] == "global":
            self.held = [] if level == POS else self.held
        else:
            self.held = [one for one in self.held if one.end - 1 + lateness > level]
        return rows

    def due(self, held: Held, before: int, level: int) -> list[tuple[int, str, bool]]:
        """What a move of the watermark shows of a window: (due time, timing, is last)."""
        case, end = self.case, held.end
        if case.kind[0] == "global":
            if level == POS:
                return [(POS, "on_time", True)] if held.news else []
            end = POS
        drop = end - 1 + case.lateness
        if not held.ended and end - 1 <= level:
            held.ended = True
            return [(end - 1, "on_time", drop <= level)]
        if held.ended:
            return [(drop, "late", True)] if held.news and drop <= level else []
        if case.early and case.early[0] == "event" and held.news:
            if case.early[2] and held.index:
                return []
            mark = self.mark(held, before, level, end)
            return [] if mark is None else [(mark - 1, "early", False)]
        return []

    def mark(self, held: Held, before: int, level: int, end: int) -> int | None:
        """The first mark that the move passes."""
        assert self.case.early is not None
        period = self.case.early[1]
        start = 0 if self.case.kind[0] == "global" else held.start
        low = -10_000 if self.case.kind[0] == "global" else 1
        for k in range(low, 10_000):
            mark = start + k * period
            if mark - 1 > level or mark >= end:
                return None
            if mark - 1 > before:
                return mark
        return None

    def close_counts(self) -> list[tuple[int, Row]]:
        _, size, slide = self.case.kind
        rows = []
        for held in sorted(self.held, key=lambda one: one.key):
            rest = len(held.items) % slide
            if rest:
                rows.append(self.counted(held.key, held.items[-(size - slide + rest) :]))
        self.held = []
        return rows


def run(case: Case, log: list[Append]) -> list[Output]:
    """The output of every append, and then of closing."""
    model = Model(case)
    out = [model.append(append) for append in log]
    return [*out, Output(model.move(POS))]
