"""A pipeline reads a compacted topic: what is left of it, whatever the appends were.

Method: the same topic, compacted or not; the running totals of what is left must be those
of a plain loop over `log.read`.
"""

from __future__ import annotations

import pytest

from kappa import Log, Pipeline, agg
from kappa.time import ManualClock


@pytest.mark.parametrize("rows_per_append", [1, 2, 5])
@pytest.mark.parametrize("partitions", [1, 2])
def test_a_pipeline_reads_what_compaction_left(rows_per_append: int, partitions: int) -> None:
    log = Log.memory(clock=ManualClock(1_000), segment_bytes=90)
    log.create_topic("prices", partitions=partitions, key="k", time="t", compact=True)
    rows = [{"k": n % 3, "v": n, "t": n} for n in range(30)]
    for at in range(0, len(rows), rows_per_append):
        log.append("prices", rows[at : at + rows_per_append])
    (done,) = log.compact()
    assert done.records > 5
    left = [record.value["v"] for record in log.read("prices")]
    pipeline = Pipeline("totals")
    prices = pipeline.source("prices")
    prices.key_by("k").aggregate(total=agg.sum("v")).to("totals")
    pipeline.run(log, until_idle=True)
    assert len(list(log.read("totals"))) == len(left)
    last = {record.value["k"]: record.value["total"] for record in log.read("totals")}
    wanted: dict[int, int] = {}
    for value in left:
        wanted[value % 3] = wanted.get(value % 3, 0) + value
    assert last == wanted
