"""The naive model of a pipeline: what kappa must give, computed the slow and plain way.

It imports nothing of the engine. A log is a list of `Append`; a pipeline is a graph of the
frozen nodes below, sinks by name. `run` handles one append at a time, whole lists of rows at
every step, no batches, no slices, no checkpoints, and returns the rows of every sink for
every append, in order, and what closing adds.

Rules (design.md): R5 for watermarks, section 4 for windows, section 3 for the order within
one LSN. Where that order leaves a choice, the model says which one it takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

NEG, POS = -(1 << 62), 1 << 62
Row = dict[str, Any]
Ranked = tuple[tuple[Any, ...], int, Row]  # rank, event time, row


# ---- the log and the pipeline, as plain data


@dataclass(frozen=True)
class Append:
    """One LSN: rows by (topic, partition), claims by topic, ticked topics, who appended."""

    time: int
    parts: Mapping[tuple[str, int], Sequence[tuple[int, Row]]] = field(default_factory=dict)
    claims: Mapping[str, int] = field(default_factory=dict)
    ticks: tuple[str, ...] = ()
    producer: str = ""

    def topics(self) -> set[str]:
        return {topic for topic, _ in self.parts} | set(self.claims) | set(self.ticks)


class Node:
    """A step of the graph; compared by identity, so a diamond is told from two copies."""

    def inputs(self) -> tuple[Node, ...]:
        return (self.input,) if hasattr(self, "input") else ()


@dataclass(frozen=True, eq=False)
class Source(Node):
    topic: str
    out_of_orderness: int = 0
    idle_after: int | None = None
    max_lag: int | None = None


@dataclass(frozen=True, eq=False)
class FlatMap(Node):
    """filter, map and flat_map in one: `fn(row)` gives the rows that take its place."""

    input: Node
    fn: Callable[[Row], Iterable[Row]]


@dataclass(frozen=True, eq=False)
class Union(Node):
    streams: tuple[Node, ...]

    def inputs(self) -> tuple[Node, ...]:
        return self.streams


@dataclass(frozen=True, eq=False)
class Window(Node):
    """kind: ("tumbling", size, offset) ("sliding", size, slide, offset) ("session", gap,
    inclusive) ("calendar", unit, zone) ("count", n) ("global",). aggs: name -> (how, field)."""

    input: Node
    keys: tuple[str, ...]
    kind: tuple[Any, ...]
    aggs: Mapping[str, tuple[str, str | None]]
    lateness: int = 0


@dataclass(frozen=True, eq=False)
class Running(Node):
    input: Node
    keys: tuple[str, ...]
    aggs: Mapping[str, tuple[str, str | None]]


@dataclass(frozen=True, eq=False)
class Dedup(Node):
    input: Node
    keys: tuple[str, ...]
    within: int | None = None


@dataclass(frozen=True, eq=False)
class Late(Node):
    """The late output of a window."""

    input: Window


# ---- watermarks: R5, from the journal's facts alone


class Tracker:
    """What R5 needs to know of the appends so far."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = {source.topic: source for source in sources}
        self.newest: dict[tuple[str, int], int] = {}
        self.claimed: dict[tuple[str, str], int] = {}
        self.touched: dict[tuple[str, Any], int] = {}
        self.reached = dict.fromkeys(self.sources, NEG)
        self.idle: set[str] = set()
        self.first: int | None = None

    def take(self, append: Append) -> None:
        """One append that touches a source."""
        self.first = append.time if self.first is None else self.first
        for (topic, partition), rows in append.parts.items():
            if topic in self.sources and rows:
                part = (topic, partition)
                self.newest[part] = max(self.newest.get(part, NEG), *(time for time, _ in rows))
                self.touched[part] = append.time
                if (topic, append.producer) in self.claimed:
                    self.touched[topic, append.producer] = append.time
        for topic, until in append.claims.items():
            if topic in self.sources:
                claim = (topic, append.producer)
                self.claimed[claim] = max(self.claimed.get(claim, NEG), until)
                self.touched[claim] = append.time
        for topic in self.sources:
            value = self._value(topic, append.time)
            self.idle.discard(topic)
            if value is None:
                self.idle.add(topic)
            else:
                self.reached[topic] = max(self.reached[topic], value)

    def _value(self, topic: str, now: int) -> int | None:
        """What the source says of itself at an append time; None while all of it is idle."""
        source = self.sources[topic]
        claims = {name: until for name, until in self.claimed.items() if name[0] == topic}
        parts = {name: until for name, until in self.newest.items() if name[0] == topic}
        heard = claims or parts
        if not heard:
            idle = source.idle_after is not None and now - self.first > source.idle_after
            return None if idle else NEG
        if source.idle_after is not None:
            heard = {n: u for n, u in heard.items() if now - self.touched[n] <= source.idle_after}
        if not heard:
            return None
        if claims:
            return min(heard.values())
        newest = max(parts.values())
        if source.max_lag is not None:
            heard = {n: u for n, u in heard.items() if newest - u <= source.max_lag}
        return min(heard.values()) - source.out_of_orderness - 1 if heard else None


def watermark(tracker: Tracker, topics: Iterable[str], before: int) -> int:
    """The watermark of a step fed by `topics`: the least of those not idle, never back."""
    values = [tracker.reached[topic] for topic in topics if topic not in tracker.idle]
    return max(before, min(values)) if values else before


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


@lru_cache(maxsize=None)
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

    def __init__(self, node: Window) -> None:
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

    def __init__(self, node: Window) -> None:
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
        gap, lateness = self.node.kind[1], self.node.lateness
        clusters: list[list[Any]] = []
        for item in sorted(items, key=lambda item: item[0][:2]):
            if clusters and self._touch(clusters[-1][-1][0][0] + gap, item[0][0]):
                clusters[-1].append(item)
            else:
                clusters.append([item])
        out = []
        for cluster in clusters:
            times = [item[0][0] for item in cluster]
            merged = Open(min(times), max(times) + gap, [item[0] for item in cluster])
            kept = []
            for other in self.open.get(key, []):
                if self._touch(other.end, merged.start) and self._touch(merged.end, other.start):
                    merged.start = min(merged.start, other.start)
                    merged.end = max(merged.end, other.end)
                    merged.items = other.items + merged.items
                else:
                    kept.append(other)
            if merged.end - 1 + lateness <= before:
                for _, ranked in cluster:
                    self.tell_late(ranked, (merged.start, merged.end), before)
                continue
            self.open[key] = [*kept, merged]
            merged.items.sort(key=lambda item: item[1])
            if merged.end - 1 <= before:
                merged.news = False
                rank = max(ranked[0] for _, ranked in cluster)
                made = self.result(key, (merged.start, merged.end), merged.items)
                out.append(((*rank, merged.start), merged.end - 1, made))
        return out

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
    """Every n records of a key, by order of arrival; the rest comes on closing."""

    def __init__(self, node: Window) -> None:
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
            if len(self.items[key]) == self.node.kind[1]:
                out.append(((*rank, 0), *self._made(key, self.items.pop(key))))
        return out

    def advance(self, after: int) -> list[tuple[int, tuple[Any, ...], int, Row]]:
        if after < POS:
            return []
        left, self.items = self.items, {}
        return [(POS, key, *self._made(key, items)) for key, items in sorted(left.items())]


class RunningStep(Step):
    def __init__(self, node: Running) -> None:
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

    def __init__(self, node: Dedup) -> None:
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


def opened(node: Node) -> Step:
    if isinstance(node, Window):
        kinds = {"session": SessionStep, "count": CountStep}
        return kinds.get(node.kind[0], AlignedStep)(node)
    found = {FlatMap: FlatMapStep, Running: RunningStep, Dedup: DedupStep}
    return found.get(type(node), Step)(node)


# ---- the run


@dataclass
class Output:
    """Rows per append (by its index in the log) and sink, each (event time, row)."""

    appends: dict[int, dict[str, list[tuple[int, Row]]]]
    closing: dict[str, list[tuple[int, Row]]]
    watermarks: list[int]  # of all sources together, after each append

    def rows(self, sink: str, closed: bool = True) -> list[tuple[int, Row]]:
        found = [pair for made in self.appends.values() for pair in made.get(sink, [])]
        return found + (self.closing.get(sink, []) if closed else [])


def graph(sinks: Mapping[str, Node]) -> list[Node]:
    """The nodes behind the sinks, inputs first, in order of declaration."""
    found: list[Node] = []

    def visit(node: Node) -> None:
        for upstream in node.inputs():
            visit(upstream)
        if node not in found:
            found.append(node)

    for node in sinks.values():
        visit(node)
    return found


class Machine:
    """One run over one log: the steps, and how rows get from one to the next."""

    def __init__(self, sinks: Mapping[str, Node]) -> None:
        self.sinks, self.nodes = sinks, graph(sinks)
        self.steps = {node: opened(node) for node in self.nodes}
        self.sources = [node for node in self.nodes if isinstance(node, Source)]
        self.topics = {node: self._topics(node) for node in self.nodes}
        self.before = dict.fromkeys(self.nodes, NEG)
        self.tracker = Tracker(self.sources)

    def _topics(self, node: Node) -> list[str]:
        if isinstance(node, Source):
            return [node.topic]
        found = [topic for upstream in node.inputs() for topic in self._topics(upstream)]
        return list(dict.fromkeys(found))

    def push(self, made: dict[Node, list[Ranked]]) -> dict[str, list[Ranked]]:
        """Sends rows down the graph; `made` holds what its nodes put out already."""
        for node in self.nodes:
            step = self.steps[node]
            if isinstance(node, Late):
                window = self.steps[node.input]
                made[node], window.late = window.late, []
            elif node not in made:
                rows = [
                    ((*rank, port), time, row)
                    for port, upstream in enumerate(node.inputs())
                    for rank, time, row in made.get(upstream, [])
                ]
                rows.sort(key=lambda ranked: ranked[0])
                made[node] = step.rows(rows, self.before[node])
        return {name: made[node] for name, node in self.sinks.items() if made[node]}

    def records(self, append: Append) -> dict[Node, list[Ranked]]:
        made: dict[Node, list[Ranked]] = {node: [] for node in self.sources}
        for number, source in enumerate(self.sources):
            for (topic, partition), rows in sorted(append.parts.items()):
                if topic == source.topic:
                    made[source] += [
                        ((0, number, partition, index), time, row)
                        for index, (time, row) in enumerate(rows)
                    ]
        return made

    def handle(self, append: Append | None) -> dict[str, list[tuple[int, Row]]]:
        """One append, or closing: records first, then what each step's watermark fires."""
        rounds = []
        after = dict.fromkeys(self.nodes, POS)
        if append is not None:
            self.tracker.take(append)
            rounds.append(self.push(self.records(append)))
            after = {
                node: watermark(self.tracker, self.topics[node], self.before[node])
                for node in self.nodes
            }
        for number, node in enumerate(self.nodes):
            fired = self.steps[node].advance(after[node])
            if fired:
                rows = [
                    ((1, number, due, key, n), time, row)
                    for n, (due, key, time, row) in enumerate(fired)
                ]
                # The other nodes up to this one put out nothing in this round.
                quiet: dict[Node, list[Ranked]] = {node: [] for node in self.nodes[:number]}
                rounds.append(self.push({**quiet, node: rows}))
        self.before = after
        return self._ordered(rounds)

    def _ordered(self, rounds: list[dict[str, list[Ranked]]]) -> dict[str, list[tuple[int, Row]]]:
        # Rounds come in rank order: records before firings, firings by step.
        found: dict[str, list[tuple[int, Row]]] = {}
        for made in rounds:
            for name, rows in made.items():
                rows = sorted(rows, key=lambda ranked: ranked[0])
                found.setdefault(name, []).extend((time, row) for _, time, row in rows)
        return found


def run(log: Sequence[Append], sinks: Mapping[str, Node]) -> Output:
    """What the pipeline gives over the log, append by append, then by closing."""
    machine = Machine(sinks)
    own = {source.topic for source in machine.sources}
    appends, marks, all_of = {}, [], NEG
    for index, append in enumerate(log):
        if append.topics() & own:
            made = machine.handle(append)
            if made:
                appends[index] = made
            all_of = watermark(machine.tracker, sorted(own), all_of)
        marks.append(all_of)
    return Output(appends, machine.handle(None), marks)
