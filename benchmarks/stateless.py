"""Filter and map from the log on disk into a topic, against a loop that builds a list."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from benchmarks.data import BOUND, Row
from benchmarks.harness import Workload, opened, read_rows
from kappa import Pipeline, Stream, col


class Stateless(Workload):
    """Replays the log through a filter and a map; half of the rows pass."""

    def steps(self, bids: Stream[Any]) -> Stream[Any]:
        """The two steps."""
        raise NotImplementedError

    def engine(self) -> int:
        """The version that the replay wrote."""
        pipeline = Pipeline(self.name)
        self.steps(pipeline.source("bids", out_of_orderness=BOUND)).to("euros")
        with opened(self.case.folder / "log") as log:
            return pipeline.replay(log, checkpoint_every=None).version

    def engine_rows(self, result: int) -> list[Row]:
        """The rows of that version."""
        return read_rows(self.case.folder / "log", "euros", result)

    def inline(self) -> list[Row]:
        """A comprehension without any call."""
        return [
            {"auction": row["auction"], "euros": row["price"] * 0.92}
            for row in self.case.rows
            if row["price"] >= 500
        ]


class Lambdas(Stateless):
    """The steps as functions of a row."""

    name: ClassVar[str] = "lambdas"
    does: ClassVar[str] = "filter + map over lambdas; to a loop calling the same, and one inline"

    def __init__(self, case: Any) -> None:
        super().__init__(case)
        self.keep: Callable[[Row], bool] = lambda row: row["price"] >= 500
        self.change: Callable[[Row], Row] = lambda row: {
            "auction": row["auction"],
            "euros": row["price"] * 0.92,
        }

    def steps(self, bids: Stream[Any]) -> Stream[Any]:
        """By lambdas."""
        return bids.filter(self.keep).map(self.change)

    def loop(self) -> list[Row]:
        """The same lambdas in a plain loop."""
        out = []
        keep, change = self.keep, self.change
        for row in self.case.rows:
            if keep(row):
                out.append(change(row))
        return out

    def others(self) -> Mapping[str, Callable[[], Any]]:
        """The loop without calls."""
        return {"inline": self.inline}


class Expressions(Stateless):
    """The steps as expressions."""

    name: ClassVar[str] = "expressions"
    does: ClassVar[str] = "the same filter + map as expressions; to the inline loop"

    def steps(self, bids: Stream[Any]) -> Stream[Any]:
        """By expressions."""
        return bids.filter(col("price") >= 500).select("auction", euros=col("price") * 0.92)

    def loop(self) -> list[Row]:
        """The inline loop."""
        return self.inline()
