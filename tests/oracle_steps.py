"""The oracle's steps: aggregates, windows, running results, deduplication, the slow way.

Like `oracle`, which puts them together, it imports nothing of the engine. A step holds every
row it may need again and computes a result anew each time it is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

NEG, POS = -(1 << 62), 1 << 62
Row = dict[str, Any]
Ranked = tuple[tuple[Any, ...], int, Row]  # rank, event time, row


# ---- aggregates: over (time, arrival, row) in order of arrival


def _values(items: list[tuple[int, int, Row]], name: str | None) -> list[Any]:
    return [row[name] for _, _, row in items if row.get(name) is not None]


def _by_time(items: list[tuple[int, int, Row]], name: str | None) -> list[Any]:
    ordered = sorted(items, key=lambda item: (item[0], item[1]))
    return [row[name] for _, _, row in ordered if row.get(name) is not None]


def _sum(values: list[Any]) -> Any:
    total = None
    for value in values:
        total = value if total is None else total + value
    return total


def aggregate(how: str, name: str | None, items: list[tuple[int, int, Row]]) -> Any:
    if how == "count":
        return len(items) if name is None else len(_values(items, name))
    values, ordered = _values(items, name), _by_time(items, name)
    if how == "collect":
        return ordered
    if how == "count_distinct":
        return len(set(values))
    if not values:
        return None
    return {
        "sum": lambda: _sum(values),
        "min": lambda: min(values),
        "max": lambda: max(values),
        "mean": lambda: _sum(values) / len(values),
        "first": lambda: ordered[0],
        "last": lambda: ordered[-1],
    }[how]()


def aggregates(
    aggs: Mapping[str, tuple[str, str | None]], items: list[tuple[int, int, Row]]
) -> Row:
    return {out: aggregate(how, name, items) for out, (how, name) in aggs.items()}


# ---- windows


@cache
def first_instant(day: date, zone: str) -> int:
    """The first instant of a local date, found by walking, so that it holds for any zone."""
    tz = ZoneInfo(zone)
    at = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=18)
    while at.astimezone(tz).date() < day:
        at += timedelta(minutes=1)
    return int(at.timestamp()) * 1000


def calendar_window(time: int, unit: str, zone: str) -> tuple[int, int]:
    local = datetime.fromtimestamp(time // 1000, tz=ZoneInfo(zone)).date()
    if time >= first_instant(local + timedelta(days=1), zone):
        local += timedelta(days=1)  # a repeated hour before midnight belongs to the new day
    if unit == "day":
        begin, end = local, local + timedelta(days=1)
    elif unit == "week":
        begin = local - timedelta(days=local.weekday())
        end = begin + timedelta(days=7)
    else:
        begin = local.replace(day=1)
        end = (begin + timedelta(days=31)).replace(day=1)
    return first_instant(begin, zone), first_instant(end, zone)


def windows_of(time: int, kind: tuple[Any, ...]) -> list[tuple[int, int]]:
    """The windows of a time, by ascending start."""
    if kind[0] == "tumbling":
        _, size, offset = kind
        start = time - (time - offset) % size
        return [(start, start + size)]
    if kind[0] == "sliding":
        _, size, slide, offset = kind
        start, found = time - (time - offset) % slide, []
        while start + size > time:
            found.append((start, start + size))
            start -= slide
        return found[::-1]
    return [calendar_window(time, kind[1], kind[2])]


def key_of(row: Row, keys: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(row[name] for name in keys)


class Step:
    """An opened node. `rows` judges against the watermark before, `advance` fires."""

    def __init__(self, node: Any) -> None:
        self.node, self.late, self.arrivals = node, [], 0

    def rows(self, rows: list[Ranked], before: int) -> list[Ranked]:
        return rows

    def advance(self, after: int) -> list[tuple[int, tuple[Any, ...], int, Row]]:
        """(due, key, time, row) in order."""
        return []

    def arrive(self, time: int, row: Row) -> tuple[int, int, Row]:
        self.arrivals += 1
        return (time, self.arrivals, row)

    def tell_late(self, ranked: Ranked, window: tuple[int, int], before: int) -> None:
        rank, time, row = ranked
        start, end = window
        by = before - (end - 1 + self.node.lateness) + 1
        told = {**row, "window_start": start, "window_end": end, "late_by": by}
        self.late.append((rank, time, told))

    def result(self, key: tuple[Any, ...], window: tuple[int, int], items: list[Any]) -> Row:
        start, end = window
        named = dict(zip(self.node.keys, key, strict=True))
        shown = {"window_start": start, "window_end": end}
        return {**named, **shown, **aggregates(self.node.aggs, items)}


class FlatMapStep(Step):
    def rows(self, rows: list[Ranked], before: int) -> list[Ranked]:
        return [
            ((*rank, number), time, made)
            for rank, time, row in rows
            for number, made in enumerate(self.node.fn(dict(row)))
        ]


class AlignedStep(Step):
    """Tumbling, sliding and calendar windows."""

    def __init__(self, node: Any) -> None:
        super().__init__(node)
        self.items: dict[tuple[Any, ...], list[Any]] = {}  # (end, key, start)
        self.news: set[tuple[Any, ...]] = set()  # windows with rows that no pane has shown

    def rows(self, rows: list[Ranked], before: int) -> list[Ranked]:
        out: list[Ranked] = []
        for rank, time, row in rows:
            key, item = key_of(row, self.node.keys), self.arrive(time, row)
            windows = windows_of(time, self.node.kind)
            taken = [w for w in windows if w[1] - 1 + self.node.lateness > before]
            if not taken and windows:
                self.tell_late((rank, time, row), windows[-1], before)
            for number, (start, end) in enumerate(taken):
                items = self.items.setdefault((end, key, start), [])
                items.append(item)
                if end - 1 <= before:
                    out.append(((*rank, number), end - 1, self.result(key, (start, end), items)))
                else:
                    self.news.add((end, key, start))
        return out

    def advance(self, after: int) -> list[tuple[int, tuple[Any, ...], int, Row]]:
        due = sorted(name for name in self.news if name[0] - 1 <= after)
        self.news.difference_update(due)
        fired = [
            (end - 1, key, end - 1, self.result(key, (start, end), self.items[end, key, start]))
            for end, key, start in due
        ]
        lateness = self.node.lateness
        self.items = {n: v for n, v in self.items.items() if n[0] - 1 + lateness > after}
        return fired


@dataclass
class Open:
    """One session that is open or may still be reopened."""

    start: int
    end: int
    items: list[Any]
    news: bool = True


class SessionStep(Step):
    """Rows of one append and key are one arrival: merge first, then judge each session once.

    A pane that an arrival fires stands at the last of the session's new records, in rank order.
    """

    def __init__(self, node: Any) -> None:
        super().__init__(node)
        self.open: dict[tuple[Any, ...], list[Open]] = {}

    def _touch(self, a_end: int, b_start: int) -> bool:
        return b_start <= a_end if self.node.kind[2] else b_start < a_end

    def rows(self, rows: list[Ranked], before: int) -> list[Ranked]:
        arrived: dict[tuple[Any, ...], list[Any]] = {}
        for rank, time, row in rows:
            item = (self.arrive(time, row), (rank, time, row))
            arrived.setdefault(key_of(row, self.node.keys), []).append(item)
        out: list[Ranked] = []
        for key, items in arrived.items():
            out += self._arrival(key, items, before)
        self.late.sort(key=lambda ranked: ranked[0])
        return sorted(out, key=lambda ranked: ranked[0])

    def _arrival(self, key: tuple[Any, ...], items: list[Any], before: int) -> list[Ranked]:
        """Joins what is there and what came, then judges each session that got something."""
        parts = [(one.start, one.end, one, None) for one in self.open.pop(key, [])]
        parts += [(item[0][0], item[0][0] + self.node.kind[1], None, item) for item in items]
        joined: list[tuple[Open, list[Any]]] = []
        for start, end, known, item in sorted(parts, key=lambda part: part[:2]):
            if not joined or not self._touch(joined[-1][0].end, start):
                joined.append((Open(start, end, [], news=False), []))
            session, arrived = joined[-1]
            session.end = max(session.end, end)
            if known is not None:
                session.items += known.items
                session.news = session.news or known.news
            else:
                session.items.append(item[0])
                arrived.append(item[1])
        out: list[Ranked] = []
        for session, arrived in joined:
            session.items.sort(key=lambda item: item[1])
            if self._judged(key, session, sorted(arrived, key=lambda row: row[0]), before, out):
                self.open.setdefault(key, []).append(session)
        return out

    def _judged(
        self, key: Any, session: Open, arrived: list[Ranked], before: int, out: list[Ranked]
    ) -> bool:
        """Whether the session goes on; fires it, or tells its records late."""
        if not arrived:
            return True
        if session.end - 1 + self.node.lateness <= before:
            for ranked in arrived:
                self.tell_late(ranked, (session.start, session.end), before)
            return False
        session.news = session.end - 1 > before
        if not session.news:
            made = self.result(key, (session.start, session.end), session.items)
            out.append(((*arrived[-1][0], session.start), session.end - 1, made))
        return True

    def advance(self, after: int) -> list[tuple[int, tuple[Any, ...], int, Row]]:
        fired = []
        for key, sessions in self.open.items():
            for one in sessions:
                if one.news and one.end - 1 <= after:
                    one.news = False
                    made = self.result(key, (one.start, one.end), one.items)
                    fired.append((one.end - 1, key, one.end - 1, made))
            lateness = self.node.lateness
            self.open[key] = [one for one in sessions if one.end - 1 + lateness > after]
        return sorted(fired, key=lambda made: made[:2])


class CountStep(Step):
    """Every n records of a key, by order of arrival; the rest comes on closing.

    A global window is one whose number never comes.
    """

    def __init__(self, node: Any) -> None:
        super().__init__(node)
        self.items: dict[tuple[Any, ...], list[Any]] = {}

    def _made(self, key: tuple[Any, ...], items: list[Any]) -> tuple[int, Row]:
        times = [time for time, _, _ in items]
        return max(times), self.result(key, (min(times), max(times)), items)

    def rows(self, rows: list[Ranked], before: int) -> list[Ranked]:
        out: list[Ranked] = []
        for rank, time, row in rows:
            key = key_of(row, self.node.keys)
            self.items.setdefault(key, []).append(self.arrive(time, row))
            if self.node.kind[1:] == (len(self.items[key]),):
                out.append(((*rank, 0), *self._made(key, self.items.pop(key))))
        return out

    def advance(self, after: int) -> list[tuple[int, tuple[Any, ...], int, Row]]:
        if after < POS:
            return []
        left, self.items = self.items, {}
        return [(POS, key, *self._made(key, items)) for key, items in sorted(left.items())]


class RunningStep(Step):
    def __init__(self, node: Any) -> None:
        super().__init__(node)
        self.items: dict[tuple[Any, ...], list[Any]] = {}

    def rows(self, rows: list[Ranked], before: int) -> list[Ranked]:
        out: list[Ranked] = []
        for rank, time, row in rows:
            key = key_of(row, self.node.keys)
            items = self.items.setdefault(key, [])
            items.append(self.arrive(time, row))
            named = dict(zip(self.node.keys, key, strict=True))
            out.append((rank, time, {**named, **aggregates(self.node.aggs, items)}))
        return out


class DedupStep(Step):
    """The first of its key within a span of event time; forgotten by the watermark."""

    def __init__(self, node: Any) -> None:
        super().__init__(node)
        self.kept: list[tuple[tuple[Any, ...], int]] = []

    def rows(self, rows: list[Ranked], before: int) -> list[Ranked]:
        out: list[Ranked] = []
        within = self.node.within
        for rank, time, row in rows:
            key = key_of(row, self.node.keys)
            known = [at for name, at in self.kept if name == key]
            if not any(within is None or abs(time - at) < within for at in known):
                self.kept.append((key, time))
                out.append((rank, time, row))
        return out

    def advance(self, after: int) -> list[tuple[int, tuple[Any, ...], int, Row]]:
        if self.node.within is not None:
            self.kept = [(key, at) for key, at in self.kept if at + self.node.within > after]
        return []
