"""Rows that are taken back are never counted as more rows without a word."""

from __future__ import annotations

import pytest

from kappa import AtWatermark, OnCount, Pipeline, Session, Tumbling, agg, col, desc
from kappa.errors import ConfigError
from kappa.patterns import row
from kappa.testing import run

BIDS = [{"k": "a", "v": v, "ts": ts} for ts, v in enumerate([3, 9, 5, 1])]


def bids():
    pipeline = Pipeline("p")
    return pipeline, pipeline.source("bids").key_by("k")


RETRACTING = {
    "top": lambda a: a.top(1, by=desc("v")),
    "panes": lambda a: a.window(
        Tumbling(10), trigger=AtWatermark(early=OnCount(1)), panes="retracting"
    ).aggregate(v=agg.sum("v")),
    "changes": lambda a: a.table().changes().key_by("k"),
    "through": lambda a: a.top(1, by=desc("v")).with_columns(w=col("v")).filter(col("v") > 0)
    .key_by("k"),
}  # fmt: skip
COUNTING = {
    "aggregate": lambda a: a.aggregate(n=agg.count()),
    "window": lambda a: a.window(Session(5)).aggregate(n=agg.count()),
    "window top": lambda a: a.window(Tumbling(5)).top(1, by="v"),
    "over": lambda a: a.over(rows=2).aggregate(n=agg.count()),
    "pattern": lambda a: a.pattern([row("a"), row("b")], select={"v": col("v")}),
    "join": lambda a: a.join(a, keep="1d"),
    "window join": lambda a: a.join(a, window=Tumbling(5)),
    "as of": lambda a: a.as_of_join(a),
    "deduplicate": lambda a: a.deduplicate(),
}


@pytest.mark.parametrize("counting", COUNTING)
@pytest.mark.parametrize("retracting", RETRACTING)
def test_a_step_that_counts_rows_is_refused_behind_one_that_takes_rows_back(retracting, counting):
    pipeline, a = bids()
    COUNTING[counting](RETRACTING[retracting](a)).to("out")
    with pytest.raises(ConfigError, match=r"would count what .* takes back.*\.table\(\)"):
        pipeline.plan()


@pytest.mark.parametrize(
    "sound",
    [
        lambda a: a.key_by("k").table().group_by().aggregate(v=agg.sum("v")),
        lambda a: a.key_by("k").top(1, by="v"),
        lambda a: a.filter(~col("retraction")).key_by("k").aggregate(v=agg.sum("v")),
        lambda a: a.filter(lambda r: not r["retraction"]).key_by("k").aggregate(v=agg.sum("v")),
        lambda a: a.without("retraction").key_by("k").aggregate(v=agg.sum("v")),
        lambda a: a.select("k", "v").key_by("k").aggregate(v=agg.sum("v")),
        lambda a: a.map(lambda r: r).key_by("k").aggregate(v=agg.sum("v")),
    ],
)
def test_what_says_how_it_deals_with_them_is_not(sound):
    pipeline, a = bids()
    sound(RETRACTING["top"](a)).to("out")
    pipeline.plan()


def test_behind_a_table_they_are_what_they_mean():
    pipeline, a = bids()
    best = RETRACTING["top"](a).key_by("k").table()
    best.group_by().aggregate(v=agg.sum("v")).to("out")
    assert run(pipeline, {"bids": BIDS})["out"][-1] == {"v": 9}
