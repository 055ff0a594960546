"""top of a window: the best n rows of each key and window, when the window fires.

A window aggregation whose one aggregate is the list of the best rows, and then a row out for
each of them: so every kind of window, trigger, pane and lateness goes with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from kappa.aggregates import Aggregate
from kappa.aggregates.contract import Code
from kappa.batch import Batch, plain
from kappa.errors import ConfigError, RecordRefused
from kappa.expressions import Order, Selector, orders_of, sorted_by
from kappa.operators.contract import (
    Fields,
    Instance,
    Names,
    Operator,
    OperatorContext,
    both,
    widened,
)
from kappa.operators.keyed import as_mapping
from kappa.operators.ranking import RETRACTION, Entry, Ranking, check_top
from kappa.operators.window import WindowAggregate
from kappa.operators.window_rows import LATE
from kappa.time import Duration
from kappa.triggers import Trigger
from kappa.windows import Window

PLAIN_ROW = Selector.of(plain)


@dataclass(frozen=True)
class Best(Aggregate):
    """The best rows, as a list of [place, row].

    Args:
        n: how many.
        orders: what they are sorted by; of equal ones the earliest, then the first to arrive.
        ties: all that are equal to the n-th too.
    """

    n: int
    orders: tuple[Order, ...]
    ties: bool = False

    kind: ClassVar[str] = "top"
    timed: ClassVar[bool] = True
    shares: ClassVar[bool] = True

    @property
    def sources(self) -> tuple[Selector, ...]:
        """The row, and what it is sorted by, which is never null."""
        return (PLAIN_ROW, sorted_by(self.orders))

    def code(self) -> Code:
        """One slot: entries, best first."""
        ranking = Ranking(self.n, self.orders, ties=self.ties, timed=True)

        def put(entries: list[Entry], entry: Entry) -> None:
            refuse_retraction(entry[-1])
            ranking.put(entries, entry)

        return Code(
            empty=("[]",),
            add=("{put}({a0}, [{y}, {t}, {x}])",),
            merge=("{join}({a0}, {b0})",),
            result="{ranked}({a0})",
            names={"put": put, "join": ranking.merge, "ranked": ranking.ranked},
        )


def refuse_retraction(row: Any) -> None:
    """A window keeps its best rows only, so it cannot take one back.

    Raises:
        RecordRefused: the row takes another back.
    """
    if isinstance(row, Mapping) and row.get(RETRACTION):
        raise RecordRefused(
            f"the row takes another back ({RETRACTION} is true), and the best rows of a window"
            " cannot: make a table of the stream, or use top without a window"
        )


@dataclass(frozen=True)
class WindowTop(Operator):
    """The best `n` rows of each key and window.

    The output rows are the input's, unchanged, with `window_start` and `window_end`, the
    place where it has a name, and what a pane says of itself where the window has a
    trigger; best first, at event time end - 1. Fields of these names are replaced. Rows
    that no window takes go to the side "late". A row that takes another back is refused. Of
    equal rows the earliest in event time is the better, then the first to arrive.

    Args:
        key: what groups the rows.
        window: how event time is cut.
        n: how many.
        by: by what they are sorted: a field, an expression, `desc(...)`, or several.
        ties: all rows equal to the n-th too; equal rows then have the same place.
        rank: a field for the place, from 1.
        trigger: when results come, as for an aggregation.
        panes: "accumulating", "discarding" or "retracting".
        lateness: how long after its end a window still takes records.

    Raises:
        ConfigError: an argument is wrong, or does not go with the others.

    >>> from kappa.expressions import desc
    >>> from kappa.windows import Tumbling
    >>> WindowTop(Selector.of("auction"), Tumbling("10s"), 3, desc("price")).describe()
    'keeps the 3 best rows per auction and window until the watermark reaches its end'
    """

    key: Selector
    window: Window
    n: int
    by: Any
    ties: bool = False
    rank: str | None = None
    trigger: Trigger | None = None
    panes: str = "accumulating"
    lateness: Duration = 0

    kind: ClassVar[str] = "window_top"
    stateful: ClassVar[bool] = True
    counts_rows: ClassVar[bool] = True
    sides: ClassVar[tuple[str, ...]] = (LATE,)

    def __post_init__(self) -> None:
        check_top(self.n, self.rank)
        object.__setattr__(self, "by", orders_of(self.by, "top"))
        taken = (*self.aggregation.reserved, *self.key.names)
        if self.rank in taken:
            raise ConfigError(f"top: rank is {self.rank!r}, the name of another field of each row")

    @property
    def rows(self) -> str:
        """The name of the list of rows among the aggregates; it shows in `describe`."""
        return "the best row" if self.n == 1 else f"the {self.n} best rows"

    @cached_property
    def aggregation(self) -> WindowAggregate:
        """The window aggregation behind it."""
        return WindowAggregate(
            self.key,
            self.window,
            {self.rows: Best(self.n, self.by, self.ties)},
            trigger=self.trigger,
            panes=self.panes,
            lateness=self.lateness,
        )

    def open(self, context: OperatorContext) -> Instance:
        """The window's instance, its results taken apart."""
        return BestOfWindows(self, context)

    def required(self, wanted: Fields) -> Fields:
        """What is wanted of the rows, the key's, and those sorted by."""
        made = {*self.aggregation.reserved, self.rank}
        kept = None if wanted is None else wanted - made
        return both(both(kept, self.key.fields), sorted_by(self.by).fields)

    @property
    def margin_before(self) -> int | None:
        """The window's."""
        return self.aggregation.margin_before

    @property
    def uses_append_time(self) -> bool:  # type: ignore[override]
        """Whether early panes go by append time."""
        return self.aggregation.uses_append_time

    def yields(self, inputs: Sequence[Names]) -> Names:
        """Those of its input and of its window; not certain where rows say which pane it is."""
        if self.aggregation.paned:
            return None
        rank = [] if self.rank is None else [self.rank]
        return widened(inputs[0], [*self.aggregation.reserved, *rank])

    def bound(self, min_time: int) -> int:
        """The window's."""
        return self.aggregation.bound(min_time)

    def describe(self) -> str:
        """What it keeps, and for how long."""
        return self.aggregation.describe()


class BestOfWindows(Instance):
    """The window's instance, and a row out for each of the best that a pane of it holds."""

    def __init__(self, operator: WindowTop, context: OperatorContext) -> None:
        self._windows = operator.aggregation.open(context)
        self._rows = operator.rows
        self._told = operator.aggregation.reserved
        self._rank = operator.rank

    def process(self, batch: Batch) -> Iterable[Batch]:
        """Takes rows in."""
        return self._apart(self._windows.process(batch))

    def advance(self, watermark: int) -> Iterable[Batch]:
        """Shows what is due."""
        return self._apart(self._windows.advance(watermark))

    def due(self) -> int:
        """The windows'."""
        return self._windows.due()

    def advance_append(self, append_time: int) -> Iterable[Batch]:
        """Shows early panes that are due by append time."""
        return self._apart(self._windows.advance_append(append_time))

    def append_due(self) -> int:
        """The windows'."""
        return self._windows.append_due()

    def _apart(self, batches: Iterable[Batch]) -> Iterable[Batch]:
        return [batch if batch.output else self._rows_of(batch) for batch in batches]

    def _rows_of(self, batch: Batch) -> Batch:
        """The rows in the panes of a batch."""
        indices: list[int] = []
        rows: list[Any] = []
        told = [(name, batch.column(name)) for name in self._told]
        for index, ranked in enumerate(batch.column(self._rows)):
            bounds = {name: column[index] for name, column in told}
            for place, row in ranked:
                made = {**as_mapping(row), **bounds}
                if self._rank is not None:
                    made[self._rank] = place
                indices.append(index)
                rows.append(made)
        return batch.emitted(indices, rows=rows)
