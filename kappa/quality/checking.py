"""Judge what a topic holds: the same steps as in a pipeline, over a range of the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kappa.contracts.expectations import Expectation
from kappa.contracts.expectations.references import InTopic
from kappa.contracts.results import RESULT_FIELDS
from kappa.expressions import Selector, meta
from kappa.log import Log
from kappa.operators import Judge, Verdicts
from kappa.operators.letters import QUALITY
from kappa.pipeline import Pipeline
from kappa.plan import Edge
from kappa.runtime.preview import whole
from kappa.time import MAX_TIME, MIN_TIME, Instant, instant_ms
from kappa.windows import Global, Window


@dataclass(frozen=True)
class Report:
    """Results of a check.

    Args:
        topic: what was checked.
        results: a row for each expectation and window, as in the topic of results.
    """

    topic: str
    results: tuple[dict[str, Any], ...]

    @property
    def success(self) -> bool:
        """Whether all expectations hold in all windows."""
        return all(result["success"] for result in self.results)

    @property
    def breaches(self) -> tuple[dict[str, Any], ...]:
        """The results that do not hold."""
        return tuple(result for result in self.results if not result["success"])

    def __str__(self) -> str:
        if not self.results:
            return f"{self.topic}: no records to judge"
        head = f"{self.topic}: {len(self.results) - len(self.breaches)} of {len(self.results)} hold"
        lines = [f"  {result['expectation']}: {result['message']}" for result in self.breaches]
        return "\n".join([head, *lines])


def check(
    log: Log,
    topic: str,
    expectations: Sequence[Expectation],
    *,
    since: Instant | None = None,
    until: Instant | None = None,
    window: Window | None = None,
    contract: str | None = None,
) -> Report:
    """Judges the records of a topic; nothing is written, and nothing counts as late.

    Args:
        log: where the topic is.
        topic: its name.
        expectations: what to hold it to; no severity stops the check.
        since, until: only records with since <= event time < until.
        window: judge each window by itself, such as `Calendar("day")`; else all together.
        contract: name and version that results carry.

    Raises:
        UnknownTopic: there is no such topic.

    Cost: one pass over the fields that the expectations read; 1 to 2 µs a record.

    >>> from kappa.contracts.expectations import expect_column_values_to_be_unique
    >>> log = Log.memory()
    >>> _ = log.create_topic("bids")
    >>> _ = log.append("bids", [{"id": 1}, {"id": 2}, {"id": 2}])
    >>> report = check(log, "bids", [expect_column_values_to_be_unique("id")])
    >>> report.success, report.results[0]["unexpected_count"]
    (False, 2)
    """
    log.topic(topic)
    pipeline = Pipeline("check")
    rows = pipeline.source(topic)
    if since is not None or until is not None:
        first = MIN_TIME if since is None else instant_ms(since, name="since")
        stop = MAX_TIME + 1 if until is None else instant_ms(until, name="until")
        rows = rows.filter((meta.time >= first) & (meta.time < stop))
    rules = tuple(_known(log, one) for one in expectations)
    verdicts = Verdicts(rules, Selector.of(()))
    sums = rows.then(verdicts).key_by().window(window or Global()).aggregate(verdicts.aggregates)
    sums.then(Judge(rules, contract=contract, acts=False))
    judge = Edge(len(pipeline.graph.nodes) - 1, QUALITY)
    results = whole(log, pipeline.graph, judge, {})
    order = sorted(results, key=lambda row: (row["window_start"], row["window_end"]))
    return Report(topic, tuple({name: row[name] for name in RESULT_FIELDS} for row in order))


def _known(log: Log, rule: Expectation) -> Expectation:
    """A rule about values in another topic, with those that are there now."""
    if not isinstance(rule, InTopic):
        return rule
    name = str(rule.field)
    rows = (record.value for record in log.read(rule.topic))
    return rule.against(row.get(name) for row in rows if isinstance(row, Mapping))
