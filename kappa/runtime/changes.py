"""What an overwrite changed, counted per partition as people ask for it.

Rows that are equal cancel out. Of what is left, a row of the same key and window on both
sides was altered; the rest was added or removed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kappa.log.compare import IDENTITY
from kappa.plan import Plan, Step
from kappa.sinks import Change


@dataclass(frozen=True, slots=True)
class Changed:
    """One partition of one table. True if it changed.

    Args:
        step: that writes the table.
        partition: its name.
        added, removed, altered, same: numbers of rows.
        left: why it was left as it was; "" if it was not.
    """

    step: str
    partition: str
    added: int = 0
    removed: int = 0
    altered: int = 0
    same: int = 0
    left: str = ""

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.altered)

    def __str__(self) -> str:
        if self.left:
            return f"{self.partition} of {self.step}: {self.left}"
        return (
            f"{self.partition} of {self.step}: {self.same:,} rows equal, {self.altered:,} altered,"
            f" {self.removed:,} removed, {self.added:,} added"
        )


def judged(step: str, change: Change, key: Sequence[str]) -> Changed:
    """The numbers of one change.

    Args:
        step: that made it.
        change: rows before and after, without those that are equal.
        key: names of the fields that tell a row from others; none where they are not known.
    """
    before = Counter(_identity(row, key) for row in change.before) if key else Counter()
    after = Counter(_identity(row, key) for row in change.after) if key else Counter()
    altered = (before & after).total()
    return Changed(
        step,
        change.partition,
        added=len(change.after) - altered,
        removed=len(change.before) - altered,
        altered=altered,
        same=change.same,
        left=change.left,
    )


def _identity(row: Any, key: Sequence[str]) -> str:
    if not isinstance(row, Mapping):
        return repr(row)
    return repr([row.get(name) for name in (*key, *IDENTITY)])


def identities(plan: Plan) -> dict[str, tuple[str, ...]]:
    """For each table, the names of the key that its rows were brought together by."""
    return {step.name: _key_above(plan, step) for step in plan.outlets}


def _key_above(plan: Plan, step: Step) -> tuple[str, ...]:
    while step.inputs:
        step = plan.steps[step.inputs[0].node]
        if step.exchange is not None:
            return step.exchange.names
    return ()
