"""Adds the steps of expectations to a graph; see `kappa.operators.expect`."""

from __future__ import annotations

from collections.abc import Sequence

from kappa.contracts.contract import Contract
from kappa.contracts.expectations import Expectation, RecordExpectation
from kappa.contracts.expectations.references import InTopic
from kappa.expressions import Selector
from kappa.operators import Expect, Judge, Refer, Verdicts, WindowAggregate
from kappa.operators.expect import check_expectations
from kappa.operators.ports import LEFT, RIGHT, Port
from kappa.plan.graph import Edge, Graph, SourceSpec
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
    edge = _referred(graph, edge, rules, contract)
    rules = tuple(rule for rule in rules if not rule.referential)
    if window is not None and rules:
        label = name or f"expect by {', '.join(key.names) or 'nothing'} in {window.kind}"
        verdicts = Verdicts(rules, key)
        fields = Selector.of(key.names)
        sums = WindowAggregate(fields, window, verdicts.aggregates, lateness=lateness)
        summed = graph.add(sums, graph.add(verdicts, edge), key=fields)
        graph.rename(summed, label)
        graph.rename(graph.add(Judge(rules, key.names, contract), summed), label)
    records = tuple(one for one in rules if isinstance(one, RecordExpectation))
    if not rules:
        return edge
    acts = Expect(records, reports=window is None, contract=contract)
    if not acts.acting:
        return edge
    passed = graph.add(acts, edge)
    if name is not None:
        graph.rename(passed, f"{name}: records")
    return passed


def _referred(graph: Graph, edge: Edge, rules: Sequence[Expectation], contract: str | None) -> Edge:
    """Rules about values in other topics, each a step that reads that topic too."""
    for rule in rules:
        if not isinstance(rule, InTopic):
            continue
        left = graph.add(Port(LEFT, Selector.of(rule.column)), edge)
        right = graph.add(Port(RIGHT, Selector.of(str(rule.field))), _source(graph, rule.topic))
        edge = graph.add(Refer(rule, contract), left, right, key=Selector.of(rule.column))
    return edge


def _source(graph: Graph, topic: str) -> Edge:
    """The source of a topic; one that only tells what exists never holds time back."""
    for node in graph.nodes:
        if isinstance(node.part, SourceSpec) and node.part.topic == topic:
            return Edge(node.index)
    return graph.source(SourceSpec(topic, idle_after=1))


def _of_record(rule: Expectation) -> bool:
    """Whether a rule can be judged record by record."""
    return isinstance(rule, RecordExpectation) and rule.mostly == 1
