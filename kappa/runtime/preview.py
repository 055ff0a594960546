"""The first rows of a stream, for a person who is writing a pipeline.

Only the steps above the stream run, from the log's start and in memory: nothing is
written, no version is made, no checkpoint is kept. Steps that ask outside are told what
the current version was told, and call for the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

from kappa.log import Log
from kappa.plan import Edge, Graph, Node, SinkSpec, compile_plan
from kappa.runtime.dry import dry_run

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
    rows: list[Any] = []
    for found in _rows(log, graph, edge, params, READ_RECORDS):
        rows += found
        if len(rows) >= count:
            break
    return rows[:count]


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
    found = _rows(log, graph, edge, params, WHOLE_RECORDS, complete=True)
    return [row for rows in found for row in rows]


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


def _rows(
    log: Log,
    graph: Graph,
    edge: Edge,
    params: dict[str, Any],
    size: int,
    *,
    complete: bool = False,
) -> Iterator[list[Any]]:
    """The rows at an edge, batch by batch."""
    plan = compile_plan(above(graph, edge))
    made = dry_run(log, plan, end=log.end_lsn, params=params, read_records=size, complete=complete)
    with closing(made):
        for outputs, _ in made:
            for output in outputs:
                if output.topic == SINK:
                    yield from (batch.rows(fresh=True) for batch in output.batches)
