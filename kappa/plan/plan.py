"""From a graph to a plan: everything that must not depend on a run, checked and fixed."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from kappa.errors import ConfigError
from kappa.expressions import Expression, Selector
from kappa.operators import SideLookup
from kappa.operators.contract import Fields, Operator, both
from kappa.operators.letters import DEAD_LETTER, FACTS, QUALITY
from kappa.plan.fingerprint import PYTHON, code_digest, digest, leaves, structure
from kappa.plan.graph import Edge, Graph, Node, Part, SinkSpec, SourceSpec, fields_of
from kappa.plan.retractions import check_retractions
from kappa.sinks import Sink

NOTHING: frozenset[str] = frozenset()
STORED_FACTS = frozenset({"topic", "partition", "offset", "append_time", "key"})
"""Facts about a record that travel beside its fields; its time and LSN always do."""


@dataclass(frozen=True, slots=True)
class Step:
    """A named node of the plan, with what was found out about it.

    Args:
        index: place in the order of steps; ranks of what it fires carry it.
        name: the address of its state, unique among stateful steps.
        part: the description.
        inputs: edges by port.
        site: file and line that built it.
        exchange: the key that brings rows together here, or None.
        fields: for a source, the fields that anything behind it reads; None for all.
        meta: for a source, the record's own facts that anything behind it reads.
        shared: another step reads the same batches.
        ranked: a union behind it orders rows by rank.
    """

    index: int
    name: str
    part: Part
    inputs: tuple[Edge, ...]
    site: str
    exchange: Selector | None
    fields: Fields
    meta: frozenset[str]
    shared: bool
    ranked: bool

    @property
    def stateful(self) -> bool:
        """Whether the step keeps anything between batches."""
        return isinstance(self.part, Operator) and self.part.stateful


@dataclass(frozen=True, slots=True)
class Plan:
    """The frozen graph that a runtime executes.

    Args:
        pipeline: its name.
        steps: in an order in which inputs come first.
        catches: records that a function fails on are set aside instead of stopping the run.
        quiet: no topic is written, not even of what is set aside; for a backfill.
    """

    pipeline: str
    steps: tuple[Step, ...]
    catches: bool
    quiet: bool = False

    @property
    def sources(self) -> tuple[Step, ...]:
        """Steps that read a topic, in the order that ranks records of one LSN."""
        return tuple(step for step in self.steps if isinstance(step.part, SourceSpec))

    @property
    def sinks(self) -> tuple[Step, ...]:
        """Steps that write a topic."""
        return tuple(step for step in self.steps if isinstance(step.part, SinkSpec))

    @property
    def outlets(self) -> tuple[Step, ...]:
        """Steps that write outside the log."""
        return tuple(step for step in self.steps if isinstance(step.part, Sink))

    @property
    def asking(self) -> tuple[Step, ...]:
        """Steps that ask outside, and whose answers are kept in the log."""
        return tuple(s for s in self.steps if isinstance(s.part, Operator) and s.part.asks)

    @property
    def side_inputs(self) -> tuple[str, ...]:
        """Topics that are loaded whole before the first record."""
        parts = (step.part for step in self.steps)
        return tuple(
            dict.fromkeys(part.side.topic for part in parts if isinstance(part, SideLookup))
        )

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the topics it writes, dead letters included."""
        names = (step.part.topic for step in self.sinks if isinstance(step.part, SinkSpec))
        return (*names, *self.collected.values())

    @property
    def dead_letters(self) -> bool:
        """Whether records may be set aside."""
        return self.catches or any(map(_diverts, self.steps))

    @property
    def collected(self) -> dict[str, str]:
        """Topics of what leaves any step by an output of that name."""
        found: dict[str, str] = {}
        if self.quiet:
            return found
        if self.dead_letters:
            found[DEAD_LETTER] = f"{self.pipeline}.dead_letters"
        if any(getattr(step.part, "reports", False) for step in self.steps):
            found[QUALITY] = f"{self.pipeline}.quality"
        return found

    @property
    def fingerprint(self) -> str:
        """Digest of the structure: equal for pipelines whose state fits each other."""
        return digest("\n".join(self.step_texts().values()))

    def step_texts(self) -> dict[str, str]:
        """The structure of each step by a unique address."""
        return {
            f"{step.index}:{step.name}": f"{step.name}|{structure(step.part)}|{step.inputs}"
            for step in self.steps
        }

    def state_texts(self) -> dict[str, str]:
        """The structure of each stateful step by its name."""
        return {step.name: structure(step.part) for step in self.steps if step.stateful}

    def code(self) -> dict[str, str]:
        """Digests of the user's functions by step, and the Python that they hold for."""
        found = {
            f"{step.index}:{step.name}": text
            for step in self.steps
            if (text := code_digest(step.part))
        }
        return {"python": PYTHON, **found}


def compile_plan(graph: Graph, *, dead_letters: bool = False, quiet: bool = False) -> Plan:
    """Checks a graph and freezes it.

    Args:
        graph: as it was built.
        dead_letters: records that a function fails on are set aside.
        quiet: no topic is written.

    Raises:
        ConfigError: it reads or writes nothing, two stateful steps have one name, or two
            steps write one topic; the message says where the step was built.
    """
    nodes = graph.nodes
    _check_ends(graph, nodes)
    names = _names(nodes)
    _check_unique(nodes, names)
    check_retractions(nodes, names)
    wanted = _wanted(nodes, dead_letters)
    ranked = _ranked(nodes)
    readers = _readers(nodes)
    facts = _meta(nodes, located=dead_letters)
    steps = tuple(
        Step(
            index=node.index,
            name=names[node.index],
            part=node.part,
            inputs=node.inputs,
            site=node.site,
            exchange=node.key,
            fields=wanted[node.index],
            meta=facts if isinstance(node.part, SourceSpec) else NOTHING,
            shared=any(readers[edge] > 1 for edge in node.inputs),
            ranked=node.index in ranked,
        )
        for node in nodes
    )
    return Plan(graph.name, steps, dead_letters, quiet)


def _check_ends(graph: Graph, nodes: list[Node]) -> None:
    if not any(isinstance(node.part, SourceSpec) for node in nodes):
        raise ConfigError(f"pipeline {graph.name!r} reads nothing: begin with .source(topic)")
    if not any(_is_end(node.part) for node in nodes):
        raise ConfigError(
            f"pipeline {graph.name!r} writes nothing: end a stream with .to(topic), .sink(...)"
            " or .print()"
        )
    _check_owners(nodes)


def _check_owners(nodes: list[Node]) -> None:
    owners: dict[str, Node] = {}
    for node in nodes:
        if isinstance(node.part, SinkSpec):
            target = f"topic {node.part.topic!r}"
        elif isinstance(node.part, Sink) and node.part.target:
            target = node.part.target
        else:
            continue
        first = owners.setdefault(target, node)
        if first is not node:
            raise ConfigError(
                f"{node.site}: {target} is written at {first.site} already;"
                " an output has one owner: union the streams first"
            )


def _is_end(part: object) -> bool:
    return isinstance(part, SinkSpec | Sink) or getattr(part, "is_end", False)


def _names(nodes: list[Node]) -> list[str]:
    """The user's names, or kind + key + name of the nearest source or stateful step above."""
    names: list[str] = []
    anchors: list[str] = []
    for node in nodes:
        upstream = "+".join(dict.fromkeys(anchors[edge.node] for edge in node.inputs))
        sides = "".join(f".{edge.output}" for edge in node.inputs if edge.output)
        key = "" if node.key is None else f" by {_key_text(node.key)}"
        if isinstance(node.part, SourceSpec | SinkSpec):
            name = f"{node.part.kind} {node.part.topic}"
        elif isinstance(node.part, Sink):
            name = f"{node.part.kind} {node.part.label} of {upstream}{sides}"
        else:
            name = f"{node.part.kind}{key} of {upstream}{sides}"
        name = node.name or name
        names.append(name)
        anchored = isinstance(node.part, SourceSpec) or node.name is not None
        anchored = anchored or (isinstance(node.part, Operator) and node.part.stateful)
        own = node.part.topic if isinstance(node.part, SourceSpec) else name
        anchors.append(own if anchored else upstream)
    return names


def _key_text(key: Selector) -> str:
    """A key for a step's name; two different expressions never have the same text."""
    names = key.names
    bare = Selector.of(names) == key if names else True
    return ", ".join(names) or "nothing" if bare else str(key)


def _is_addressed(part: object) -> bool:
    """Whether something is kept under the step's name."""
    kept = isinstance(part, Operator) and (part.stateful or part.asks)
    return kept or isinstance(part, Sink)


def _check_unique(nodes: list[Node], names: list[str]) -> None:
    first: dict[str, Node] = {}
    for node, name in zip(nodes, names, strict=True):
        if _is_addressed(node.part):
            other = first.setdefault(name, node)
            if other is not node:
                how = 'sink(..., name="...")' if isinstance(node.part, Sink) else '.named("...")'
                raise ConfigError(
                    f"{node.site}: a step named {name!r} is built at {other.site} already; the name"
                    f" is the address of what it keeps, so give one of them another: {how}"
                )


def _wanted(nodes: list[Node], dead_letters: bool) -> list[Fields]:
    """Backwards: the output fields of each node that anything behind it reads."""
    wanted: list[Fields] = [NOTHING for _ in nodes]
    sided: set[int] = set()
    for node in reversed(nodes):
        if isinstance(node.part, SourceSpec):
            continue
        whole = dead_letters or node.index in sided or _diverts(node)
        for port, edge in enumerate(node.inputs):
            need: Fields = None
            if isinstance(node.part, Sink):
                need = node.part.required
            elif isinstance(node.part, Operator) and not whole:
                need = node.part.required_at(port, wanted[node.index])
                need = both(need, fields_of(node.key))
            wanted[edge.node] = both(wanted[edge.node], need)
            if edge.output:
                sided.add(edge.node)
    return wanted


def _diverts(step: Node | Step) -> bool:
    """Whether it sets records aside that break a rule."""
    return bool(getattr(step.part, "diverts", False))


def _meta(nodes: list[Node], *, located: bool) -> frozenset[str]:
    """The record's own facts that any step of the pipeline names, or that letters and
    results of single records carry.
    """
    located = located or any(getattr(node.part, "locates", False) for node in nodes)
    leaves_found = (leaf for node in nodes for leaf in leaves((node.part, node.key)))
    named = (leaf.metas for leaf in leaves_found if isinstance(leaf, Expression))
    return STORED_FACTS.intersection(frozenset(FACTS if located else ()).union(*named))


def _ranked(nodes: list[Node]) -> set[int]:
    """Nodes whose batches need ranks: all that lie above a union that must merge by rank."""
    origins: list[tuple[frozenset[int], bool]] = []
    needed: set[int] = set()
    for node in nodes:
        above = [origins[edge.node] for edge in node.inputs]
        sources = (
            frozenset().union(*(one for one, _ in above)) if above else frozenset({node.index})
        )
        plain = all(flag for _, flag in above)
        if isinstance(node.part, Operator) and node.part.stateful:
            plain = False
        overlapping = sum(len(one) for one, _ in above) > len(sources)
        if len(node.inputs) > 1 and (overlapping or not all(flag for _, flag in above)):
            needed.update(edge.node for edge in node.inputs)
        origins.append((sources, plain))
    ranked = set(needed)
    for node in reversed(nodes):
        if node.index in ranked:
            ranked.update(edge.node for edge in node.inputs)
    return ranked


def _readers(nodes: list[Node]) -> dict[Edge, int]:
    readers: dict[Edge, int] = defaultdict(int)
    for node in nodes:
        for edge in node.inputs:
            readers[edge] += 1
    return readers
