"""Tumbling and calendar windows with the default trigger: the hot path of the engine.

State: "windows", a namespace per window start, key -> accumulator. A window that has fired
is dropped, or stays for late records until end - 1 + lateness, and then "clock" tells the
two apart (`Clock`). There are no timers: what is due is the end of the earliest window.

Invariants: every window in state with end - 1 above the clock is unfired; `_cells` has the
windows in state, and `_due` is the earliest end - 1 of those not fired.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from kappa.batch import Batch
from kappa.codec import check_key
from kappa.operators.contract import OperatorContext
from kappa.operators.keyed import Columns
from kappa.operators.window_groups import Grouping
from kappa.operators.window_kernels import ADJACENT, aligned_kernel
from kappa.operators.window_rows import Clock, Spec, WindowInstance, merged
from kappa.time import MAX_TIME, MINUS_INFINITY, PLUS_INFINITY
from kappa.windows import Calendar, Tumbling


class Cell(NamedTuple):
    """A window (or slice) and its state, as the kernels take it."""

    low: int
    high: int
    new: dict[Any, Any]
    base: dict[Any, Any]
    touch: Callable[[Any], Any]

    @property
    def content(self) -> dict[Any, Any]:
        """Accumulators by key; not to be changed."""
        return merged(self.new, self.base)


class Cells(WindowInstance):
    """Accumulators in cells of event time, side by side: windows, or slices of them."""

    def __init__(self, spec: Spec, context: OperatorContext, name: str) -> None:
        super().__init__(spec, context)
        self.spaces = context.state.spaces(name)
        self._grouping = Grouping(self.layout)
        self.cells: dict[int, Cell] = {}
        self.loose: set[int] = set()  # cells whose accumulators may lack values
        for low in self.spaces.namespaces():
            assert isinstance(low, int)
            self.locate(low)
            self.loose.add(low)

    def span(self, time: int) -> tuple[int, int]:
        """Start and end of the cell of an event time."""
        raise NotImplementedError

    @property
    def grid(self) -> tuple[int, int] | None:
        """Length and offset, where all cells are of one length."""
        return None

    def opened(self, cell: Cell) -> None:
        """Takes note of a new cell."""

    def locate(self, time: int) -> Cell:
        """The cell of an event time, made on demand."""
        low, high = self.span(time)
        cell = self.cells.get(low)
        if cell is None:
            space = self.spaces.space(low)
            cell = self.cells[low] = Cell(low, high, space.new, space.base, space.touch)
            self.opened(cell)
        return cell

    def drop(self, low: int) -> None:
        """Forgets a cell."""
        del self.cells[low]
        self.loose.discard(low)
        self.spaces.drop(low)

    def take(self, batch: Batch, columns: Columns) -> list[Batch]:
        """Takes in rows of which none is late, by the loop that fits their times."""
        solid = self.solid(batch)
        cells = self._cells_of(batch)
        if self._group(batch, columns, cells, solid):
            return []
        low = [cell.low for cell in cells] or self.cells.keys()
        loose = bool(self.loose) and not self.loose.isdisjoint(low)
        heads: list[Any] = [cell.low for cell in cells[1:]]
        for cell in cells:
            heads += cell[2:]
        if self.layout.timed or len(cells) != 1:
            columns = [columns[0], batch.times, *columns[1:]]
        kernel = self._kernel(len(cells), solid, loose)
        dead = self.run(kernel, heads or self._many, batch, columns)
        if self.layout.loosens(solid):
            self.loose.update(low)
        return dead

    def _group(
        self, batch: Batch, columns: Columns, cells: list[Cell], solid: tuple[bool, ...]
    ) -> bool:
        """Takes the rows in by groups of a key, where that can be and pays."""
        if not 1 <= len(cells) <= 2 or not self._grouping.fits(columns[-1], solid):
            return False
        states = [cell[2:] for cell in cells]
        return self._grouping.take(
            states, cells[-1].low, columns[0], columns[-1], lambda: batch.times
        )

    @property
    def _many(self) -> list[Any]:
        """What the loop over any number of cells takes."""
        return [self.locate, *(() if self.grid is None else (*self.grid, self.cells.get))]

    def _cells_of(self, batch: Batch) -> list[Cell]:
        """The cells from the earliest to the latest row; none if they are many."""
        cells = [self.locate(batch.min_time)]
        while cells[-1].high <= batch.max_time:
            if len(cells) == ADJACENT:
                return []
            cells.append(self.locate(cells[-1].high))
        return cells

    def _kernel(self, cells: int, solid: tuple[bool, ...], loose: bool) -> Callable[..., None]:
        guarded = self.context.dead_letters
        return self.kernel(
            (cells, solid, loose),
            lambda: aligned_kernel(
                self.layout,
                cells,
                solid,
                loose=loose,
                guarded=guarded,
                grid=self.grid is not None,
            ),
        )

    def add(self, batch: Batch, index: int, columns: Columns) -> Batch | None:
        """Takes in one row by itself; if that fails, its dead letter."""
        key, time = columns[0][index], batch.times[index]
        try:
            cell = self.locate(time)
            values = [column[index] for column in columns[1:]]
            found = cell.touch(key)
            if found is None:
                check_key(key)
                found = self.layout.fresh()
                self.layout.add(found, time, *values)
                cell.new[key] = found
            else:
                self.add_to(found, time, values)
        except Exception as error:
            return self.failed(batch, index, key, error)
        self.loose.add(cell.low)
        return None


class AlignedWindows(Cells):
    """Windows that do not overlap: a cell is a window."""

    def __init__(self, spec: Spec, window: Tumbling | Calendar, context: OperatorContext) -> None:
        self._window = window
        self._due = PLUS_INFINITY
        self._clock = Clock(context.state.keyed("clock")) if spec.lateness else None
        super().__init__(spec, context, "windows")

    def span(self, time: int) -> tuple[int, int]:
        """The window."""
        return self._window.window_of(time)

    @property
    def grid(self) -> tuple[int, int] | None:
        """The windows', unless they follow the calendar."""
        window = self._window
        return (window.size, window.offset) if isinstance(window, Tumbling) else None

    @property
    def _fired(self) -> int:
        """Windows whose end - 1 is at or before this have fired, or are none of ours."""
        return MINUS_INFINITY if self._clock is None else self._clock.reached

    def opened(self, cell: Cell) -> None:
        """Brings the due time forward."""
        if self._fired < cell.high - 1 < self._due:
            self._due = cell.high - 1

    def due(self) -> int:
        """The end - 1 of the earliest window that has not fired."""
        return self._due

    def process(self, batch: Batch) -> Iterable[Batch]:
        """Takes rows in; rows of windows that ended are late, or fire at once."""
        out: list[Batch] = []
        if batch.count and self._window.bound(batch.min_time) <= batch.watermark:
            batch, out = self._behind(batch)
        if batch.count:
            batch, columns, dead = self.compute(batch)
            out += dead
            if batch.count:
                out += self.take(batch, columns)
        return out

    def _behind(self, batch: Batch) -> tuple[Batch, list[Batch]]:
        """Deals with the rows of windows that ended; gives the others, and what came out."""
        watermark, times = batch.watermark, batch.times
        edge = PLUS_INFINITY if watermark >= MAX_TIME else self.span(watermark + 1)[0]
        behind = [index for index, time in enumerate(times) if time < edge]
        spans = [self.span(times[index]) for index in behind]
        over = watermark - self.lateness + 1
        lost = [n for n, (_, end) in enumerate(spans) if end <= over]
        out: list[Batch] = []
        if lost:
            out.append(self.late(batch, [behind[n] for n in lost], [spans[n] for n in lost]))
        if len(lost) < len(behind):
            again = [i for i, (_, end) in zip(behind, spans) if end > over]
            out += self._fire_again(batch.take(again))
        return batch.compress([time >= edge for time in times]), out

    def _fire_again(self, batch: Batch) -> list[Batch]:
        """Every record of a window that fired, and still takes records, fires it again."""
        assert self._clock is not None
        self._clock.move(batch.watermark)
        batch, columns, out = self.compute(batch)
        kept: list[int] = []
        results: list[tuple[Any, ...]] = []
        for index in range(batch.count):
            failed = self.add(batch, index, columns)
            if failed is not None:
                out.append(failed)
                continue
            kept.append(index)
            cell = self.locate(batch.times[index])
            results.append(self.read(cell.new[columns[0][index]]))
        if kept:
            spans = [self.span(batch.times[index]) for index in kept]
            keys = [columns[0][index] for index in kept]
            out.append(self.answered(batch, kept, keys, spans, results))
        return out

    def advance(self, watermark: int) -> Iterable[Batch]:
        """Fires the windows that end, by end and key; drops those that take no more."""
        out: list[Batch] = []
        fired = self._fired
        for low in sorted(self.cells):
            cell = self.cells[low]
            if cell.high - 1 > watermark:
                break
            if cell.high - 1 > fired and (content := cell.content):
                out.append(self.fired((low, cell.high), content, kept=self.lateness > 0))
            if cell.high - 1 + self.lateness <= watermark:
                self.drop(low)
        if self._clock is not None:
            self._clock.move(watermark)
        ends = (cell.high - 1 for cell in self.cells.values())
        self._due = min((end for end in ends if end > watermark), default=PLUS_INFINITY)
        return out
