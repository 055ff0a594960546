"""Drives one keyed operator over a history of appends, in units of any size (R1).

`outputs` takes the history in one LSN after the other, or in units, with checkpoints and
restores in between; what comes out must be the same, per LSN and output, in order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from hypothesis import strategies as st

from kappa.batch import Batch
from kappa.operators.contract import Operator, OperatorContext
from kappa.runtime.driver import Driver
from kappa.state import StepState
from kappa.time import MINUS_INFINITY, PLUS_INFINITY

Append = tuple[list[tuple[int, Any]], int]
"""Rows with their times, and the watermark after them."""

Outputs = dict[tuple[int, str], list[tuple[int, Any]]]


class Driven:
    """An operator on its state, restored from checkpoints on request."""

    def __init__(self, operator: Operator, **options: Any) -> None:
        self.operator = operator
        self.options = options
        self.counters: dict[str, int] = {}
        self.state = StepState("step")
        self.chain: list[bytes] = []
        self.watermark = MINUS_INFINITY
        self.driver = self.open()

    def open(self) -> Driver:
        ranked = self.options.get("ranked", False)
        context = OperatorContext("step", self.state, counters=self.counters, **self.options)
        driver = Driver(self.operator, self.operator.open(context), 0, ranked)
        driver.watermark = self.watermark
        return driver

    def checkpoint(self) -> None:
        self.chain += self.state.snapshot()
        self.state.commit()

    def restore(self) -> None:
        self.checkpoint()
        self.watermark = self.driver.watermark
        self.state = StepState("step")
        self.state.restore(self.chain)
        self.driver = self.open()

    def take(self, unit: Sequence[Append], first_lsn: int) -> Outputs:
        lsns = list(range(first_lsn, first_lsn + len(unit)))
        rows = [row for items, _ in unit for _, row in items]
        times = [time for items, _ in unit for time, _ in items]
        runs, stop = [], 0
        for lsn, (items, _) in zip(lsns, unit, strict=True):
            stop += len(items)
            if items:
                runs.append((lsn, stop))
        batches = []
        if rows:
            batch = Batch.of_rows([copied(row) for row in rows], times)
            batch.runs = runs
            if self.options.get("ranked"):
                batch.ranks = [(0, 0, number) for number in range(len(rows))]
            batches.append(batch)
        marks = [watermark for _, watermark in unit]
        levels = self.driver.levels(marks)
        found = self.driver.run(batches, levels, lsns, [0] * len(lsns))
        self.state.check()
        return by_lsn(found)


def copied(row: Any) -> Any:
    return dict(row) if isinstance(row, dict) else row


def by_lsn(batches: Iterable[Batch]) -> Outputs:
    out: Outputs = {}
    for batch in batches:
        if batch.count:
            rows = batch.rows(fresh=True)
            ranks = batch.ranks or [()] * batch.count
            for lsn, time, row, _ in zip(batch.lsns(), batch.times, rows, ranks, strict=True):
                out.setdefault((lsn, batch.output), []).append((time, row))
    return out


def outputs(
    operator: Operator,
    appends: Sequence[Append],
    *,
    sizes: Sequence[int] = (),
    restores: Sequence[bool] = (),
    close: bool = True,
    **options: Any,
) -> Outputs:
    """What comes out; units have `sizes` (then one append each), restored before some."""
    driven = Driven(operator, **options)
    history: list[Append] = [*appends, ([], PLUS_INFINITY)] if close else list(appends)
    out: Outputs = {}
    at = number = 0
    while at < len(history):
        size = sizes[number] if number < len(sizes) else 1
        if number < len(restores) and restores[number]:
            driven.restore()
        unit = history[at : at + size]
        if close and at + size >= len(history) and len(unit) > 1:
            unit = unit[:-1]  # closing is a unit of its own
        out.update(driven.take(unit, at + 1))
        at += len(unit)
        number += 1
    return out


def rows_of(found: Outputs, output: str = "") -> list[Any]:
    """The rows of one output, in order."""
    return [row for (_, name), rows in sorted(found.items()) for _, row in rows if name == output]


KEYS = st.sampled_from(["a", "b", 1, 1.0, None])


@st.composite
def histories(draw: Callable[..., Any]) -> list[Append]:
    """Appends of few keys over few times, with watermarks that only rise."""
    appends: list[Append] = []
    watermark = -5
    n = 0
    for _ in range(draw(st.integers(1, 8))):
        rows = []
        for _ in range(draw(st.integers(0, 3))):
            n += 1
            time = draw(st.integers(0, 30))
            rows.append((time, {"k": draw(KEYS), "n": n, "ts": time}))
        watermark += draw(st.sampled_from([0, 0, 1, 5, 12]))
        appends.append((rows, watermark))
    return appends


@st.composite
def cuts(draw: Callable[..., Any]) -> tuple[list[int], list[bool]]:
    """How a history is cut into units, and before which of them the state is restored."""
    return (
        draw(st.lists(st.integers(1, 4), max_size=8)),
        draw(st.lists(st.booleans(), max_size=8)),
    )


def same_however_cut(
    operator: Operator, appends: Sequence[Append], cut: tuple[list[int], list[bool]]
) -> Outputs:
    """Asserts R1 for the history; returns what comes out."""
    plain = outputs(operator, appends)
    sizes, restores = cut
    assert outputs(operator, appends, sizes=sizes, restores=restores) == plain
    ranked = outputs(operator, appends, sizes=sizes, restores=restores, ranked=True)
    assert ranked == plain
    return plain
