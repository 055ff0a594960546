"""Dead letters: what is kept of a record that a step could not take.

A letter holds the record whole, the reason, the step, and where the record lies in the
log: topic, partition and offset where rows still know that (not behind a window or a
join), the LSN always. `kappa.quality` reads them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kappa.batch import Batch, plain
from kappa.operators.contract import OperatorContext

DEAD_LETTER = "dead_letter"
"""The output that letters leave a step by."""
QUALITY = "quality"
"""The output that results of expectations leave a step by."""

FACTS = ("topic", "partition", "offset")


def letters(
    batch: Batch,
    indices: Sequence[int],
    errors: Sequence[str],
    context: OperatorContext,
    *,
    contract: str | None = None,
) -> Batch:
    """The letters for some rows of a batch; they are counted.

    Args:
        batch: as the step got it.
        indices: of the rows, ascending.
        errors: what is wrong with each.
        context: of the step.
        contract: name and version of the contract that a row breaks.
    """
    context.count("dead_letters", len(indices))
    taken = batch.take(indices)
    rows = [
        {"error": error, "step": context.step, "record": plain(row), **place, "contract": contract}
        for error, row, place in zip(errors, taken.rows(), places(taken), strict=True)
    ]
    return batch.emitted(indices, rows=rows, output=DEAD_LETTER)


def places(batch: Batch) -> list[dict[str, Any]]:
    """Where each row of a batch comes from."""
    hidden = batch.hidden
    nothing: list[Any] = [None] * batch.count
    columns = [hidden.get(name, nothing) for name in FACTS]
    lsns = nothing if batch.runs is None else batch.lsns()
    return [
        {"topic": topic, "partition": partition, "offset": offset, "lsn": lsn}
        for topic, partition, offset, lsn in zip(*columns, lsns)
    ]


def letter_of_timer(error: str, context: OperatorContext, record: Any) -> dict[str, Any]:
    """The letter of what fails when a timer or watermark fires: where its record lies is lost."""
    context.count("dead_letters")
    nowhere = dict.fromkeys((*FACTS, "lsn"))
    return {"error": error, "step": context.step, "record": record, **nowhere, "contract": None}
