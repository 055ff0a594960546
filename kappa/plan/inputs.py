"""Edges into steps with several inputs, and what is known of the rows on an edge."""

from __future__ import annotations

from kappa.expressions import Selector
from kappa.operators.contract import Names, Operator
from kappa.operators.ports import Port
from kappa.plan.graph import Edge, Graph


def port(
    graph: Graph,
    edge: Edge,
    number: int,
    key: Selector | None,
    *,
    table: bool,
    mappings: bool = True,
) -> Edge:
    """An edge as input `number` of a step behind it, its rows marked and keyed.

    Args:
        graph: that grows by the step that marks.
        edge: whose rows.
        number: of the input, from 0.
        key: what brings the rows of all inputs together; None for a table's own key.
        table: the rows are a table's.
        mappings: rows become mappings.
    """
    return graph.add(Port(number, key, table=table, mappings=mappings), edge, key=key)


def known_fields(graph: Graph, edge: Edge) -> Names:
    """The fields of every row on an edge where they are certain, else None.

    They are behind a `select`, an aggregate, a source with `rows=` and the like; what a
    topic or a function gives is known only when it is there.
    """
    node = graph.nodes[edge.node]
    if edge.output or not isinstance(node.part, Operator):
        return None
    return node.part.yields([known_fields(graph, above) for above in node.inputs])
