"""Keyed state: one row out for each row in, from the log on disk into a topic."""

from __future__ import annotations

from typing import Any, ClassVar

from benchmarks.data import BOUND, Row
from benchmarks.harness import Workload, opened, read_rows
from kappa import KeyedStream, Pipeline, Stream, agg


class Keyed(Workload):
    """Replays the log through one keyed step."""

    sizes = {"smoke": 4_000, "real": 500_000}

    def steps(self, bids: KeyedStream[Any]) -> Stream[Any]:
        """The step."""
        raise NotImplementedError

    def engine(self) -> int:
        """The version that the replay wrote."""
        pipeline = Pipeline(self.name)
        bids = pipeline.source("bids", out_of_orderness=BOUND).key_by("auction")
        self.steps(bids).named("step").to("changes")
        with opened(self.case.folder / "log") as log:
            return pipeline.replay(log, checkpoint_every=None).version

    def engine_rows(self, result: int) -> list[Row]:
        """The rows of that version."""
        return read_rows(self.case.folder / "log", "changes", result)


class RunningTotals(Keyed):
    """Aggregates so far."""

    name: ClassVar[str] = "running"
    does: ClassVar[str] = "running count, sum and max per key, a row out per row in"

    def steps(self, bids: KeyedStream[Any]) -> Stream[Any]:
        """The aggregates."""
        return bids.aggregate(bids=agg.count(), total=agg.sum("price"), high=agg.max("price"))

    def loop(self) -> list[Row]:
        """The same with a dict of lists."""
        state: dict[Any, list[int]] = {}
        out: list[Row] = []
        for row in self.case.rows:
            key, price = row["auction"], row["price"]
            found = state.get(key)
            if found is None:
                found = state[key] = [1, price, price]
            else:
                found[0] += 1
                found[1] += price
                if price > found[2]:
                    found[2] = price
            out.append({"auction": key, "bids": found[0], "total": found[1], "high": found[2]})
        return out


class StatefulMap(Keyed):
    """A function of state and row."""

    name: ClassVar[str] = "stateful_map"
    does: ClassVar[str] = "stateful_map: how much each bid is above the one before of its key"

    @staticmethod
    def rise(last: int, row: Row) -> tuple[int, Row]:
        """The state is the last price."""
        price = row["price"]
        return price, {"auction": row["auction"], "rise": price - last}

    def steps(self, bids: KeyedStream[Any]) -> Stream[Any]:
        """The function."""
        return bids.stateful_map(int, self.rise)

    def loop(self) -> list[Row]:
        """The same function in a plain loop."""
        state: dict[Any, int] = {}
        out: list[Row] = []
        rise = self.rise
        for row in self.case.rows:
            key = row["auction"]
            last = state.get(key)
            state[key], made = rise(0 if last is None else last, row)
            out.append(made)
        return out
