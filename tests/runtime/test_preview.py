"""A preview shows rows and leaves no trace."""

from __future__ import annotations

from small import bids, new_log

from kappa import Pipeline, Tumbling, agg, col


def test_a_preview_shows_the_first_rows_and_writes_nothing():
    log = new_log()
    for time in range(100):
        log.append("bids", bids(time))
    end = log.end_lsn
    pipeline = Pipeline("p")
    stream = pipeline.source("bids").filter(col("ts") > 3)
    counts = stream.key_by("k").window(Tumbling(10)).aggregate(n=agg.count())
    counts.to("out")
    stream.map(lambda row: 1 // 0).to("other branches do not run".replace(" ", "-"))
    assert [row["ts"] for row in stream.preview(log, rows=3)] == [4, 5, 6]
    assert [row["n"] for row in counts.preview(log, rows=100)] == [6] + [10] * 9
    assert log.end_lsn == end
