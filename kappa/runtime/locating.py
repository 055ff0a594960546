"""Which record a step failed on: topic, partition and offset, found after the fact.

Rows do not carry their origin while all goes well. When a step fails, the LSN in hand is
read once more with ranks, sent through the stateless steps above the failing one, and the
failing row's rank names the record. Behind a stateful step or a fan-in only the LSN is
known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kappa.batch import Batch, RowFailure
from kappa.errors import ContractViolation, OperatorError
from kappa.operators.contract import Instance, Operator
from kappa.plan import Plan, SourceSpec, Step

SHOWN = 300


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a record is."""

    topic: str
    partition: int
    offset: int


class StepFailed(Exception):
    """A step's function failed; the job turns it into `OperatorError` with the record.

    Args:
        step: that failed.
        failure: row, batch and cause.
    """

    def __init__(self, step: Step, failure: RowFailure) -> None:
        super().__init__(step.name)
        self.step = step
        self.failure = failure
        batch, index = failure.batch, failure.index
        self.lsn: int | None = None
        self.place = 0
        if batch is not None and batch.runs:
            start = 0
            for lsn, stop in batch.runs:
                if index < stop:
                    self.lsn, self.place = lsn, index - start
                    break
                start = stop

    @property
    def row(self) -> Any:
        """The failing row, or None."""
        batch = self.failure.batch
        return None if batch is None else batch.rows()[self.failure.index]

    def error(self, origin: Origin | None) -> OperatorError | ContractViolation:
        """What the user sees."""
        step, cause = self.step, self.failure.cause
        where = "" if self.lsn is None else f" at LSN {self.lsn}"
        if origin is not None:
            where = (
                f" (topic {origin.topic}, partition {origin.partition}, offset {origin.offset},"
                f" LSN {self.lsn})"
            )
        broken = isinstance(cause, ContractViolation)
        if broken:
            what = f"step {step.name!r} stops{where}: {cause}"
        else:
            record = abbreviate(self.row)
            reason = f"{type(cause).__name__}: {cause}"
            what = f"step {step.name!r} failed on the record {record}{where}: {reason}"
        return (ContractViolation if broken else OperatorError)(
            f"{what}; the step is built at {step.site}",
            step=step.name,
            lsn=self.lsn,
            topic=origin.topic if origin else None,
            partition=origin.partition if origin else None,
            offset=origin.offset if origin else None,
        )


def origin_of(
    failed: StepFailed,
    plan: Plan,
    instances: Mapping[int, Instance],
    read: Callable[[Step, int], tuple[list[Batch], dict[int, int]]],
) -> Origin | None:
    """The record behind a failure, or None where it cannot be told.

    Args:
        failed: what happened.
        plan: of the run.
        instances: the opened steps by index.
        read: gives, for a source step and an LSN, its batches with ranks, and the first
            offset of the append in each partition.
    """
    chain: list[tuple[Step, str]] = []
    step = failed.step
    while not isinstance(step.part, SourceSpec):
        if len(step.inputs) != 1 or (step is not failed.step and _goes_on(step)):
            return None
        edge = step.inputs[0]
        above = plan.steps[edge.node]
        if not isinstance(above.part, SourceSpec):
            chain.insert(0, (above, edge.output))
        step = above
    if failed.lsn is None:
        return None
    try:
        batches, base_offsets = read(step, failed.lsn)
        for passed, output in chain:
            process = instances[passed.index].process
            results = (result for batch in batches for result in process(batch))
            batches = [result for result in results if result.output == output]
        ranks = [rank for batch in batches for rank in batch.ranks or ()]
        _, _, partition, row = ranks[failed.place][:4]
    except Exception:  # the user's code again: whatever it does, the first error counts
        return None
    return Origin(step.part.topic, partition, base_offsets[partition] + row)


def _goes_on(step: Step) -> bool:
    """Whether it must not take rows in once more: it keeps something, or asks outside."""
    return step.stateful or (isinstance(step.part, Operator) and step.part.asks)


def abbreviate(row: object, limit: int = SHOWN) -> str:
    """A row for a message, cut where it would fill the screen.

    >>> abbreviate("x" * 10, limit=5)
    "'xxx…"
    """
    text = repr(row)
    return text if len(text) <= limit else text[: limit - 1] + "…"
