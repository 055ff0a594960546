"""Rows taken in the order of event time: each waits until the watermark has passed it.

A row at or before the watermark is late. The others of a key wait in state, in the order of
(event time, arrival), and are handed out when the watermark reaches their time. What a step
makes of them comes out by (due time, key bytes, number), whatever the keys' order in state.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, compress
from operator import itemgetter
from typing import Any, NamedTuple

from kappa.batch import Batch, RowFailure, describe_error, plain
from kappa.codec import check_key, encode_key
from kappa.operators.contract import OperatorContext
from kappa.operators.failing import evaluate
from kappa.operators.forgetting import Forgetting
from kappa.operators.keyed import Columns, plain_rows, run_rows, told
from kappa.operators.letters import DEAD_LETTER, letter_of_timer
from kappa.operators.window_rows import LATE, ranks

TIME = itemgetter(0)


class Waiting:
    """The rows that wait, in state: "waiting", key -> [[time, ...], ...] by time.

    Args:
        context: whose state.
    """

    def __init__(self, context: OperatorContext) -> None:
        self._context = context
        self._state = context.state.keyed("waiting")
        self._index = Forgetting(self._times)

    def _times(self) -> Iterable[tuple[int, Any]]:
        for key, entries in self._state.items():
            for entry in entries:
                yield entry[0], key

    def take(self, batch: Batch, parts: list[Any], *, typed: bool = False) -> list[Batch]:
        """Has the rows of a batch wait, as [time, row, key, *what `parts` compute].

        Args:
            batch: the rows.
            parts: what computes the key, and what else is to wait with a row.
            typed: instances of a dataclass wait as such, for functions of the user's.

        Returns:
            Late rows and dead letters.
        """
        context = self._context
        batch, columns, out = evaluate(parts, batch, context)
        if batch.min_time <= batch.watermark:
            batch, columns, late = set_apart(batch, columns, context)
            out.append(late)
        rows = batch.rows(fresh=context.shared)
        if not typed:
            rows = plain_rows(rows)
        done: list[Any] = []
        out += run_rows(
            lambda *columns: self._add(done, *columns),
            batch,
            columns[0],
            [batch.times, rows, *columns[1:]],
            done,
            context,
        )
        return out

    def _add(
        self, done: list[Any], keys: list[Any], times: list[int], rows: list[Any], *more: list[Any]
    ) -> None:
        state, add = self._state, self._index.adder()
        for key, time, row, *values in zip(keys, times, rows, *more):
            entry = [time, row, key, *values]
            entries = state.touch(key)
            if entries is None:
                check_key(key)
                state.put(key, [entry])
            elif time >= entries[-1][0]:
                entries.append(entry)
            else:
                entries.insert(bisect_right(entries, time, key=TIME), entry)
            add(time, key)
            done.append(True)

    def due(self) -> int:
        """When the first row is to be handed out."""
        return self._index.due()

    def pop(self, watermark: int) -> Iterator[tuple[Any, list[Any]]]:
        """Hands out the rows at or before the watermark: by key, in order of time."""
        state = self._state
        for key in self._index.pop(watermark):
            entries = state.touch(key)
            if entries is None or entries[0][0] > watermark:
                continue
            count = bisect_right(entries, watermark, key=TIME)
            if count == len(entries):
                state.delete(key)
                yield key, entries
            else:
                found = entries[:count]
                del entries[:count]
                yield key, found


def set_apart(
    batch: Batch, columns: Columns, context: OperatorContext
) -> tuple[Batch, Columns, Batch]:
    """The rows that are not late with their columns, and the late ones for the side "late"."""
    watermark = batch.watermark
    mask = [time > watermark for time in batch.times]
    indices = [index for index, early in enumerate(mask) if not early]
    context.count(LATE, len(indices))
    behind = [watermark + 1 - batch.times[index] for index in indices]
    late = told(batch.take(indices), {"late_by": behind}, LATE)
    return batch.compress(mask), [list(compress(column, mask)) for column in columns], late


class Firing(NamedTuple):
    """A row that a watermark made: when it was due, for which key, and its event time."""

    due: int
    key: Any
    time: int
    row: Any


@dataclass(slots=True)
class Firings:
    """What a watermark makes, by output.

    Args:
        context: of the step.
    """

    context: OperatorContext
    made: dict[str, list[Firing]] = field(default_factory=dict)

    def add(self, firing: Firing, output: str = "") -> None:
        """One more row; those of a key come in the order of their due times."""
        self.made.setdefault(output, []).append(firing)

    def fail(self, due: int, key: Any, time: int, row: Any, cause: Exception) -> None:
        """Sets a waiting row aside on which the step failed.

        Raises:
            RowFailure: the pipeline does not set failing records aside.
        """
        if not self.context.dead_letters:
            raise RowFailure(0, cause, Batch.of_rows([row], [time])) from cause
        self.context.count("dead_letters")
        letter = letter_of_timer(describe_error(cause), self.context, plain(row))
        self.add(Firing(due, key, time, letter), DEAD_LETTER)

    def batches(self) -> list[Batch]:
        """A batch per output, by due time and key."""
        place = ranks(one.key for one in chain.from_iterable(self.made.values()))
        return [self._batch(output, found, place) for output, found in self.made.items()]

    def _batch(self, output: str, found: list[Firing], place: dict[Any, int]) -> Batch:
        ordered = sorted(found, key=lambda one: (one.due, place[one.key]))  # stable: by number
        order: list[tuple[Any, ...]] | None = None
        if self.context.ranked:
            order = [(one.due, encode_key(one.key), n) for n, one in enumerate(ordered)]
        rows = [one.row for one in ordered]
        return Batch.fired(
            times=[one.time for one in ordered], rows=rows, order=order, output=output
        )
