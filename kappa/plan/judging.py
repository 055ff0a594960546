"""Adds the steps of expectations to a graph; see `kappa.operators.expect`."""

from __future__ import annotations

from collections.abc import Sequence

from kappa.contracts.contract import Contract
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
    expectations: Sequence[Expectation | Contract],
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
        expectations: what to hold them to; of a contract, without a window, what it
            promises of each record.
        key: what groups them, where there are windows.
        window: of the statistics; None where each record is judged by itself.
        lateness: how long after its end a window still takes records.
        name: of the steps.
        contract: name and version that letters and results carry.

    Raises:
        ConfigError: an expectation needs a window.
    """
    contracts = [one for one in expectations if isinstance(one, Contract)]
    if contract is None and contracts:
        contract = contracts[0].topic
    rules = tuple(
        rule
        for one in expectations
        for rule in (one.rules if isinstance(one, Contract) else (one,))
        if window is not None or not isinstance(one, Contract) or _of_record(rule)
    )
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


def _of_record(rule: Expectation) -> bool:
    """Whether a rule can be judged record by record."""
    return isinstance(rule, RecordExpectation) and rule.mostly == 1
