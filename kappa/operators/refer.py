"""Values that have to exist in another topic: `Refer` judges rows by it as they arrive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from kappa.batch import Batch, RowFailure
from kappa.contracts.expectations.expectation import is_missing
from kappa.contracts.expectations.references import InTopic
from kappa.contracts.results import of_record
from kappa.errors import ContractViolation
from kappa.operators.contract import Fields, Instance, Names, Operator, OperatorContext, both
from kappa.operators.letters import QUALITY, letters, places
from kappa.operators.ports import LEFT, RIGHT
from kappa.time import PLUS_INFINITY


@dataclass(frozen=True)
class Refer(Operator):
    """Judges rows by whether a value of theirs has come in the other input before them.

    Inputs come through `Port`. What a breach does, the rule's severity says; results are one
    row for each.

    Args:
        rule: what to judge.
        contract: name and version that letters and results carry.
    """

    rule: InTopic
    contract: str | None = None

    kind: ClassVar[str] = "refer"
    stateful: ClassVar[bool] = True
    reports: ClassVar[bool] = True
    locates: ClassVar[bool] = True
    is_end: ClassVar[bool] = True

    @property
    def diverts(self) -> bool:
        """Whether rows may go to the dead letters."""
        return self.rule.severity == "dead_letter"

    def open(self, context: OperatorContext) -> Instance:
        """The instance on the step's state."""
        return ReferInstance(self, context)

    def required(self, wanted: Fields) -> Fields:
        """What is wanted of the rows, and the field that refers."""
        return both(wanted, frozenset({self.rule.column}))

    def required_at(self, port: int, wanted: Fields) -> Fields:
        """Of the other input just the field that is referred to."""
        return frozenset({str(self.rule.field)}) if port == RIGHT else self.required(wanted)

    def yields(self, inputs: Sequence[Names]) -> Names:
        """The fields of the rows."""
        return inputs[0]

    def bound(self, min_time: int) -> int:
        """Never: time plays no part."""
        return PLUS_INFINITY

    def describe(self) -> str:
        """What it keeps."""
        return f"keeps every {self.rule.field} of topic {self.rule.topic}, for ever"


class ReferInstance(Instance):
    """The values that have come."""

    def __init__(self, operator: Refer, context: OperatorContext) -> None:
        self._rule = operator.rule
        self._contract = operator.contract
        self._context = context
        self._known = context.state.keyed("known")

    def process(self, batch: Batch) -> Sequence[Batch]:
        """Takes values in, and judges rows by those before them."""
        known = self._known
        rows: list[Any] = []
        kept: list[int] = []
        wrong: list[int] = []
        for at, (port, key, row) in enumerate(batch.rows()):
            if port != LEFT:
                if not is_missing(key) and key not in known:
                    known.put(key, True)
                continue
            if not is_missing(key) and key not in known:
                wrong.append(len(rows))
            kept.append(at)
            rows.append(row)
        if not rows:
            return ()
        left = batch.take(kept).with_rows(rows)
        return [left] if not wrong else self._act(left, wrong)

    def _act(self, batch: Batch, wrong: list[int]) -> list[Batch]:
        rule = self._rule
        values = [rule.found(batch, at) for at in wrong]
        if rule.severity == "stop":
            raise RowFailure(wrong[0], ContractViolation(rule.reason(values[0])), batch)
        if rule.severity == "dead_letter":
            reasons = [rule.reason(value) for value in values]
            aside = letters(batch, wrong, reasons, self._context, contract=self._contract)
            refused = set(wrong)
            passed = batch.compress([at not in refused for at in range(batch.count)])
            return [one for one in (passed, aside) if one.count]
        self._context.count("breaches", len(wrong))
        results = [
            of_record(rule, value, step=self._context.step, contract=self._contract, origin=place)
            for value, place in zip(values, places(batch.take(wrong)), strict=True)
        ]
        return [batch, batch.emitted(wrong, rows=results, output=QUALITY)]
