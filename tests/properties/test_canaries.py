"""Each harness keeps a canary: a fault planted on purpose, which it must report.

A double count is in live and replay alike, so only the oracle can see it. A step whose output
depends on how the log was cut into batches agrees with the oracle for some read sizes, and
only comparing read sizes is sure to see it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import oracle
import pytest
from harness import Written, built, expected, filled, written
from strategies import Dual, Put, Scenario

from kappa import Log, Pipeline
from kappa.operators import Operator
from kappa.operators.contract import Instance
from kappa.time import PLUS_INFINITY

SCENARIO = Scenario(
    {"a": 3},
    tuple(
        Put({"a": [{"ts": t, "k": t % 2, "name": "a", "v": 1, "p": t}]}) for t in range(0, 60, 3)
    ),
)


def counted(dual: Dual) -> dict[str, oracle.Node]:
    step = oracle.FlatMap(oracle.Source("a"), dual)
    return {"out": oracle.Window(step, ("k",), ("tumbling", 10, 0), {"n": ("count", None)})}


def twice(row):
    return [row, row] if row["ts"] == 30 else [row]


HONEST = Dual("honest", lambda row: [row], lambda stream: stream)
DOUBLE = Dual("double count", lambda row: [row], lambda stream: stream.flat_map(twice))


def both(sinks, log: Log) -> tuple[Written, Written]:
    built(sinks).run(log, until_idle=True)
    built(sinks).replay(log, version=2)
    return written(log, sinks, 1), written(log, sinks, 2)


def test_canary_a_double_count_is_seen_by_the_oracle_and_by_nothing_else():
    for dual, equal in ((HONEST, True), (DOUBLE, False)):
        sinks, log = counted(dual), filled(SCENARIO)
        live, replayed = both(sinks, log)
        assert live.appends == replayed.appends
        assert (replayed.rows("out") == expected(log, SCENARIO.topics, sinks).rows("out")) is equal


@dataclass(frozen=True)
class CountPerBatch(Operator):
    """Breaks the contract: every row says how many rows came with it."""

    kind: ClassVar[str] = "count per batch"

    def open(self, context):
        return _CountPerBatch()

    def bound(self, min_time):
        return PLUS_INFINITY


class _CountPerBatch(Instance):
    def process(self, batch):
        rows = [{**row, "v": batch.count} for row in batch.rows(fresh=True)]
        return [batch.with_rows(rows)]


def test_canary_output_that_depends_on_batches_is_seen_by_comparing_read_sizes():
    log = filled(SCENARIO)
    pipeline = Pipeline("p")
    pipeline.source("a").then(CountPerBatch()).to("out")
    pipeline.replay(log, version=1, read_records=1)
    pipeline.replay(log, version=2, read_records=4096)
    one, other = (written(log, {"out": None}, version).appends for version in (1, 2))
    with pytest.raises(AssertionError):
        assert one == other
