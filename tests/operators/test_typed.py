"""Rows as instances of a dataclass: functions get them, columns stay where nobody asks."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from small import bids, new_log, rows

from kappa import Pipeline, col
from kappa.errors import OperatorError


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
