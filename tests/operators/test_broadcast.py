"""Broadcast state: written by one stream, read alike under every key of the other."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from kappa import BroadcastState, Pipeline, ValueState
from kappa.errors import ConfigError, OperatorError
from kappa.testing import run


class Priced:
    rates = BroadcastState()
    seen = ValueState(default=0)

    def on_broadcast(self, row, ctx):
        self.rates.put(row["currency"], row["rate"])
        if row["rate"] is None:
            ctx.emit({"gone": row["currency"], "left": len(self.rates)})

    def on_record(self, row, ctx):
        self.seen.set(self.seen.get() + 1)
        ctx.emit({"k": ctx.key, "n": self.seen.get(), "rate": self.rates.get(row["c"], 0)})


def priced(cls=Priced, **options) -> Pipeline:
    pipeline = Pipeline("p", **options)
    rules = pipeline.source("rates")
    pipeline.source("orders").key_by("k").process(cls, broadcast=rules).to("out")
    return pipeline


def rate(ts, currency, rate):
    return {"ts": ts, "currency": currency, "rate": rate}


def order(ts, k, c):
    return {"ts": ts, "k": k, "c": c}


def test_every_key_reads_what_was_broadcast_before():
    found = run(
        priced(),
        {
            "rates": [rate(1, "usd", 2), rate(5, "usd", 3), rate(8, "usd", None)],
            "orders": [order(0, "a", "usd"), order(2, "a", "usd"), order(3, "b", "usd"),
                       order(6, "b", "usd"), order(9, "a", "usd")],
        },
    )["out"]  # fmt: skip
    assert found == [
        {"k": "a", "n": 1, "rate": 0},
        {"k": "a", "n": 2, "rate": 2},
        {"k": "b", "n": 1, "rate": 2},
        {"k": "b", "n": 2, "rate": 3},
        {"gone": "usd", "left": 0},
        {"k": "a", "n": 3, "rate": 0},
    ]


class Writes(Priced):
    def on_record(self, row, ctx):
        self.rates.put("x", 1)


class Times(Priced):
    def on_broadcast(self, row, ctx):
        ctx.set_timer(ctx.time + 5)

    def on_timer(self, time, tag, ctx):
        pass


@pytest.mark.parametrize(
    ("cls", "words"), [(Writes, "written outside of on_broadcast"), (Times, "belongs to no key")]
)
def test_what_a_key_may_not_do_is_said(cls, words):
    inputs = {"rates": [rate(1, "usd", 2)], "orders": [order(2, "a", "usd")]}
    with pytest.raises(OperatorError, match=words):
        run(priced(cls), inputs)


def test_a_row_that_fails_is_set_aside_and_the_others_go_on():
    inputs = {
        "rates": [{"ts": 1, "currency": "usd"}, rate(2, "usd", 2)],
        "orders": [order(3, "a", "usd"), {"ts": 4, "k": "a"}, order(5, "a", "usd")],
    }
    found = run(priced(on_error="dead_letter"), inputs)
    assert [row["rate"] for row in found["out"]] == [2, 2]
    assert len(found["p.dead_letters"]) == 2


def test_a_class_and_its_streams_must_go_together():
    pipeline = Pipeline("p")
    orders = pipeline.source("orders").key_by("k")
    with pytest.raises(ConfigError, match="listens to a broadcast stream"):
        orders.process(Priced)

    class Deaf:
        def on_record(self, row, ctx):
            pass

    with pytest.raises(ConfigError, match="has no method on_broadcast"):
        orders.process(Deaf, broadcast=pipeline.source("rates"))
    with pytest.raises(ConfigError, match="belong to two pipelines"):
        orders.process(Priced, broadcast=Pipeline("q").source("rates"))


@dataclass
class Order:
    k: str
    c: str
    ts: int


def test_rows_stay_what_they_are():
    kinds = []

    class Typed(Priced):
        def on_record(self, row, ctx):
            kinds.append(type(row))

    pipeline = Pipeline("p")
    orders = pipeline.source("orders", rows=Order)
    orders.key_by("k").process(Typed, broadcast=pipeline.source("rates")).to("out")
    run(pipeline, {"rates": [], "orders": [order(1, "a", "b")]})
    assert kinds == [Order]
