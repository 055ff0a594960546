"""Files loaded into a topic with a schema: its types say what texts are, and nothing is guessed."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal as D
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from kappa import Log
from kappa.connect import load
from kappa.connect.sources import Reading
from kappa.connect.times import TimeField
from kappa.contracts.contract import Contract
from kappa.errors import SourceError
from kappa.quality import letters_of, set_contract
from kappa.schemas import (
    Bool,
    Date,
    Decimal,
    Enum,
    Field,
    Float,
    Int,
    List,
    Schema,
    String,
    Timestamp,
    Uuid,
    optional,
)

SCHEMA = Schema.record(
    "Order",
    [
        Field("id", Uuid()),
        Field("code", String()),
        Field("n", Int()),
        Field("price", Decimal(8, 2)),
        Field("share", Float()),
        Field("paid", Bool()),
        Field("day", optional(Date())),
        Field("at", Timestamp()),
        Field("side", Enum("Side", ("buy", "sell"))),
        Field("note", optional(String())),
    ],
)
ROW = {
    "id": UUID(int=7), "code": "007", "n": 5, "price": D("9.90"), "share": 2.0, "paid": True,
    "day": None, "at": dt.datetime(2026, 1, 2, 12, tzinfo=dt.UTC), "side": "buy", "note": "",
}  # fmt: skip
CSV = f"""id,code,n,price,share,paid,day,at,side,note
{UUID(int=7)},007,5,9.90,2,true,,2026-01-02T12:00:00Z,buy,
"""
JSON = f"""{{"id": "{UUID(int=7)}", "code": "007", "n": 5, "price": 9.9, "share": 2, "paid": true, \
"day": null, "at": "2026-01-02T12:00:00Z", "side": "buy", "note": ""}}
"""


@pytest.fixture
def log() -> Any:
    with Log.memory() as made:
        made.create_topic("orders", schema=SCHEMA, time="at", key="id")
        yield made


def values(log: Log) -> list[Any]:
    return [record.value for record in log.read("orders")]


@pytest.mark.parametrize(("name", "text"), [("o.csv", CSV), ("o.jsonl", JSON)])
def test_cells_and_texts_become_what_the_schema_says(
    log: Log, tmp_path: Path, name: str, text: str
):
    (tmp_path / name).write_text(text)
    assert load(log, "orders", tmp_path / name).appended == 1
    (record,) = log.read("orders")
    assert record.value == ROW | {"price": record.value["price"]}
    assert record.value["price"] == D("9.9") and type(record.value["price"]) is D
    assert record.key == UUID(int=7) and record.time == int(ROW["at"].timestamp() * 1000)
    assert SCHEMA.check(record.value) == []


def test_a_line_that_does_not_fit_is_named_or_set_aside_with_the_reason(log: Log, tmp_path: Path):
    path = tmp_path / "o.csv"
    path.write_text(CSV + CSV.splitlines()[1].replace("buy", "hold").replace(",007", ",8") + "\n")
    with pytest.raises(SourceError, match=r"line 3: field 'side': expected one of buy, sell"):
        load(log, "orders", path)
    assert values(log) == [ROW]
    done = load(log, "orders", path, on_error="dead_letter")
    assert (done.repeated, done.broken) == (1, 1)
    (letter,) = (record.value for record in log.read("orders.dead_letters"))
    assert letter["line"] == 3 and "got str 'hold'" in letter["error"]
    load(log, "orders", path, on_error="dead_letter")
    assert len(list(log.read("orders.dead_letters"))) == 1


def test_with_a_contract_that_diverts_the_append_sets_it_aside(log: Log, tmp_path: Path):
    set_contract(log, Contract("orders"))
    (tmp_path / "o.jsonl").write_text(JSON + JSON.replace("9.9", '"much"'))
    assert load(log, "orders", tmp_path / "o.jsonl").broken == 0
    assert len(values(log)) == 1
    (letter,) = letters_of(log, "orders")
    assert "field 'price': expected decimal(8, 2), got str 'much'" in letter.error


def test_a_time_in_a_form_of_its_own_becomes_a_timestamp(tmp_path: Path):
    with Log.memory() as log:
        schema = Schema.record("R", [Field("at", Timestamp()), Field("tags", List(Date()))])
        log.create_topic("t", schema=schema, time="at")
        (tmp_path / "t.jsonl").write_text('{"at": "02.01.2026 13:00", "tags": ["2026-01-02"]}\n')
        how = TimeField("at", format="%d.%m.%Y %H:%M", zone="Europe/Paris")
        load(log, "t", tmp_path / "t.jsonl", time=how)
        (record,) = log.read("t")
        assert record.value == {"at": ROW["at"], "tags": [dt.date(2026, 1, 2)]}


def test_what_was_loaded_under_an_older_schema_is_not_judged_by_the_newer(log: Log, tmp_path: Path):
    path = tmp_path / "o.csv"
    path.write_text(CSV)
    load(log, "orders", path)
    fields = [one for one in SCHEMA.fields if one.name != "code"]
    log.set_schema("orders", Schema.record("Order", fields))
    assert load(log, "orders", path).repeated == 1


def test_columns_that_the_schema_does_not_know_are_not_lost_silently(tmp_path: Path):
    with Log.memory() as log:
        schema = Schema.record("R", [Field("a", Int())])
        log.create_topic("t", schema=schema)
        (tmp_path / "t.csv").write_text("a,b\n1,x\n")
        with pytest.raises(SourceError, match=r"'b'.*no such field"):
            load(log, "t", tmp_path / "t.csv", reading=Reading(format="csv"))
        log.set_schema("t", Schema.record("R", schema.fields, open=True))
        load(log, "t", tmp_path / "t.csv")
        assert [record.value for record in log.read("t")] == [{"a": 1, "b": "x"}]
