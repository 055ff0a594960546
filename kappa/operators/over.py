"""over: each row with aggregates over the last rows of its key, or over its last duration.

Rows are taken in the order of event time, as the watermark passes them, so the result does
not depend on how they arrived; late ones go to the side "late".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any, ClassVar

from kappa.aggregates import Aggregate
from kappa.batch import Batch
from kappa.errors import ConfigError
from kappa.expressions import Selector
from kappa.operators.contract import (
    ALL_HISTORY,
    Fields,
    Instance,
    Names,
    Operator,
    OperatorContext,
    both,
    widened,
)
from kappa.operators.forgetting import Forgetting
from kappa.operators.frames import LAST, TIME, Frames
from kappa.operators.keyed import as_mapping, check_names
from kappa.operators.waiting import Firing, Firings, Waiting
from kappa.operators.window_rows import LATE
from kappa.time import Duration, duration_ms, format_duration


@dataclass(frozen=True)
class Over(Operator):
    """Each row, and the aggregates of the frame that ends with it.

    The frame is the last `rows` rows of the key, this one included; or those of its last
    `span`, with times in (t - span, t]. By rows, equal times count in order of arrival. By
    time, rows of equal time are in each other's frames, as in SQL's RANGE. The output row is
    the input's with the aggregates as further fields, at its own event time.

    Args:
        key: what groups the rows.
        aggregates: by output name; a field of that name is replaced.
        rows: how many rows, at least 1.
        span: how long, as a duration, at least 1 ms.

    Raises:
        ConfigError: not exactly one of `rows` and `span` is given, or an argument is wrong.

    Cost: two additions and a merge per row, however long the frame; for collect,
    count_distinct, quantile and others that keep values, an addition per row of the frame.

    >>> from kappa.aggregates import agg
    >>> Over(Selector.of("seller"), {"mean": agg.mean("price")}, rows=10).describe()
    'keeps the last 10 rows per seller, for ever'
    >>> Over(Selector.of("seller"), {"mean": agg.mean("price")}, span="1h").describe()
    'keeps the rows per seller of the last 1h behind the watermark'
    """

    key: Selector
    aggregates: Mapping[str, Aggregate]
    rows: int | None = None
    span: Duration | None = None

    kind: ClassVar[str] = "over"
    stateful: ClassVar[bool] = True
    counts_rows: ClassVar[bool] = True
    sides: ClassVar[tuple[str, ...]] = (LATE,)

    def __post_init__(self) -> None:
        if (self.rows is None) == (self.span is None):
            raise ConfigError('over takes rows=10, or span="1h": one of the two')
        if self.span is not None:
            span = duration_ms(self.span, name="over: span", minimum=1)
            object.__setattr__(self, "span", span)
        elif type(self.rows) is not int or self.rows < 1:
            raise ConfigError(f"over: rows is {self.rows!r}, but must be an int of at least 1")
        check_names(self.key, self.frames.names, self.kind)

    @cached_property
    def frames(self) -> Frames:
        """How the aggregates are kept."""
        span = None if self.span is None else duration_ms(self.span)
        return Frames(self.aggregates, rows=self.rows, span=span)

    def open(self, context: OperatorContext) -> Instance:
        """The instance on the step's state."""
        return OverInstance(self, context)

    def required(self, wanted: Fields) -> Fields:
        """What is wanted of the rows, and the fields of the key and of the aggregates."""
        kept = None if wanted is None else wanted.difference(self.frames.names)
        for layout in self.frames.layouts:
            kept = both(kept, layout.fields)
        return both(kept, self.key.fields)

    @property
    def margin_before(self) -> int | None:
        """The span; all history for a number of rows."""
        return ALL_HISTORY if self.frames.span is None else self.frames.span

    def yields(self, inputs: Sequence[Names]) -> Names:
        """Those of its input and the aggregates."""
        return widened(inputs[0], self.frames.names)

    def bound(self, min_time: int) -> int:
        """When the row comes out, or is late."""
        return min_time

    def describe(self) -> str:
        """What it keeps, and for how long."""
        name = self.key.name or "group"
        if self.frames.span is None:
            return f"keeps the last {self.rows} rows per {name}, for ever"
        span = format_duration(self.frames.span)
        return f"keeps the rows per {name} of the last {span} behind the watermark"


class OverInstance(Instance):
    """Rows that wait, and the frame of each key, in state: "frames", key -> its cell."""

    def __init__(self, operator: Over, context: OperatorContext) -> None:
        self._context = context
        self._frames = frames = operator.frames
        bound = [layout.bind(context.params, fresh=context.shared) for layout in frames.layouts]
        key = operator.key.bind(context.params, fresh=context.shared)
        self._parts = [key, *(part for inputs in bound for part in inputs.parts)]
        self._cut = len(bound[0].parts)  # values of the first layout, then of the second
        self._waiting = Waiting(context)
        self._cells = context.state.keyed("frames")
        self._over = Forgetting(self._ends)  # when a key's frame is empty for good

    def _ends(self) -> Iterator[tuple[int, Any]]:
        span = self._frames.span
        if span is not None:
            for key, cell in self._cells.items():
                yield cell[LAST] + span, key

    def process(self, batch: Batch) -> Iterable[Batch]:
        """Has rows wait; late ones and dead letters come at once."""
        return self._waiting.take(batch, self._parts)

    def due(self) -> int:
        """When the next row comes out."""
        return self._waiting.due()

    def advance(self, watermark: int) -> Iterable[Batch]:
        """The rows that the watermark has passed, with their aggregates."""
        firings = Firings(self._context)
        for key, entries in self._waiting.pop(watermark):
            cell = self._cells.touch(key)
            if cell is None:
                cell = self._frames.fresh()
            if self._frames.span is None:
                for entry in entries:
                    self._take(firings, cell, [entry])
            else:
                for _, group in groupby(entries, key=TIME):
                    self._take(firings, cell, list(group))
            self._keep(key, cell)
        self._forget(watermark)
        return firings.batches()

    def _take(self, firings: Firings, cell: list[Any], entries: list[list[Any]]) -> None:
        """Takes in rows of one time, which have one result."""
        time = entries[0][0]
        try:
            results = self._frames.take(cell, time, [self._values(entry) for entry in entries])
        except Exception as error:
            if len(entries) == 1:
                _, row, key, *_ = entries[0]
                firings.fail(time, key, time, row, error)
            else:
                self._take_some(firings, cell, entries)
            return
        made = dict(zip(self._frames.names, results))
        for _, row, key, *_ in entries:
            firings.add(Firing(time, key, time, {**as_mapping(row), **made}))

    def _take_some(self, firings: Firings, cell: list[Any], entries: list[list[Any]]) -> None:
        """Takes in those rows of one time on which it does not fail."""
        good: list[list[Any]] = []
        for entry in entries:
            try:
                trial = [part[:] if isinstance(part, list) else part for part in cell]
                values = [self._values(one) for one in (*good, entry)]
                self._frames.take(trial, entry[0], values)
                good.append(entry)
            except Exception as error:
                time, row, key, *_ = entry
                firings.fail(time, key, time, row, error)
        if good:
            self._take(firings, cell, good)

    def _values(self, entry: list[Any]) -> list[list[Any]]:
        """The values of an entry for each layout."""
        values = entry[3:]
        cut = self._cut
        return [values[:cut], values[cut:]] if len(self._frames.layouts) > 1 else [values]

    def _keep(self, key: Any, cell: list[Any]) -> None:
        span = self._frames.span
        if cell[LAST] is None:
            return  # no row has come through
        if span is not None and key not in self._cells:
            add = self._over.adder()  # before the cell is there, or it would be added twice
            self._cells.put(key, cell)
            add(cell[LAST] + span, key)
        else:
            self._cells.put(key, cell)

    def _forget(self, watermark: int) -> None:
        """Drops the frames that no row to come can reach."""
        span = self._frames.span
        if span is None:
            return
        add = self._over.adder()
        for key in self._over.pop(watermark):
            ends = self._cells.get(key)[LAST] + span
            if ends <= watermark:
                self._cells.delete(key)
            else:
                add(ends, key)
