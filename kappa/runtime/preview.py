"""The first rows of a stream, for a person who is writing a pipeline.

Only the steps above the stream run, from the log's start and in memory: nothing is
written, no version is made, no checkpoint is kept. Steps that ask outside are told what
the current version was told, and call for the rest.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kappa.log import Log
from kappa.plan import Edge, Graph, Node, Plan, SinkSpec, SourceSpec, compile_plan
from kappa.plan.params import resolve_params
from kappa.runtime import versions
from kappa.runtime.executor import Executor, Output
from kappa.runtime.locating import StepFailed
from kappa.runtime.outside import outside_of
from kappa.runtime.reading import read_source
from kappa.runtime.side_inputs import present
from kappa.runtime.units import UnitPlanner
from kappa.runtime.watermarks import SourceClock

SINK = "preview"
READ_RECORDS = 256
WHOLE_RECORDS = 4096


def preview(log: Log, graph: Graph, edge: Edge, count: int, params: dict[str, Any]) -> list[Any]:
    """At most `count` rows of the stream at `edge`.

    Args:
        log: read from its start to where it ends now; then all windows close.
        graph: the pipeline's.
        edge: of the stream.
        count: how many rows.
        params: values of the pipeline's parameters.

    Raises:
        OperatorError: a function failed on a record.
    """
    plan = compile_plan(above(graph, edge))
    known = versions.versions_of(log, plan.pipeline).get(versions.current(log, plan))
    lines = known.answers if known is not None else {}
    outside = outside_of(plan, log, lines, writes=False)
    executor = Executor(
        plan,
        params=resolve_params(plan, params),
        outside=outside,
        side_inputs=present(log, plan),
    )
    try:
        return _rows(log, plan, executor, count)
    except StepFailed as failed:
        raise failed.error(None) from failed.failure.cause
    finally:
        executor.close()


def whole(log: Log, graph: Graph, edge: Edge, params: dict[str, Any]) -> list[Any]:
    """All rows of the stream at `edge`, as if nothing in the log were late.

    No watermark moves until the log's end, so every window is complete when it fires and
    the state of all of them is kept until then.

    Args:
        log: read from its start to where it ends now.
        graph: the pipeline's.
        edge: of the stream.
        params: values of the pipeline's parameters.

    Raises:
        OperatorError, ContractViolation: a record stops it.
    """
    plan = compile_plan(above(graph, edge))
    executor = Executor(plan, params=resolve_params(plan, params), side_inputs=present(log, plan))
    try:
        return _rows(log, plan, executor, None)
    except StepFailed as failed:
        raise failed.error(None) from failed.failure.cause
    finally:
        executor.close()


def above(graph: Graph, edge: Edge) -> Graph:
    """The part of a graph that leads to an edge, ending in a sink of its own."""
    kept = {edge.node}
    for node in reversed(graph.nodes):
        if node.index in kept:
            kept.update(incoming.node for incoming in node.inputs)
    part = Graph(graph.name)
    moved: dict[int, int] = {}
    for node in graph.nodes:
        if node.index in kept:
            moved[node.index] = len(part.nodes)
            inputs = tuple(replace(e, node=moved[e.node]) for e in node.inputs)
            part.nodes.append(replace(node, index=len(part.nodes), inputs=inputs))
    last = graph.nodes[edge.node]
    sink = Node(
        len(part.nodes), SinkSpec(SINK), (replace(edge, node=moved[edge.node]),), None, last.site
    )
    part.nodes.append(sink)
    return part


def _rows(log: Log, plan: Plan, executor: Executor, count: int | None) -> list[Any]:
    clocks = [SourceClock(step.part) for step in plan.sources if isinstance(step.part, SourceSpec)]
    topics = [log.topic(clock.spec.topic).id for clock in clocks]
    size = READ_RECORDS if count is not None else WHOLE_RECORDS
    planner = UnitPlanner(topics, clocks, read_records=size)
    rows: list[Any] = []
    lsn = append_time = 0
    for unit in planner.units(log.entries(0)):
        sources = {
            step.index: (
                read_source(log, step, i, unit.lsns, unit.append_times, unit.parts[i]),
                unit.watermarks[i] if count is not None else [None] * len(unit.lsns),
            )
            for i, step in enumerate(plan.sources)
        }
        _collect(executor.run(unit.lsns, unit.append_times, sources), rows)
        lsn, append_time = unit.lsns[-1], unit.append_times[-1]
        if count is not None and len(rows) >= count:
            return rows[:count]
    _collect(executor.close_all(lsn, append_time), rows)
    return rows[:count]


def _collect(outputs: list[Output], rows: list[Any]) -> None:
    for output in outputs:
        if output.topic == SINK:
            for batch in output.batches:
                rows.extend(batch.rows(fresh=True))
