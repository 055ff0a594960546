"""One operator, driven by hand: rows in, watermark up, rows out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from kappa.batch import Batch
from kappa.operators.contract import Operator, OperatorContext
from kappa.runtime.driver import Driver
from kappa.state import StepState


class Emitted(NamedTuple):
    """A row that an operator gave.

    Args:
        time: its event time, ms.
        row: the row.
        output: "" for the main output, else the side's name.
        lsn: of the append it answers.
    """

    time: int
    row: Any
    output: str
    lsn: int


class Harness:
    """Opens one operator on empty state and drives it as a run would.

    Args:
        operator: the description.
        time: the field with the event time.
        params: values of parameters.

    >>> from kappa import Tumbling, agg
    >>> from kappa.expressions import Selector
    >>> from kappa.operators import WindowAggregate
    >>> harness = Harness(
    ...     WindowAggregate(Selector.of("k"), Tumbling(10), {"n": agg.count()}))
    >>> harness.append({"k": "a", "ts": 3}, {"k": "a", "ts": 4}, watermark=4)
    []
    >>> [emitted.row["n"] for emitted in harness.advance(9)]
    [2]
    """

    def __init__(
        self, operator: Operator, *, time: str = "ts", params: Mapping[str, Any] | None = None
    ) -> None:
        self.operator = operator
        self.time = time
        self.params = dict(params or {})
        self.lsn = 0
        self.append_time = 0
        self.counters: dict[str, int] = {}
        self.state = StepState("harness")
        self.driver = self._open()

    def _open(self) -> Driver:
        context = OperatorContext(
            step="harness", state=self.state, params=self.params, counters=self.counters
        )
        return Driver(self.operator, self.operator.open(context), 0, False)

    @property
    def watermark(self) -> int:
        """Where the operator's watermark stands."""
        return self.driver.watermark

    def append(
        self,
        *rows: Mapping[str, Any],
        watermark: int | None = None,
        append_time: int | None = None,
        port: int = 0,
    ) -> list[Emitted]:
        """One append of rows, judged against the watermark before it.

        Args:
            rows: with the event time in field `time`.
            watermark: after the append; stays as it is by default.
            append_time: of the append, ms; stays as it is by default.
            port: the input they arrive at.
        """
        self.lsn += 1
        self.append_time = self.append_time if append_time is None else append_time
        level = self.watermark if watermark is None else max(watermark, self.watermark)
        batches = []
        if rows:
            batch = Batch.of_rows(list(rows), [row[self.time] for row in rows], lsn=self.lsn)
            batch.port = port
            batches.append(batch)
        found = self.driver.run(batches, [level], [self.lsn], [self.append_time])
        return [
            Emitted(time, row, batch.output, self.lsn)
            for batch in found
            for time, row in zip(batch.times, batch.rows(fresh=True), strict=True)
        ]

    def advance(self, watermark: int) -> list[Emitted]:
        """Moves the watermark without rows."""
        return self.append(watermark=watermark)

    def reopen(self) -> None:
        """Closes the operator and goes on from its snapshot, as after a crash."""
        frames = self.state.snapshot(full=True)
        watermark = self.watermark
        self.driver.instance.close()
        self.state = StepState("harness")
        self.state.restore(frames)
        self.driver = self._open()
        self.driver.watermark = watermark
