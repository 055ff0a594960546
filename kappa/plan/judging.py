"""Adds the steps of expectations to a graph; see `kappa.operators.expect`."""

from __future__ import annotations

from collections.abc import Sequence

from kappa.contracts.expectations import Expectation, RecordExpectation
from kappa.expressions import Selector
from kappa.operators import Expect, Judge, Verdicts, WindowAggregate
from kappa.operators.expect import check_expectations
from kappa.plan.graph import Edge, Graph
from kappa.time import Duration
from kappa.windows import Window


def add_expectations(
    graph: Graph,
    edge: Edge,
    expectations: Sequence[Expectation],
    *,
    key: Selector,
    window: Window | None,
    lateness: Duration = 0,
    name: str | None = None,
    contract: str | None = None,
) -> Edge:
    """The edge of the rows that pass.

    Args:
        graph: that grows.
        edge: of the rows to judge.
        expectations: what to hold them to.
        key: what groups them, where there are windows.
        window: of the statistics; None where each record is judged by itself.
        lateness: how long after its end a window still takes records.
        name: of the steps.
        contract: name and version that letters and results carry.

    Raises:
        ConfigError: an expectation needs a window.
    """
    rules = tuple(expectations)
    check_expectations(rules, windowed=window is not None)
    if window is not None:
        label = name or f"expect by {', '.join(key.names) or 'nothing'} in {window.kind}"
        verdicts = Verdicts(rules, key)
        fields = Selector.of(key.names)
        sums = WindowAggregate(fields, window, verdicts.aggregates, lateness=lateness)
        summed = graph.add(sums, graph.add(verdicts, edge), key=fields)
        graph.rename(summed, label)
        graph.rename(graph.add(Judge(rules, key.names, contract), summed), label)
    records = tuple(one for one in rules if isinstance(one, RecordExpectation))
    acts = Expect(records, reports=window is None, contract=contract)
    if not acts.acting:
        return edge
    passed = graph.add(acts, edge)
    if name is not None:
        graph.rename(passed, f"{name}: records")
    return passed
