"""Pipelines over topics with schemas: old rows as new ones, whenever and however they are read.

The expected rows are written down by hand, or come from a log whose rows all had the newest
shape from the start.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any

import pytest
from small import rows

from kappa import Log, Pipeline, Tumbling, agg, col
from kappa.contracts.contract import Contract
from kappa.errors import ConfigError, IncompatibleSchema, OperatorError
from kappa.quality import replay_letters, set_contract
from kappa.schemas import Field, Float, Int, Schema, String
from kappa.time import ManualClock

ONE = Schema.record("Bid", [Field("k", Int()), Field("price", Int()), Field("ts", Int())])
TWO = Schema.record(
    "Bid",
    [
        Field("k", Int()),
        Field("amount", Float(), aliases=("price",)),
        Field("ts", Int()),
        Field("unit", String(), default="EUR"),
    ],
)


def new_log() -> Log:
    log = Log.memory(clock=ManualClock(1_000))
    log.create_topic("bids", key="k", time="ts", schema=ONE)
    return log


def old_and_new(log: Log) -> None:
    """Three appends of the old shape, two of the new, of one row and of many."""
    log.append("bids", [{"k": 1, "price": 5, "ts": 1}])
    log.append("bids", [{"k": n % 3, "price": n, "ts": n} for n in range(2, 60)])
    log.append("bids", [{"k": 2, "price": 7, "ts": 61}])
    log.set_schema("bids", TWO)
    log.append("bids", [{"k": 1, "amount": 1.5, "ts": 62, "unit": "USD"}])
    log.append("bids", [{"k": n % 3, "amount": n / 2, "ts": n} for n in range(63, 90)])


def same_from_the_start() -> Log:
    log = Log.memory(clock=ManualClock(1_000))
    log.create_topic("bids", key="k", time="ts", schema=TWO)
    old = new_log()
    old_and_new(old)
    for record in old.read("bids"):
        log.append("bids", [record.value])
    return log


def units(name: str = "units") -> Pipeline:
    """An aggregate by columns, a function of rows, and rows as they are."""
    pipeline = Pipeline(name)
    bids = pipeline.source("bids")
    windows = bids.key_by("k", "unit").window(Tumbling(10))
    windows.aggregate(n=agg.count(), total=agg.sum("amount")).to("totals")
    bids.map(lambda row: {"text": f"{row['amount']} {row['unit']}"}).to("texts")
    bids.filter(col("amount") > 3).to("dear")
    return pipeline


@pytest.mark.parametrize("size", [1, 3, 100_000])
def test_old_rows_are_new_ones_to_a_pipeline_whatever_is_read_at_once(size: int):
    log, plain = new_log(), same_from_the_start()
    old_and_new(log)
    units().run(log, until_idle=True, drain=True, read_records=size)
    units().run(plain, until_idle=True, drain=True)
    for topic in ("totals", "texts", "dear"):
        assert list(map(repr, rows(log, topic))) == list(map(repr, rows(plain, topic)))
    assert rows(log, "texts")[0] == {"text": "5.0 EUR"}
    assert set(rows(log, "dear")[0]) == {"k", "amount", "ts", "unit"}


def test_a_key_of_the_record_itself_and_mixed_shapes_are_seen_too():
    log = Log.memory(clock=ManualClock(1_000))
    note = Field("note", String(), required=False)
    log.create_topic("bids", key="k", schema=Schema.record("Bid", [Field("k", Int()), note]))
    log.append("bids", [{"k": 1}, {"k": 2, "note": "x"}])
    remark = Field("remark", String(), default="-", aliases=("note",))
    log.set_schema("bids", Schema.record("Bid", [Field("k", Float()), remark]))
    log.append("bids", [{"k": 3.0, "remark": "z"}])
    pipeline = Pipeline("p")
    pipeline.source("bids").key_by("k").reduce(lambda a, b: b).to("last")
    pipeline.source("bids").select("remark").to("remarks")
    pipeline.run(log, until_idle=True)
    assert [row["remark"] for row in rows(log, "remarks")] == ["-", "x", "z"]
    assert rows(log, "last")[:2] == [{"k": 1.0, "remark": "-"}, {"k": 2.0, "remark": "x"}]


def test_a_version_goes_on_with_the_schema_it_began_with_and_a_replay_takes_the_newest():
    log = new_log()
    log.append("bids", [{"k": 1, "price": 5, "ts": 1}])

    def texts() -> Pipeline:
        pipeline = Pipeline("texts")
        pipeline.source("bids").map(lambda row: {"names": sorted(row)}).to("names")
        return pipeline

    texts().run(log, until_idle=True)
    more = Schema.record("Bid", [*ONE.fields, Field("unit", String(), default="EUR")])
    log.set_schema("bids", more)
    log.append("bids", [{"k": 1, "price": 6, "ts": 2, "unit": "USD"}])
    texts().run(log, until_idle=True)
    assert rows(log, "names") == [{"names": ["k", "price", "ts"]}] * 2
    texts().replay(log)
    assert rows(log, "names@2") == [{"names": ["k", "price", "ts", "unit"]}] * 2
    texts().replay(log, schemas={"bids": 1})
    assert rows(log, "names@3") == rows(log, "names@1")
    texts().replay(log, schemas={"bids": 0})
    assert [len(row["names"]) for row in rows(log, "names@4")] == [3, 4]
    for wrong in ({"bids": 3}, {"asks": 1}):
        with pytest.raises(ConfigError, match="schemas says version"):
            texts().replay(log, schemas=wrong)


def test_a_schema_that_is_set_under_a_live_run_shows_no_more_than_to_one_that_starts_later():
    log = new_log()
    log.append("bids", [{"k": 1, "price": 5, "ts": 1}])
    pipeline = Pipeline("texts")
    pipeline.source("bids").map(lambda row: {"names": sorted(row)}).to("names")
    running = pipeline.start(log)

    def answered(lsn: int) -> None:
        while not any(entry.origin == lsn for entry in log.entries(0)):
            log.wait(log.end_lsn, 1.0)

    answered(1 + log.schemas("bids")[0].lsn)
    more = Schema.record("Bid", [*ONE.fields, Field("unit", String(), default="EUR")])
    log.set_schema("bids", more)
    answered(log.append("bids", [{"k": 1, "price": 6, "ts": 2, "unit": "USD"}]).lsn)
    running.stop()
    running.wait()
    assert rows(log, "names") == [{"names": ["k", "price", "ts"]}] * 2


def test_rows_that_the_pinned_schema_cannot_show_are_seen_as_they_are():
    log = new_log()
    log.append("bids", [{"k": 1, "price": 5, "ts": 1}])
    pipeline = Pipeline("p")
    pipeline.source("bids").select("price").to("prices")
    pipeline.run(log, until_idle=True)
    log.set_schema("bids", TWO)
    log.append("bids", [{"k": 1, "amount": 6.5, "ts": 2}])
    with pytest.raises(OperatorError, match="unknown field 'price'"):
        pipeline.run(log, until_idle=True)


def test_a_preview_and_sql_see_the_newest_and_sql_what_it_was_as_of_then():
    log = new_log()
    old_and_new(log)
    pipeline = Pipeline("p")
    stream = pipeline.source("bids")
    assert stream.preview(log, rows=1) == [{"k": 1, "amount": 5.0, "ts": 1, "unit": "EUR"}]
    found = log.sql("SELECT sum(amount) AS s, count(DISTINCT unit) AS u FROM bids").rows()
    assert found == [{"s": sum(r.value["amount"] for r in log.read("bids")), "u": 2}]
    before = log.schemas("bids")[1].lsn - 1
    assert log.sql("SELECT max(price) AS m FROM bids", as_of=before).rows() == [{"m": 59}]


def test_a_breaking_change_names_the_pipelines_that_read_the_field_and_no_others():
    log = new_log()
    log.append("bids", [{"k": 1, "price": 5, "ts": 1}])
    reader, other, whole = Pipeline("reader"), Pipeline("other"), Pipeline("whole")
    reader.source("bids").filter(lambda row: row["price"] > 1).select("k").to("a")
    other.source("bids").select("k").to("b")
    whole.source("bids").to("c")
    for pipeline in (reader, other, whole):
        pipeline.run(log, until_idle=True)
    new = Schema.record("Bid", [Field("k", Int()), Field("price", String()), Field("ts", Int())])
    with pytest.raises(IncompatibleSchema) as caught:
        log.set_schema("bids", new)
    assert caught.value.readers == {"reader@1": ("price",), "whole@1": ("price",)}
    assert "reader@1 reads price" in caught.value.message
    gone = log.check_schema("bids", Schema.record("Bid", [ONE.fields[0], ONE.fields[2]]))
    assert gone and gone.removed == ("price",) and set(gone.readers) == {"reader@1", "whole@1"}


def test_a_mended_record_counts_at_its_old_place_but_is_read_as_it_was_written():
    log = Log.memory(clock=ManualClock(1_000))
    log.create_topic("bids", key="k", time="ts", schema=ONE)
    set_contract(log, Contract("bids", fields={"price": {"type": "int", "max": 10}}))
    log.append("bids", [{"k": 1, "price": 5, "ts": 1}, {"k": 1, "price": 500, "ts": 2}])
    log.append("bids", [{"k": 1, "price": 5, "ts": 30}])
    set_contract(log, Contract("bids"))
    log.set_schema("bids", TWO)

    def mend(row: dict[str, Any]) -> dict[str, Any]:
        return {"k": row["k"], "amount": row["price"] / 100, "ts": row["ts"], "unit": "EUR"}

    assert replay_letters(log, "bids", mend=mend).records.appended == 1
    units().replay(log, late="mended")
    totals = [(row["window_start"], row["n"], row["total"]) for row in rows(log, "totals")]
    assert totals == [(0, 2, 10.0), (30, 1, 5.0)]


def test_what_is_recomputed_is_made_of_what_the_version_sees():
    """The schema was raised after the run began; its rows are corrected, not made otherwise."""
    log = Log.memory(clock=ManualClock(1_000))
    log.create_topic("bids", key="k", time="ts", schema=ONE)
    set_contract(log, Contract("bids", fields={"price": {"type": "int", "max": 10}}))
    pipeline = Pipeline("names")
    bids = pipeline.source("bids")
    names = bids.map(lambda row: {"k": row["k"], "n": len(row)}).key_by("k").window(Tumbling(10))
    names.aggregate(fields=agg.max("n"), rows=agg.count()).to("fields")
    log.append("bids", [{"k": 1, "price": 5, "ts": 1}, {"k": 1, "price": 500, "ts": 2}])
    log.append("bids", [{"k": 1, "price": 5, "ts": 30}])
    pipeline.run(log, until_idle=True)
    set_contract(log, Contract("bids"))
    log.set_schema("bids", Schema.record("Bid", [*ONE.fields, Field("unit", String(), "EUR")]))
    replay_letters(log, "bids", pipeline=pipeline)
    found = [(row["window_start"], row["fields"], row["rows"]) for row in rows(log, "fields")]
    assert found == [(0, 3, 1), (0, 3, 2)]


class Unit(enum.Enum):
    EURO = "EUR"
    DOLLAR = "USD"


@dataclass
class Part:
    n: int


@dataclass
class Order:
    k: int
    unit: Unit
    tags: set[str]
    parts: tuple[Part, ...] = ()


def classes() -> list[Any]:
    import msgspec
    import pydantic

    class OrderStruct(msgspec.Struct):
        k: int
        unit: Unit
        tags: set[str]
        parts: tuple[Part, ...] = ()

    class OrderModel(pydantic.BaseModel):
        k: int
        unit: Unit
        tags: set[str]
        parts: tuple[Part, ...] = ()

    return [Order, OrderStruct, OrderModel]


@pytest.mark.parametrize("kind", classes(), ids=lambda one: one.__name__)
@pytest.mark.parametrize("count", [1, 40])
def test_rows_of_a_pipeline_are_what_was_declared_and_are_stored_as_they_were(
    kind: Any, count: int
):
    log = Log.memory(clock=ManualClock(1_000))
    log.create_topic("orders", schema=kind)
    given = [
        {"k": n, "unit": Unit.DOLLAR, "tags": {"a", "b"}, "parts": (Part(n),)} for n in range(count)
    ]
    plain = [{"k": n, "unit": "USD", "tags": ["a", "b"], "parts": [{"n": n}]} for n in range(count)]
    log.append("orders", [kind(**one) for one in given])
    assert rows(log, "orders") == plain
    pipeline = Pipeline("p")
    orders = pipeline.source("orders", rows=kind)

    def look(order: Any) -> dict[str, Any]:
        assert type(order) is kind and order.unit is Unit.DOLLAR
        assert order.tags == {"a", "b"} and order.parts == (Part(order.k),)
        return {"seen": order.k}

    orders.map(look).to("seen")
    orders.filter(lambda order: True).to("copies")
    orders.select("unit").to("units")
    pipeline.run(log, until_idle=True)
    assert rows(log, "seen") == [{"seen": n} for n in range(count)]
    assert rows(log, "units") == [{"unit": "USD"}] * count
    assert rows(log, "copies") == plain
    found = [record.value for record in log.read("orders", rows=kind)]
    assert found == [kind(**one) for one in given]
