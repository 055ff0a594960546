"""Where personal data flows: marked fields of a contract, through the plans of pipelines.

What a step does with a field is read off its description: columns by name and expressions
say which fields they come from. What a function of the user's does with a row is known only
where it surely reads some fields (`kappa.expressions.reads`); else everything that it makes
*may* hold what went in. Counts tell nothing of a person and end the trail.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kappa.expressions import Selector
from kappa.operators import (
    AssignTime,
    Branch,
    Deduplicate,
    Expect,
    Filter,
    FlatMap,
    Map,
    Operator,
    Peek,
    Print,
    RunningAggregate,
    Select,
    Typed,
    Union,
    Verdicts,
    WindowAggregate,
    WithColumns,
    Without,
)
from kappa.operators.letters import DEAD_LETTER, QUALITY
from kappa.operators.privacy import LOOKUP, Drop, Protect
from kappa.pipeline import Pipeline
from kappa.plan import Edge, Plan, SinkSpec, SourceSpec, Step

PASSING = (AssignTime, Branch, Deduplicate, Expect, Filter, Peek, Print, Typed, Union)
COUNTING = ("count", "count_distinct", "approx_distinct")
ANY = "*"
"""Stands for every field of rows that a function made."""


@dataclass(frozen=True)
class Flow:
    """Personal data in an output.

    Args:
        pipeline: that writes it.
        topic: where to.
        field: that holds it; "*" for any, where a function made the rows.
        origin: the marked fields that it comes from.
        sure: it does; else it may.
        how: by which steps, and what was done to it.
    """

    pipeline: str
    topic: str
    field: str
    origin: tuple[str, ...]
    sure: bool
    how: str


@dataclass(frozen=True)
class Trail:
    """What is known of one field of a stream.

    Args:
        origin: the marked fields that it comes from.
        sure: it does; else it may.
        how: what was done on the way.
    """

    origin: frozenset[str]
    sure: bool = True
    how: tuple[str, ...] = ()

    def by(self, step: str, *, sure: bool = True) -> Trail:
        """The same behind one more step."""
        return Trail(self.origin, self.sure and sure, (*self.how, step))


Trails = dict[str, Trail]


@dataclass
class Tracing:
    """One plan under way: trails by edge."""

    plan: Plan
    edges: dict[Edge, Trails] = field(default_factory=dict)

    def at(self, edge: Edge) -> Trails:
        """What is known of the rows of an edge; a side output has the step's."""
        return self.edges.get(edge, self.edges.get(Edge(edge.node), {}))


def personal_flows(
    topic: str, marked: Mapping[str, str], pipelines: Sequence[Pipeline]
) -> list[Flow]:
    """Where the marked fields of a topic end up.

    Args:
        topic: its name.
        marked: kind of personal data by field, such as `contract.personal`.
        pipelines: whose plans to follow; what one writes, others may read.

    >>> from kappa import Pipeline, col
    >>> pipeline = Pipeline("p")
    >>> people = pipeline.source("people")
    >>> _ = people.select("id", address=col("mail").str.lower()).to("known")
    >>> [(flow.topic, flow.field, flow.origin, flow.sure)
    ...  for flow in personal_flows("people", {"mail": "email"}, [pipeline])]
    [('known', 'address', ('mail',), True)]
    """
    sources: dict[str, Trails] = {topic: {name: Trail(frozenset({name})) for name in marked}}
    found: dict[tuple[str, str, str], Flow] = {}
    plans = [pipeline.plan() for pipeline in pipelines]
    for _ in range(len(plans) + 1):  # as long a chain as there are pipelines
        for plan in plans:
            for name, trails in _outputs(plan, sources).items():
                for flow in _flows(plan, name, trails):
                    found.setdefault((plan.pipeline, name, flow.field), flow)
                sources[name] = _joined([sources.get(name, {}), trails])
    return sorted(found.values(), key=lambda flow: (flow.pipeline, flow.topic, flow.field))


def _flows(plan: Plan, topic: str, trails: Trails) -> Iterable[Flow]:
    for name, trail in trails.items():
        how = ", ".join(dict.fromkeys(trail.how)) or "as it is"
        yield Flow(plan.pipeline, topic, name, tuple(sorted(trail.origin)), trail.sure, how)


def _outputs(plan: Plan, sources: Mapping[str, Trails]) -> dict[str, Trails]:
    """The trails in every topic that a plan writes."""
    tracing = Tracing(plan)
    found: dict[str, Trails] = {}
    whole: list[Trails] = []
    for step in plan.steps:
        if isinstance(step.part, SourceSpec):
            name = step.part.topic.partition("@")[0]
            tracing.edges[Edge(step.index)] = sources.get(name, {})
        elif isinstance(step.part, SinkSpec):
            found[step.part.topic] = tracing.at(step.inputs[0])
        elif not isinstance(step.part, Operator):  # outside the log
            found[step.name] = tracing.at(step.inputs[0])
        else:
            before = _joined([tracing.at(edge) for edge in step.inputs])
            whole.append(before)
            tracing.edges[Edge(step.index)] = _behind(step, step.part, before)
            if isinstance(step.part, Protect):
                tracing.edges[Edge(step.index, LOOKUP)] = _looked_up(step.part, before)
            else:
                for side in getattr(step.part, "sides", ()):
                    tracing.edges.setdefault(Edge(step.index, side), before)
    everything = _joined(whole)
    for output, name in plan.collected.items():
        if everything and output == DEAD_LETTER:
            found[name] = {"record": _together(everything.values()).by("dead letters", sure=False)}
        if output == QUALITY:
            found[name] = _judged(plan, everything)
    return found


def _judged(plan: Plan, trails: Trails) -> Trails:
    """Results show some unexpected values of the fields that rules look at."""
    read = {
        name
        for step in plan.steps
        if isinstance(step.part, Expect | Verdicts)
        for one in step.part.expectations
        for name in one.columns
    }
    seen = [trail for name, trail in trails.items() if name in read or name == ANY]
    if not seen:
        return {}
    return {"partial_unexpected_list": _together(seen).by("expectations", sure=False)}


def _behind(step: Step, part: Operator, before: Trails) -> Trails:
    if not before or isinstance(part, PASSING):
        return before
    name = step.name
    if isinstance(part, Protect):
        return _protected(part, before)
    if isinstance(part, Without):
        return {one: trail for one, trail in before.items() if one not in part.fields}
    if isinstance(part, Select | WithColumns):
        kept = {} if isinstance(part, Select) else dict(before)
        for column, selector in part.columns:
            kept.pop(column, None)
            trail = _of(selector, before, name)
            if trail is not None:
                kept[column] = trail
        return kept
    if isinstance(part, Map | FlatMap):
        trail = _of(part.function, before, name)
        return {} if trail is None else {ANY: trail.by(f"function of {name}", sure=False)}
    if isinstance(part, WindowAggregate | RunningAggregate):
        return _aggregated(part, before, name)
    if isinstance(part, Verdicts):
        return {}
    # Joins, tables, patterns, process functions: rows of all that went in.
    return {one: trail.by(name, sure=False) for one, trail in before.items()} | {
        ANY: _together(before.values()).by(name, sure=False)
    }


def _aggregated(part: WindowAggregate | RunningAggregate, before: Trails, name: str) -> Trails:
    found: Trails = {}
    keys = part.key.names
    for key in keys:
        trail = before.get(key) if part.key.fields and key in part.key.fields else None
        trail = trail or (_of(part.key, before, name) if key not in before else None)
        if trail is not None:
            found[key] = trail.by(f"key of {name}")
    for column, aggregate in part.aggregates.items():
        if aggregate.kind in COUNTING:
            continue
        trails = [_of(source, before, name) for source in aggregate.sources]
        known = [trail for trail in trails if trail is not None]
        if known:
            found[column] = _together(known).by(f"{aggregate.kind} in {name}")
    return found


def _protected(part: Protect, before: Trails) -> Trails:
    found = dict(before)
    for name, one in part.protection.fields:
        trail = found.pop(name, None)
        if trail is not None and not isinstance(one, Drop):
            found[name] = trail.by(one.keeps)
    return found


def _looked_up(part: Protect, before: Trails) -> Trails:
    names = [name for name, one in part.protection.fields if one.keeps == "tokens"]
    trails = [before[name] for name in names if name in before]
    return {"value": _together(trails).by("lookup of tokens")} if trails else {}


def _of(selector: Selector, before: Trails, step: str) -> Trail | None:
    """The trail of what a selector computes; None where it has nothing to do with any."""
    reads = selector.fields
    if reads is None:
        return _together(before.values()).by(f"function of {step}", sure=False)
    trails = [trail for name, trail in before.items() if name in reads or name == ANY]
    if not trails:
        return None
    return _together(trails)


def _together(trails: Iterable[Trail]) -> Trail:
    found = list(trails)
    origin = frozenset().union(*(trail.origin for trail in found))
    how = tuple(dict.fromkeys(step for trail in found for step in trail.how))
    return Trail(origin, all(trail.sure for trail in found), how)


def _joined(several: Sequence[Trails]) -> Trails:
    found: Trails = {}
    for trails in several:
        for name, trail in trails.items():
            found[name] = _together([found[name], trail]) if name in found else trail
    return found


def describe(flows: Sequence[Flow]) -> list[list[Any]]:
    """The flows as rows of a table."""
    return [
        [flow.topic, flow.field, ", ".join(flow.origin), "yes" if flow.sure else "may", flow.how]
        for flow in flows
    ]
