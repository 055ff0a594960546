"""Tables flow as rows with a sign: -1 takes a row back, +1 puts one in.

A table holds at most one row per key. What changes in it within one LSN comes as one group
of rows: for each key at most a row with -1, as it was before that LSN, and behind it one
with +1, as it is after it. So a table is consistent after every LSN, and steps that work
on rows one by one (filter, select, map) work on tables as they are.

Sign and key travel as hidden columns, which a pick keeps.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from kappa.batch import Batch
from kappa.errors import InternalError

SIGN, OWN = "table.sign", "table.key"
ADDED, REMOVED = 1, -1


def signed(
    batch: Batch, signs: Sequence[int], keys: Sequence[Hashable], *, owner: str = "a table"
) -> Batch:
    """The batch as rows of a table.

    Args:
        batch: just made, so that nobody else sees its hidden columns.
        signs: of each row, `ADDED` or `REMOVED`.
        keys: the table's key of each row.
        owner: for the message of an internal error.
    """
    if not batch.count == len(signs) == len(keys):
        raise InternalError(f"{owner}: {len(signs)} signs for {batch.count} rows")
    batch.hidden = {SIGN: list(signs), OWN: list(keys)}
    return batch


def signs_of(batch: Batch) -> list[int]:
    """The sign of every row of a table."""
    return batch.hidden[SIGN]


def own_keys(batch: Batch) -> list[Any]:
    """The table's key of every row."""
    return batch.hidden[OWN]


class Changes:
    """Rows of a table that one call of `process` makes: per cause, key and sign.

    Attributes:
        causes: index of the input row that each row answers; never falls.
        rows, signs, keys: of each row.
    """

    def __init__(self) -> None:
        self.causes: list[int] = []
        self.rows: list[Any] = []
        self.signs: list[int] = []
        self.keys: list[Any] = []

    def add(self, cause: int, key: Any, before: Any, after: Any) -> None:
        """What a key held before and holds now; None where it held or holds nothing."""
        if before is not None:
            self._add(cause, key, before, REMOVED)
        if after is not None:
            self._add(cause, key, after, ADDED)

    def _add(self, cause: int, key: Any, row: Any, sign: int) -> None:
        self.causes.append(cause)
        self.rows.append(row)
        self.signs.append(sign)
        self.keys.append(key)

    def batches(self, batch: Batch, times: list[int] | None = None) -> list[Batch]:
        """The rows as a batch in the places of their causes; none if there are none."""
        if not self.rows:
            return []
        made = batch.emitted(self.causes, rows=self.rows, times=times)
        return [signed(made, self.signs, self.keys)]
