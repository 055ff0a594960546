"""The graph that streams add to: nodes in the order in which they were built.

A node's inputs are always older nodes, so the order of building is a topological order
and the graph has no cycle.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from kappa.errors import ConfigError
from kappa.expressions import Selector
from kappa.log import Log
from kappa.operators.contract import Fields, Operator
from kappa.sinks import Sink
from kappa.time import format_duration

PACKAGE = str(Path(__file__).resolve().parent.parent)
MAIN = ""


class OpenedFeed(Protocol):
    """A feed at work on one log."""

    def pull(self, stop: threading.Event) -> int:
        """Appends what is new to the topic; the number of records."""
        ...


class Feed(Protocol):
    """What brings records into a source's topic, such as `kappa.connect.Files`."""

    @property
    def topic(self) -> str:
        """The topic that it appends to."""
        ...

    @property
    def every_ms(self) -> int | None:
        """How often a live run has it look again, in ms; None for never."""
        ...

    def open(self, log: Log) -> OpenedFeed:
        """At work on a log; its topic is there then."""
        ...

    def describe(self) -> str:
        """One line for `explain`."""
        ...


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """A topic as the pipeline reads it.

    Args:
        topic: its name; a bare name follows the alias when the version is created.
        out_of_orderness: how far a record may lie behind the newest one, in ms.
        idle_after: silence in append time after which a partition is left out, in ms.
        max_lag: how far a partition may lie behind the newest one before it is left
            out, in ms.
        rows: the type of a row, or None for plain mappings.
        feed: what brings its records into the log, or None.
        time: "event" for the records' event times, "append" for when they were appended.
    """

    topic: str
    out_of_orderness: int = 0
    idle_after: int | None = None
    max_lag: int | None = None
    rows: type | None = None
    time: str = "event"
    feed: Feed | None = field(default=None, repr=False)
    kind: str = "source"

    def describe(self) -> str:
        """One line for `explain`."""
        fed = "" if self.feed is None else f"{self.feed.describe()}; "
        bound = format_duration(self.out_of_orderness)
        if self.time == "append":
            return f"{fed}time is that of the append, which the watermark follows"
        parts = [f"{fed}watermark {bound} behind the newest record"]
        if self.idle_after is not None:
            parts.append(f"idle after {format_duration(self.idle_after)}")
        if self.max_lag is not None:
            parts.append(f"left out when {format_duration(self.max_lag)} behind")
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class SinkSpec:
    """A topic that the pipeline owns and writes.

    Args:
        topic: its name without a version.
        key: what picks the partition; None puts an append into one partition.
        partitions: number of partitions.
        upsert: the rows are a table's; the topic is compacted and read as a table.
    """

    topic: str
    key: Selector | None = None
    partitions: int = 1
    upsert: bool = False
    kind: str = "to"

    @classmethod
    def checked(
        cls, topic: str, key: Selector | None, partitions: int, *, upsert: bool = False
    ) -> SinkSpec:
        """A sink as users write it.

        Raises:
            ConfigError: the name has a version, or there are no partitions.
        """
        if "@" in topic:
            raise ConfigError(f"topic {topic!r}: give the name without a version; run() adds it")
        if partitions < 1:
            raise ConfigError(f"topic {topic!r}: partitions is {partitions}, must be at least 1")
        return cls(topic, key, partitions, upsert)

    def describe(self) -> str:
        """One line for `explain`."""
        by = f", by {self.key}" if self.key is not None else ", a row per key" * self.upsert
        return f"one append per LSN, {self.partitions} partition(s){by}"


Part: TypeAlias = "Operator | SourceSpec | SinkSpec | Sink"


@dataclass(frozen=True, slots=True)
class Edge:
    """One output of a node: the main one, or a side by its name."""

    node: int
    output: str = MAIN


@dataclass(frozen=True, slots=True)
class Node:
    """One step as it was built.

    Args:
        index: its place in the graph.
        part: the description.
        inputs: the edges it takes in, by port.
        name: the name that the user gave, or None.
        site: file and line that built it.
        key: the key that brings its input together, or None.
    """

    index: int
    part: Part
    inputs: tuple[Edge, ...]
    name: str | None
    site: str
    key: Selector | None = None


Preview: TypeAlias = "Callable[[Any, Graph, Edge, int, dict[str, Any]], list[Any]]"


class Graph:
    """Grows by `add`; a pipeline holds one.

    Args:
        name: of the pipeline.
        preview: how a stream shows its first rows; the runtime's, for streams know none.
    """

    def __init__(self, name: str, preview: Preview | None = None) -> None:
        self.name = name
        self.nodes: list[Node] = []
        self.preview = preview

    def add(
        self,
        part: Part,
        *inputs: Edge,
        key: Selector | None = None,
    ) -> Edge:
        """Adds a step behind `inputs`; returns its main output."""
        index = len(self.nodes)
        self.nodes.append(Node(index, part, inputs, None, call_site(), key))
        return Edge(index)

    def rename(self, edge: Edge, name: str) -> None:
        """Gives the step behind `edge` a name of the user's."""
        if not name or len(name) > 200 or "\x00" in name:
            raise ConfigError(f"step name {name!r}: give 1 to 200 characters")
        self.nodes[edge.node] = replace(self.nodes[edge.node], name=name)

    def source(self, spec: SourceSpec) -> Edge:
        """The one source of a topic, made at first use."""
        for node in self.nodes:
            if isinstance(node.part, SourceSpec) and node.part.topic == spec.topic:
                if node.part != spec:
                    raise ConfigError(
                        f"topic {spec.topic!r} is a source already, with other options"
                        f" (at {node.site}); a pipeline reads a topic in one way"
                    )
                return Edge(node.index)
        return self.add(spec)


def part_above(graph: Graph, ends: Iterable[int], *, name: str) -> tuple[Graph, dict[int, int]]:
    """The part of a graph that leads to some nodes, and where each kept node lies in it.

    All sources are kept: the appends of one may move another's watermark, as idleness does.

    Args:
        graph: the whole.
        ends: the nodes.
        name: of the part.
    """
    kept = set(ends)
    for node in reversed(graph.nodes):
        if isinstance(node.part, SourceSpec):
            kept.add(node.index)
        if node.index in kept:
            kept.update(edge.node for edge in node.inputs)
    part = Graph(name)
    moved: dict[int, int] = {}
    for node in graph.nodes:
        if node.index in kept:
            moved[node.index] = len(part.nodes)
            inputs = tuple(replace(edge, node=moved[edge.node]) for edge in node.inputs)
            part.nodes.append(replace(node, index=len(part.nodes), inputs=inputs))
    return part, moved


def call_site() -> str:
    """File and line of the innermost caller outside the package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def fields_of(selector: Selector | None) -> Fields:
    """The fields that a selector reads; none where there is no selector."""
    return frozenset() if selector is None else selector.fields
