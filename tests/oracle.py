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
from typing import Any

from oracle_keyed import OverStep, PatternStep, TopStep, WindowTopStep
from oracle_steps import (
    NEG,
    POS,
    AlignedStep,
    CountStep,
    DedupStep,
    FlatMapStep,
    Ranked,
    Row,
    RunningStep,
    SessionStep,
    Step,
    aggregates,
    calendar_window,
)

__all__ = ["Append", "Output", "aggregates", "calendar_window", "graph", "run"]


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
class Top(Node):
    """The n rows of a key with the largest `by`, as changes or on closing."""

    input: Node
    keys: tuple[str, ...]
    by: str
    n: int
    ties: bool = False
    ranked: bool = False
    final: bool = False


@dataclass(frozen=True, eq=False)
class WindowTop(Node):
    """The n rows with the largest `by` in each window."""

    input: Node
    keys: tuple[str, ...]
    kind: tuple[Any, ...]
    by: str
    n: int
    ties: bool = False
    ranked: bool = False
    lateness: int = 0

    @property
    def window(self) -> Window:
        return Window(self.input, self.keys, self.kind, {}, self.lateness)


@dataclass(frozen=True, eq=False)
class Over(Node):
    """Each row with aggregates over the last rows of its key, or its last span."""

    input: Node
    keys: tuple[str, ...]
    aggs: Mapping[str, tuple[str, str | None]]
    rows: int | None = None
    span: int | None = None


@dataclass(frozen=True, eq=False)
class Pattern(Node):
    """Matches of variables as `pattern_model` has them; `result(rows, match)` makes a row."""

    input: Node
    keys: tuple[str, ...]
    name: str
    variables: tuple[Any, ...] = field(repr=False)
    result: Callable[[list[Row], Any], Row] = field(repr=False)
    within: int | None = None
    skip: Any = "past_last"


@dataclass(frozen=True, eq=False)
class Late(Node):
    """The late output of a window, an over-window or a pattern."""

    input: Window | WindowTop | Over | Pattern


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
                self.reached[topic] = value

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


# ---- the run


def opened(node: Node) -> Step:
    if isinstance(node, Window):
        kinds = {"session": SessionStep, "count": CountStep, "global": CountStep}
        return kinds.get(node.kind[0], AlignedStep)(node)
    if isinstance(node, WindowTop):
        return WindowTopStep(node, opened)
    found = {
        FlatMap: FlatMapStep,
        Running: RunningStep,
        Dedup: DedupStep,
        Top: TopStep,
        Over: OverStep,
        Pattern: PatternStep,
    }
    return found.get(type(node), Step)(node)


@dataclass
class Output:
    """Rows per append (by its index in the log) and sink, each (event time, row)."""

    appends: dict[int, dict[str, list[tuple[int, Row]]]]
    closing: dict[str, list[tuple[int, Row]]]
    watermarks: list[int]  # of all sources together, after each append
    claims: dict[int, dict[str, int]]  # by append and sink: how far the sink's watermark moved

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
                made[node] = step.rows(self._arriving(node, made), self.before[node])
        return {name: made[node] for name, node in self.sinks.items() if made[node]}

    def _arriving(self, node: Node, made: dict[Node, list[Ranked]]) -> list[Ranked]:
        """What comes to a node: in the order it was put out; of several inputs, by rank."""
        inputs = node.inputs()
        if len(inputs) == 1:
            return made.get(inputs[0], [])
        rows = [
            ((*rank, port), time, row)
            for port, upstream in enumerate(inputs)
            for rank, time, row in made.get(upstream, [])
        ]
        return sorted(rows, key=lambda ranked: ranked[0])

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
                found.setdefault(name, []).extend((time, row) for _, time, row in rows)
        return found


def run(log: Sequence[Append], sinks: Mapping[str, Node]) -> Output:
    """What the pipeline gives over the log, append by append, then by closing."""
    machine = Machine(sinks)
    own = {source.topic for source in machine.sources}
    appends, claims, marks, all_of = {}, {}, [], NEG
    for index, append in enumerate(log):
        if append.topics() & own:
            claimed = dict(machine.before)
            made = machine.handle(append)
            if made:
                appends[index] = made
            moved = {
                name: machine.before[node]
                for name, node in sinks.items()
                if machine.before[node] > claimed[node]
            }
            if moved:
                claims[index] = moved
            all_of = watermark(machine.tracker, sorted(own), all_of)
        marks.append(all_of)
    return Output(appends, machine.handle(None), marks, claims)
