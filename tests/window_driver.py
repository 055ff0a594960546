"""A driver of one instance that follows the contract to the letter, and cuts where it likes.

Several appends are taken in at once wherever `due` and `bound` allow it and the test wants
it; snapshots are taken, and the step is opened again from them, between any two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from window_model import NEG, POS, Append, Output

from kappa.batch import Batch
from kappa.operators.contract import Instance, Operator, OperatorContext
from kappa.state import StepState


@dataclass(frozen=True)
class Cuts:
    """What a run does: the most appends at once, and what happens after each.

    `marks` are read in turn: "s" takes an incremental snapshot, "f" a full one, "r" goes on
    from the last snapshot's frames as after a crash. `columns` sends columns, not rows.
    """

    at_once: tuple[int, ...] = (1,)
    marks: str = "-"
    columns: bool = False
    ranked: bool = True


@dataclass
class Run:
    operator: Operator
    cuts: Cuts
    state: StepState = field(default_factory=lambda: StepState("step"))
    frames: list[bytes] = field(default_factory=list)
    counters: dict[str, int] = field(default_factory=dict)
    level: int = NEG
    taken_together: int = 0

    def __post_init__(self) -> None:
        self.instance = self.open()

    def open(self) -> Instance:
        context = OperatorContext(
            "step", self.state, ranked=self.cuts.ranked, counters=self.counters
        )
        return self.operator.open(context)

    def run(self, log: Sequence[Append]) -> list[Output]:
        self.out = [Output() for _ in range(len(log) + 1)]
        first = turn = 0
        while first < len(log):
            wanted = self.cuts.at_once[turn % len(self.cuts.at_once)]
            last = self.reach(log, first, wanted)
            self.take(log, first, last)
            self.mark(self.cuts.marks[turn % len(self.cuts.marks)])
            first, turn = last + 1, turn + 1
        if self.instance.due() <= POS:
            self.emit(self.instance.advance(POS), len(log))
        return self.out

    def reach(self, log: Sequence[Append], first: int, wanted: int) -> int:
        """The last append that may be taken in with `first`, up to the number wanted."""
        if self.operator.uses_append_time:
            return first
        due, last = self.instance.due(), first
        while last + 1 < len(log) and last + 1 - first < wanted:
            rows = [row for append in log[first : last + 2] for row in append.rows]
            bound = self.operator.bound(min(time for time, _ in rows)) if rows else POS
            if due <= log[last].level or bound <= log[last].level:
                break
            last += 1
        self.taken_together += last > first
        return last

    def take(self, log: Sequence[Append], first: int, last: int) -> None:
        now = log[first].time
        if self.instance.append_due() <= now:
            self.emit(self.instance.advance_append(now), first)
        batch = self.batch(log, first, last)
        if batch.count:
            self.emit(self.instance.process(batch), None)
        level = log[last].level
        if self.instance.due() <= level:
            self.emit(self.instance.advance(level), last)
        self.level = level

    def batch(self, log: Sequence[Append], first: int, last: int) -> Batch:
        runs, rows, times = [], [], []
        for lsn in range(first, last + 1):
            for time, row in log[lsn].rows:
                rows.append(dict(row))
                times.append(time)
            if log[lsn].rows:
                runs.append((lsn, len(rows)))
        if self.cuts.columns and rows:
            columns = {name: [row[name] for row in rows] for name in rows[0]}
            solid = frozenset(n for n, v in columns.items() if {*map(type, v)} == {int})
            batch = Batch.of_columns(columns, times, solid=solid)
        else:
            batch = Batch.of_rows(rows, times)
        batch.runs, batch.watermark = runs, self.level
        if self.cuts.ranked:
            batch.ranks = [(0, n) for n in range(len(rows))]
        return batch

    def emit(self, batches: Any, lsn: int | None) -> None:
        for batch in batches:
            if lsn is not None:
                self.check_order(batch)
                batch.runs = [(lsn, batch.count)]
            assert batch.count == len(batch.times)
            for name in batch.solid if batch.columnar else ():
                if batch.has(name):
                    assert {*map(type, batch.column(name))} <= {int}, name
            for at, time, row in zip(batch.lsns(), batch.times, batch.rows(fresh=True)):
                side = self.out[at].late if batch.output == "late" else self.out[at].main
                side.append((time, row))

    def check_order(self, batch: Batch) -> None:
        if self.cuts.ranked and batch.count:
            ranks = batch.ranks
            assert ranks is not None and len(ranks) == batch.count
            assert ranks == sorted(ranks), ranks

    def mark(self, mark: str) -> None:
        if mark in "sf":
            if mark == "f":
                self.frames = []
            self.frames += self.state.snapshot(full=mark == "f")
            self.state.commit()
        if mark == "r":
            self.frames += self.state.snapshot()
            self.state.commit()
            self.instance.close()
            self.state = StepState("step")
            self.state.restore(self.frames)
            self.instance = self.open()
        self.state.check()
