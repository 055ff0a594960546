"""Rows as instances of a dataclass: functions get them, columns stay where nobody asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from small import bids, new_log, rows

from kappa import Log, Pipeline, Tumbling, agg, col, desc
from kappa.errors import OperatorError
from kappa.patterns import prev, row
from kappa.time import ManualClock


@dataclass
class Bid:
    k: int
    price: int
    ts: int
    currency: str = "EUR"


def test_functions_get_instances_and_sinks_write_their_fields():
    log = new_log()
    log.append("bids", bids(3, 9))
    pipeline = Pipeline("typed")
    stream = pipeline.source("bids", rows=Bid)
    stream.filter(lambda bid: bid.price > 2).to("dear")
    stream.map(lambda bid: {"text": f"{bid.price} {bid.currency}"}).to("texts")
    stream.filter(col("price") > 2).select("price").to("prices")
    pipeline.run(log, until_idle=True)
    assert rows(log, "dear") == [{"k": 1, "price": 3, "ts": 3, "currency": "EUR"}]
    assert rows(log, "texts") == [{"text": "3 EUR"}, {"text": "2 EUR"}]
    assert rows(log, "prices") == [{"price": 3}]


def test_only_the_fields_in_use_are_read():
    pipeline = Pipeline("typed")
    pipeline.source("bids", rows=Bid).select("price").to("prices")
    assert "reads fields price" in pipeline.explain()


def test_a_row_that_lacks_a_field_is_named():
    log = new_log()
    log.append("bids", [{"k": 1, "ts": 5}])
    pipeline = Pipeline("typed")
    pipeline.source("bids", rows=Bid).map(lambda bid: {"p": bid.price}).to("out")
    with pytest.raises(OperatorError, match="unknown field 'price'"):
        pipeline.run(log, until_idle=True)


@dataclass(frozen=True)
class Offer:
    k: int
    v: int
    ts: int


@pytest.mark.parametrize(
    "build",
    [
        lambda s: s.top(1, by=desc("v")),
        lambda s: s.top(1, by=desc("v"), emit="final"),
        lambda s: s.window(Tumbling(5)).top(1, by=desc("v")),
        lambda s: s.over(rows=2).aggregate(n=agg.count()),
        lambda s: s.pattern([row("a"), row("b", col("v") > prev("v"))], select={"v": col("v")}),
    ],
    ids=["top", "final", "window", "over", "pattern"],
)
def test_steps_that_keep_rows_keep_those_of_a_dataclass_as_mappings(build: Any) -> None:
    """A checkpoint could not hold the instances of a class that is not registered."""
    pipeline = Pipeline("p")
    offers = pipeline.source("in", rows=Offer, out_of_orderness=2)
    build(offers.key_by(lambda offer: offer.k)).to("out")
    log = Log.memory(clock=ManualClock(0))
    log.create_topic("in", time="ts")
    for n in range(8):
        log.append("in", [{"k": n % 2, "v": n * 7 % 5, "ts": n}])
    pipeline.run(log, until_idle=True)
    pipeline.run(log, drain=True)
    rows = [record.value for record in log.read("out")]
    assert rows
    assert all(isinstance(one, dict) and "v" in one for one in rows)
