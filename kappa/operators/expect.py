"""Expectations in a pipeline: `Expect` acts on records, `Verdicts` and `Judge` on windows.

    rows ── Expect ──> rows                    dead letters; without a window, results
      └──── Verdicts ── WindowAggregate ── Judge             results, one row per window

`Verdicts` turns rows into columns of verdicts and of what metrics need; the window's own
step adds them up, with all that it knows of lateness and panes; `Judge` turns the sums
into results, which leave by the output "quality".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, TypeAlias

from kappa.aggregates import Aggregate, agg
from kappa.aggregates.tallies import Examples
from kappa.batch import Batch, RowFailure
from kappa.contracts.expectations import (
    Expectation,
    Metric,
    RecordExpectation,
    WindowExpectation,
)
from kappa.contracts.expectations.expectation import broken
from kappa.contracts.results import RESULT_FIELDS, of_record, of_records, of_window
from kappa.errors import ConfigError, ContractViolation
from kappa.expressions import Selector
from kappa.operators.contract import Fields, Instance, Operator, OperatorContext, both
from kappa.operators.expect_metrics import aggregate, column_name, column_of
from kappa.operators.failing import passed
from kappa.operators.letters import QUALITY, letters, places

ROWS = "rows"
Wrong: TypeAlias = "Sequence[tuple[RecordExpectation, list[int]]]"
"""Rules, and the records of a batch that break each."""


def fields_read(expectations: Iterable[Expectation]) -> Fields:
    """The fields that expectations read; None for all, where one looks at which there are."""
    found: Fields = frozenset()
    for one in expectations:
        own = None if getattr(one, "whole_record", False) else frozenset(one.columns)
        found = both(found, own)
    return found


@dataclass(frozen=True)
class Expect(Operator):
    """Judges every record, and does at once what the severity says.

    "stop" ends the run at the record; "dead_letter" sets it aside; "warn" lets it pass,
    and gives a result if `reports`.

    Args:
        expectations: about records.
        reports: every breach with severity "warn" is a row of the results.
        contract: name and version that letters and results carry.
    """

    expectations: tuple[RecordExpectation, ...]
    reports: bool = True
    contract: str | None = None

    kind: ClassVar[str] = "expect"
    is_end: ClassVar[bool] = True

    @property
    def diverts(self) -> bool:
        """Whether records may go to the dead letters."""
        return any(one.severity == "dead_letter" for one in self.expectations)

    @property
    def locates(self) -> bool:
        """Whether it says where records lie."""
        return bool(self.acting)

    @property
    def acting(self) -> tuple[RecordExpectation, ...]:
        """The expectations that this step looks at: all, or those with consequences."""
        return tuple(one for one in self.expectations if self.reports or one.severity != "warn")

    def open(self, context: OperatorContext) -> Instance:
        """The instance."""
        return ExpectInstance(self, context)

    def required(self, wanted: Fields) -> Fields:
        """What is wanted of the rows, and what the expectations read."""
        return both(wanted, fields_read(self.acting))

    def describe(self) -> str:
        """What it judges."""
        return "judges each record: " + "; ".join(map(str, self.acting))


class ExpectInstance(Instance):
    """Expectations at work on records."""

    def __init__(self, operator: Expect, context: OperatorContext) -> None:
        self.operator = operator
        self.acting = operator.acting
        self.context = context

    def process(self, batch: Batch) -> Sequence[Batch]:
        """Lets rows pass, sets some aside, reports others."""
        wrong = [(one, unexpected(one, batch)) for one in broken(self.acting, batch)]
        if not wrong:
            return [passed(batch, self.context)]
        self._stop(batch, wrong)
        out = [self._report(batch, wrong)]
        aside: dict[int, list[str]] = {}
        for one, indices in wrong:
            if one.severity == "dead_letter":
                for at in indices:
                    aside.setdefault(at, []).append(one.reason(one.found(batch, at)))
        if aside:
            indices = sorted(aside)
            errors = ["; ".join(aside[at]) for at in indices]
            out.append(
                letters(batch, indices, errors, self.context, contract=self.operator.contract)
            )
            batch = batch.compress([at not in aside for at in range(batch.count)])
        out.insert(0, passed(batch, self.context))
        return [one for one in out if one.count]

    def _stop(self, batch: Batch, wrong: Wrong) -> None:
        found = [
            (indices[0], place, one)
            for place, (one, indices) in enumerate(wrong)
            if one.severity == "stop" and one.mostly == 1
        ]
        if found:
            at, _, one = min(found, key=lambda item: item[:2])
            error = ContractViolation(one.reason(one.found(batch, at)))
            raise RowFailure(at, error, batch)

    def _report(self, batch: Batch, wrong: Wrong) -> Batch:
        """A result for every record that breaks a rule without consequences."""
        pairs = sorted(
            (at, place)
            for place, (one, indices) in enumerate(wrong)
            if one.severity == "warn" and self.operator.reports
            for at in indices
        )
        rules = [one for one, _ in wrong]
        at_places = places(batch) if pairs else []
        rows = [
            of_record(
                rules[place],
                rules[place].found(batch, at),
                step=self.context.step,
                contract=self.operator.contract,
                origin=at_places[at],
            )
            for at, place in pairs
        ]
        self.context.count("breaches", len(rows))
        return batch.emitted([at for at, _ in pairs], rows=rows, output=QUALITY)


def unexpected(expectation: RecordExpectation, batch: Batch) -> list[int]:
    """The records of a batch that are not as expected."""
    verdicts = expectation.verdicts(batch) or ()
    return [at for at, verdict in enumerate(verdicts) if verdict is False]


def metric_names(expectations: Iterable[Expectation]) -> list[tuple[Metric, str]]:
    """Every metric that expectations need, once, with a name for its column."""
    found: list[Metric] = []
    for one in expectations:
        if isinstance(one, WindowExpectation):
            found += [metric for metric in one.metrics if metric not in found]
    return [(metric, f"metric {number}") for number, metric in enumerate(found)]


@dataclass(frozen=True)
class Verdicts(Operator):
    """Turns rows into what the windows of their expectations add up.

    Args:
        expectations: all of them.
        key: what groups the rows.
    """

    expectations: tuple[Expectation, ...]
    key: Selector

    kind: ClassVar[str] = "verdicts"

    @cached_property
    def aggregates(self) -> dict[str, Aggregate]:
        """What a window adds up, by the name of a column behind it."""
        found: dict[str, Aggregate] = {ROWS: agg.count()}
        for number, one in enumerate(self.expectations):
            if isinstance(one, RecordExpectation):
                found[f"missing {number}"] = agg.count(f"missing {number}")
                found[f"unexpected {number}"] = Examples(f"unexpected {number}")
        return found | {name: aggregate(metric) for metric, name in metric_names(self.expectations)}

    def open(self, context: OperatorContext) -> Instance:
        """The instance."""
        return VerdictsInstance(self, context)

    def required(self, wanted: Fields) -> Fields:
        """What the expectations read, and the key."""
        return both(fields_read(self.expectations), self.key.fields)


class VerdictsInstance(Instance):
    """Expectations bound to columns."""

    def __init__(self, operator: Verdicts, context: OperatorContext) -> None:
        self.records = [
            (number, one)
            for number, one in enumerate(operator.expectations)
            if isinstance(one, RecordExpectation)
        ]
        metrics = [metric for metric, _ in metric_names(operator.expectations) if metric.columns]
        self.metrics = {column_name(metric): metric for metric in metrics}
        self.keys = [(name, operator.key) for name in operator.key.names]
        self.key = operator.key.bind(context.params, fresh=context.shared)

    def process(self, batch: Batch) -> Sequence[Batch]:
        """Columns in place of rows."""
        count = batch.count
        nothing: list[Any] = [None] * count
        columns: dict[str, list[Any]] = self._key_columns(batch)
        for number, one in self.records:
            verdicts = one.verdicts(batch)
            missing, unexpected = nothing, nothing
            if verdicts is not None:
                if None in verdicts:
                    missing = [True if verdict is None else None for verdict in verdicts]
                if False in verdicts:
                    unexpected = [
                        (one.found(batch, at),) if verdict is False else None
                        for at, verdict in enumerate(verdicts)
                    ]
            columns[f"missing {number}"] = missing
            columns[f"unexpected {number}"] = unexpected
        for name, metric in self.metrics.items():
            columns[name] = column_of(metric, batch)
        if not columns:
            columns[ROWS] = nothing
        return [batch.with_columns(columns)]

    def _key_columns(self, batch: Batch) -> dict[str, list[Any]]:
        names = [name for name, _ in self.keys]
        if not names:
            return {}
        keys = self.key(batch)
        if len(names) == 1:
            return {names[0]: list(keys)}
        return {name: [key[at] for key in keys] for at, name in enumerate(names)}


@dataclass(frozen=True)
class Judge(Operator):
    """Turns what windows added up into results.

    Args:
        expectations: in the order of `Verdicts`.
        key: names of the fields that group the rows.
        contract: name and version that results carry.
        acts: a breach with severity "stop" ends the run.
    """

    expectations: tuple[Expectation, ...]
    key: tuple[str, ...] = ()
    contract: str | None = None
    acts: bool = True

    kind: ClassVar[str] = "judge"
    reports: ClassVar[bool] = True
    is_end: ClassVar[bool] = True

    def open(self, context: OperatorContext) -> Instance:
        """The instance."""
        return JudgeInstance(self, context)


class JudgeInstance(Instance):
    """Expectations at work on sums."""

    def __init__(self, operator: Judge, context: OperatorContext) -> None:
        self.operator = operator
        self.context = context
        self.metrics = metric_names(operator.expectations)

    def process(self, batch: Batch) -> Sequence[Batch]:
        """A result for each window and expectation."""
        indices: list[int] = []
        results: list[dict[str, Any]] = []
        for at, row in enumerate(batch.rows()):
            for number, one in enumerate(self.operator.expectations):
                result = self._result(number, one, row)
                if not result["success"]:
                    self.context.count("breaches")
                    if one.severity == "stop" and self.operator.acts:
                        raise RowFailure(at, ContractViolation(result["message"]), batch)
                indices.append(at)
                results.append(result)
        return [batch.emitted(indices, rows=results, output=QUALITY)]

    def _result(self, number: int, one: Expectation, row: Mapping[str, Any]) -> dict[str, Any]:
        about = {
            "step": self.context.step,
            "contract": self.operator.contract,
            "key": {name: row[name] for name in self.operator.key} or None,
            "window_start": row["window_start"],
            "window_end": row["window_end"],
        }
        if isinstance(one, RecordExpectation):
            unexpected, examples = row[f"unexpected {number}"]
            missing = row[f"missing {number}"]
            return of_records(one, row[ROWS], missing, unexpected, examples, about)
        assert isinstance(one, WindowExpectation)
        values = [
            row[name] for wanted in one.metrics for metric, name in self.metrics if metric == wanted
        ]
        return of_window(one, row[ROWS], one.judge(values), about)


def check_expectations(expectations: Sequence[Any], *, windowed: bool) -> None:
    """Refuses what does not go together.

    Raises:
        ConfigError: no expectation, something else, or one that needs a window.
    """
    if not expectations:
        raise ConfigError("expect needs an expectation, such as expect_column_to_exist(...)")
    for one in expectations:
        if not isinstance(one, Expectation):
            raise ConfigError(f"{one!r:.80} is no expectation: see kappa.expectations")
        if windowed:
            continue
        if isinstance(one, WindowExpectation):
            raise ConfigError(
                f'{one.name} speaks of many records: say which, with window=Tumbling("1d")'
            )
        if isinstance(one, RecordExpectation) and one.mostly < 1:
            raise ConfigError(
                f"{one.name}: mostly is a share of the records of a window: say which,"
                ' with window=Tumbling("1d")'
            )


__all__ = ["RESULT_FIELDS", "Expect", "Judge", "Verdicts", "check_expectations", "fields_read"]
