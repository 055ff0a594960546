"""Aggregates over the last rows of a key, kept up to date as rows come and go.

Time, or the count of rows, is cut into blocks as long as the frame, so that a frame never
reaches over more than two: it is the end of the block before, and the beginning of this one.
The beginning is one accumulator that grows; the ends are made all at once when a block is
full, backwards, one accumulator per row. So a row costs two additions and a merge, whatever
the frame's length, and what is added to what depends on the frame's rows alone, not on what
came before: a sum of floats is the same in a replay that starts in the middle.

Aggregates whose accumulators hold containers (collect, count_distinct, quantile, ...) would
need as many copies of them as there are rows: those are computed anew from the frame's rows.

Source: van Herk, "A fast algorithm for local minimum and maximum filters", 1992.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any, TypeAlias

from kappa.aggregates import Aggregate, Layout
from kappa.state.copies import detached

Cell: TypeAlias = "list[Any]"
"""What a key keeps: [block, beginning, rows of the block, ends, rows of the frame, last time].

`ends` has [time, accumulator] per row of the block before, the oldest last.
"""
BLOCK, BEGINNING, ROWS, ENDS, FRAME, LAST = range(6)
TIME = itemgetter(0)


class Frames:
    """The aggregates of a frame, split by how they are kept.

    Args:
        aggregates: by output name.
        rows: the frame's length in rows, or None.
        span: its length in ms, or None.

    Attributes:
        names: of the results, in order.
        layouts: of the accumulators, one or two.
    """

    def __init__(
        self, aggregates: Mapping[str, Aggregate], *, rows: int | None, span: int | None
    ) -> None:
        flat = {part.name for part in Layout(aggregates).parts if part.flat}
        self.names = tuple(aggregates)
        self.rows = rows
        self.span = span
        self.kept = _layout({name: one for name, one in aggregates.items() if name in flat})
        self.anew = _layout({name: one for name, one in aggregates.items() if name not in flat})
        # Each wants the values of its own inputs, as one list.
        self.layouts = [layout for layout in (self.kept, self.anew) if layout is not None]

    def fresh(self) -> Cell:
        """What a key has that has not seen a row."""
        return [0, None, [], [], [], None]

    def take(self, cell: Cell, time: int, rows: Sequence[Sequence[Any]]) -> list[Any]:
        """Takes in rows of one time, not earlier than any before; the results of their frame.

        Args:
            cell: of the key; unchanged if this raises.
            time: of the rows.
            rows: for each, the values for every layout; one only where the frame has a
                length in rows.
        """
        results: dict[str, Any] = {}
        beginning = None
        if self.kept is not None:
            block = self._turn(cell, time)
            beginning = self._begun(cell, time, [values[0] for values in rows])
            results |= self._result(self.kept, self._whole(cell, beginning))
        if self.anew is not None:
            kept = self._left(cell[FRAME], time, len(rows))
            frame = [*cell[FRAME][kept:], *([time, values[-1]] for values in rows)]
            total = self.anew.fresh()
            for at, values in frame:
                self.anew.add(total, at, *values)
            results |= self._result(self.anew, total)
            cell[FRAME] = frame
        if self.kept is not None:
            cell[BLOCK], cell[BEGINNING] = block, beginning
            cell[ROWS] += [[time, values[0]] for values in rows]
        cell[LAST] = time
        return [results[name] for name in self.names]

    # -- in blocks ---------------------------------------------------------------------------

    def _turn(self, cell: Cell, time: int) -> int:
        """Begins a new block where one is due, and lets go of what leaves the frame."""
        if self.span is not None:
            block = time // self.span
            if block != cell[BLOCK] and cell[BEGINNING] is not None:
                self._begin_block(cell)
            ends = cell[ENDS]
            while ends and ends[-1][0] <= time - self.span:
                ends.pop()
            return block
        assert self.rows is not None
        if len(cell[ROWS]) == self.rows:
            self._begin_block(cell)
        del cell[ENDS][self.rows - 1 - len(cell[ROWS]) :]
        return 0

    def _begin_block(self, cell: Cell) -> None:
        layout = self.kept
        assert layout is not None
        ends: list[list[Any]] = []
        for time, values in reversed(cell[ROWS]):
            end = layout.fresh()
            layout.add(end, time, *values)
            if ends:
                layout.merge(end, ends[-1][1])
            ends.append([time, end])
        cell[BEGINNING], cell[ROWS], cell[ENDS] = None, [], ends

    def _begun(self, cell: Cell, time: int, rows: Sequence[Sequence[Any]]) -> list[Any]:
        """The block's beginning with more rows."""
        layout = self.kept
        assert layout is not None
        beginning = layout.fresh() if cell[BEGINNING] is None else cell[BEGINNING][:]
        for values in rows:
            layout.add(beginning, time, *values)
        return beginning

    def _whole(self, cell: Cell, beginning: list[Any]) -> list[Any]:
        """The accumulator of the frame."""
        if not cell[ENDS]:
            return beginning
        total: list[Any] = cell[ENDS][-1][1][:]
        assert self.kept is not None
        self.kept.merge(total, beginning)
        return total

    # -- anew --------------------------------------------------------------------------------

    def _left(self, frame: list[Any], time: int, more: int) -> int:
        """How many rows of a frame leave it when `more` come."""
        if self.span is not None:
            return bisect_right(frame, time - self.span, key=TIME)
        assert self.rows is not None
        return max(0, len(frame) + more - self.rows)

    def _result(self, layout: Layout, accumulator: list[Any]) -> dict[str, Any]:
        values = layout.read(accumulator)
        return dict(zip(layout.names, map(detached, values) if layout.shares else values))


def _layout(aggregates: Mapping[str, Aggregate]) -> Layout | None:
    return Layout(aggregates) if aggregates else None
