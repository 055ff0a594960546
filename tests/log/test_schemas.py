"""Schemas in the log: what is refused at append, what is read back, who may set what."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path
from typing import Any

import pytest

from kappa import Log, Pipeline
from kappa.contracts.contract import Contract
from kappa.errors import (
    ConfigError,
    ContractViolation,
    IncompatibleSchema,
    RecordRefused,
    SchemaViolation,
)
from kappa.log import LSN
from kappa.log.contracts import set_contract
from kappa.schemas import Field, Float, Int, Schema, String

ONE = Schema.record("Bid", [Field("auction", Int()), Field("price", Int())])
TWO = Schema.record(
    "Bid",
    [
        Field("auction", Int()),
        Field("amount", Float(), aliases=("price",)),
        Field("unit", String(), default="EUR"),
    ],
)
ROWS = [{"auction": 1, "price": 5}, {"auction": 2, "price": 7}]


@pytest.fixture
def log() -> Any:
    with Log.memory() as made:
        made.create_topic("bids", key="auction", schema=ONE)
        yield made


def values(log: Log, **options: Any) -> list[Any]:
    return [record.value for record in log.read("bids", **options)]


@pytest.mark.parametrize("count", [3, 100])  # a small body and a large one
def test_a_row_that_does_not_fit_is_refused_with_field_row_expected_and_got(log: Log, count: int):
    rows = [dict(ROWS[0]) for _ in range(count)]
    rows[2]["price"] = "7"
    with pytest.raises(SchemaViolation) as caught:
        log.append("bids", rows)
    error = caught.value
    assert isinstance(error, ContractViolation) and isinstance(error, RecordRefused)
    assert (error.topic, error.field) == ("bids", "price")
    (problem,) = error.problems
    assert (problem.row, problem.expected, problem.got) == (2, "int64", "str '7'")
    for part in ("bids", "'price'", "row 2", "int64", "str '7'"):
        assert part in error.message
    assert values(log) == []


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ({"auction": 1}, "price"),
        ({"auction": 1, "price": None}, "price"),
        ({"auction": 1, "price": True}, "price"),
        ({"auction": 1, "price": 1.0}, "price"),
        ({"auction": 1, "price": 1 << 63}, "price"),
        ({"auction": 1, "price": 1, "cost": 1}, "cost"),
        ({"auction": 1, "cost": 1}, "price"),
        ("text", None),
    ],
)
def test_each_way_to_misfit_is_caught(log: Log, row: Any, field: str | None):
    with pytest.raises(SchemaViolation) as caught:
        log.append("bids", [ROWS[0], row])
    assert caught.value.field == field and caught.value.problems[0].row == 1


def test_a_producer_and_many_topics_at_once_are_held_to_it_too(log: Log):
    with pytest.raises(SchemaViolation), log.producer("bids", id="p") as producer:
        producer.send({"auction": 1, "price": "x"})
    with pytest.raises(SchemaViolation):
        log.append_many({"bids": [{"auction": "x", "price": 1}]})
    assert values(log) == []


def test_ints_become_floats_and_defaults_are_stored():
    with Log.memory() as log:
        log.create_topic("bids", partitions=3, key="auction", schema=TWO)
        log.append("bids", [{"auction": n, "amount": n} for n in range(50)])
        log.append("bids", [{"auction": 1, "amount": 1}, {"auction": 2, "amount": 2, "unit": "X"}])
        found = values(log, schema="written")
        assert all(type(row["amount"]) is float and "unit" in row for row in found)
        assert sorted(row["unit"] for row in found) == ["EUR"] * 51 + ["X"]


def test_old_rows_are_seen_through_the_newest_schema(log: Log):
    log.append("bids", ROWS)
    made = log.set_schema("bids", TWO)
    assert (made.version, made.compatibility) == (2, "BACKWARD_TRANSITIVE")
    log.append("bids", [{"auction": 3, "amount": 9, "unit": "USD"}])
    assert values(log) == [
        {"auction": 1, "amount": 5.0, "unit": "EUR"},
        {"auction": 2, "amount": 7.0, "unit": "EUR"},
        {"auction": 3, "amount": 9.0, "unit": "USD"},
    ]
    assert values(log, schema="written")[:2] == ROWS
    assert values(log, start=1, stop=2) == [{"auction": 2, "amount": 7.0, "unit": "EUR"}]
    with pytest.raises(ConfigError, match="schema is 3"):
        values(log, schema=3)
    with pytest.raises(SchemaViolation):
        log.append("bids", ROWS)  # the old shape


def test_an_older_version_reads_newer_rows_where_it_can(log: Log):
    log.append("bids", ROWS)
    more = Schema.record("Bid", [*ONE.fields, Field("unit", String(), default="EUR")])
    log.set_schema("bids", more)
    log.append("bids", [{"auction": 3, "price": 9}])
    assert values(log, schema=1)[2] == {"auction": 3, "price": 9}


def test_a_breaking_change_is_refused_with_all_that_breaks(log: Log):
    log.append("bids", ROWS)
    new = Schema.record("Bid", [Field("auction", String()), Field("cost", Int())])
    assert not log.check_schema("bids", new)
    with pytest.raises(IncompatibleSchema) as caught:
        log.set_schema("bids", new)
    assert [(one.version, one.direction, one.field) for one in caught.value.breaks] == [
        (1, "backward", "auction"),
        (1, "backward", "cost"),
    ]
    assert "version 1" in caught.value.message and "BACKWARD_TRANSITIVE" in caught.value.message
    assert len(log.schemas("bids")) == 1
    log.set_schema("bids", new, compatibility="NONE")
    assert values(log) == ROWS, "what cannot be read through the newest stays as it was written"


def test_the_same_schema_again_changes_nothing_and_a_mode_alone_can_be_set(log: Log):
    end = log.end_lsn
    assert log.set_schema("bids", ONE).version == 1 and log.end_lsn == end
    assert log.set_schema("bids", ONE, compatibility="full").compatibility == "FULL"
    assert [one.version for one in log.schemas("bids")] == [1]
    with pytest.raises(IncompatibleSchema):
        log.set_schema("bids", TWO)  # FULL: version 1 cannot read a float as an int
    log.create_topic("bids", key="auction", schema=ONE, if_exists="ok")
    assert len(log.schemas("bids")) == 1


def test_a_class_of_another_name_is_the_record_that_the_topic_has():
    old = dataclasses.make_dataclass("Bid", [("auction", int)])
    new = dataclasses.make_dataclass("BidV2", [("auction", int), ("unit", str, "EUR")])
    with Log.memory() as log:
        log.create_topic("bids", schema=old)
        log.append("bids", [old(1)])
        log.create_topic("bids", schema=new, if_exists="ok")
        log.append("bids", [new(2, "USD"), new(3)])
        assert [record.value for record in log.read("bids", rows=new)] == [
            new(1, "EUR"), new(2, "USD"), new(3, "EUR"),
        ]  # fmt: skip


def test_the_registry_is_a_topic_that_only_schemas_write(log: Log):
    log.set_schema("bids", TWO)
    records = list(log.read("_schemas"))
    assert [(one.key, one.value["version"]) for one in records] == [("bids", 1), ("bids", 2)]
    assert [Schema.from_dict(one.value["schema"]) for one in records] == [ONE, TWO]
    assert [one.lsn for one in log.schemas("bids")] == [one.lsn for one in records]
    with pytest.raises(ConfigError, match="written by the schema registry"):
        log.append("_schemas", [{}])
    with pytest.raises(ConfigError, match="stays"):
        log.delete_topic("_schemas")
    with Log.memory() as other, pytest.raises(ConfigError, match="topic of the log's schemas"):
        other.create_topic("_schemas")


def test_schemas_are_there_again_and_for_others_who_have_the_log_open(tmp_path: Path):
    with Log(tmp_path / "log") as log, Log(tmp_path / "log") as other:
        log.create_topic("bids", key="auction", schema=ONE)
        with pytest.raises(SchemaViolation):
            other.append("bids", [{"auction": 1, "price": "x"}])
        other.append("bids", ROWS)
        log.set_schema("bids", TWO)
        # The other has not read on: what it encodes by version 1 is encoded again.
        with pytest.raises(SchemaViolation, match="version 2"):
            other.append("bids", ROWS)
        assert values(other)[0]["unit"] == "EUR"
    with Log(tmp_path / "log") as log:
        assert [one.schema for one in log.schemas("bids")] == [ONE, TWO]
        assert values(log)[1] == {"auction": 2, "amount": 7.0, "unit": "EUR"}


def test_a_topic_made_again_has_no_schema_of_the_one_before(log: Log):
    log.delete_topic("bids")
    log.create_topic("bids")
    log.append("bids", ["anything"])
    assert log.schema("bids") is None and log.schemas("bids") == ()


def test_the_first_schema_of_a_topic_with_rows_has_to_fit_them():
    with Log.memory() as log:
        log.create_topic("bids")
        log.append("bids", [{"price": 1}, {"price": 2.5}, {"price": 3, "unit": "X"}])
        fields = [Field("price", Float()), Field("unit", String(), default="EUR")]
        with pytest.raises(IncompatibleSchema, match=r"offset 1.*'price'") as caught:
            log.set_schema("bids", Schema.record("Bid", [Field("price", Int())]))
        assert (caught.value.offset, caught.value.lsn) == (1, 2)
        log.set_schema("bids", Schema.record("Bid", fields))
        assert [repr(row) for row in values(log)] == [
            "{'price': 1.0, 'unit': 'EUR'}",
            "{'price': 2.5, 'unit': 'EUR'}",
            "{'price': 3.0, 'unit': 'X'}",
        ]


def test_with_mode_none_the_rows_before_it_stay_as_they_are():
    with Log.memory() as log:
        log.create_topic("bids")
        log.append("bids", ["text"])
        log.set_schema("bids", ONE, compatibility="NONE")
        log.append("bids", ROWS)
        assert values(log) == ["text", *ROWS]


def test_what_a_class_cannot_be_made_of_is_named(log: Log):
    log.append("bids", ROWS)
    lacking = dataclasses.make_dataclass("Lacking", [("auction", int), ("who", str)])
    with pytest.raises(ContractViolation, match=r"offset 0: the record is no Lacking: .*'who'"):
        list(log.read("bids", rows=lacking))
    with pytest.raises(ConfigError, match="rows is <class 'int'>"):
        log.read("bids", rows=int)


def test_a_contract_that_no_row_of_the_schema_can_keep_is_refused(log: Log):
    for fields, message in [
        ({"price": "str"}, "'price' is str in the contract and int64 in the schema"),
        ({"who": "str"}, "the schema has no field 'who'"),
    ]:
        with pytest.raises(ConfigError, match=message):
            set_contract(log, Contract("bids", fields=fields))
    fine = {"price": "number", "auction": {"type": "int", "min": 0}, "who": {"optional": True}}
    assert set_contract(log, Contract("bids", fields=fine)).version == 1
    log.append("bids", ROWS)
    assert values(log) == ROWS


def test_topics_that_others_write_have_no_schema(log: Log):
    pipeline = Pipeline("p")
    pipeline.source("bids").to("out")
    pipeline.run(log, until_idle=True)
    for topic in ("_schemas", "out"):
        with pytest.raises(ConfigError, match=r"is written by (the schema registry|p@1)"):
            log.set_schema(topic, Schema.record("R", [], open=True))


def test_a_record_that_takes_its_key_out_is_of_no_shape():
    """A tombstone of a compacted topic passes schema and contract; elsewhere None is no row."""
    with Log.memory() as log:
        log.create_topic("stock", key="auction", compact=True)
        log.append("stock", ROWS)
        log.append("stock", [None], key=1)
        log.set_schema("stock", ONE)
        set_contract(log, Contract("stock", fields={"price": "int"}))
        log.append("stock", [{"auction": 3, "price": 9}, None, {"auction": 4, "price": 1}],
                   key=[3, 2, 4])  # fmt: skip
        assert dict(log.view("stock")) == {
            3: {"auction": 3, "price": 9},
            4: {"auction": 4, "price": 1},
        }
        log.append("stock", [None, {"auction": "x", "price": 1}], key=[3, 5])
        assert list(log.view("stock")) == [4], "what does not fit is set aside, the other is taken"
        set_contract(log, Contract("stock"))
        log.set_schema("stock", TWO)
        assert dict(log.view("stock")) == {4: {"auction": 4, "amount": 1.0, "unit": "EUR"}}
    with Log.memory() as log:
        log.create_topic("bids", key="auction", schema=ONE)
        with pytest.raises(SchemaViolation):
            log.append("bids", [None], key=1)


@pytest.mark.parametrize("what", ["key", "time"])
def test_the_topics_key_and_time_are_fields_of_its_schema(what: str):
    with Log.memory() as log:
        with pytest.raises(ConfigError, match=f"'at'.*the {what} of bids"):
            log.create_topic("bids", schema=ONE, **{what: "at"})
        assert log.topics() == []
    with Log.memory() as log, pytest.raises(ConfigError, match="must be an int, a timestamp"):
        log.create_topic("bids", schema=Schema.record("R", [Field("at", Float())]), time="at")


def test_no_append_slips_through_while_a_schema_is_set():
    with Log.memory() as log:
        log.create_topic("bids", schema=ONE)
        stop, odd = threading.Event(), []

        def append() -> None:
            while not stop.is_set():
                try:
                    log.append("bids", [{"auction": 1, "price": 1}])
                except SchemaViolation:
                    log.append("bids", [{"auction": 1, "amount": 1}])

        threads = [threading.Thread(target=append) for _ in range(3)]
        for thread in threads:
            thread.start()
        while log.end_lsn < 100:
            log.wait(log.end_lsn, 1.0)
        since = log.set_schema("bids", TWO).since
        while log.end_lsn < since + 100:
            log.wait(log.end_lsn, 1.0)
        stop.set()
        for thread in threads:
            thread.join()
        for record in log.read("bids", schema="written"):
            if ("amount" in record.value) is not (record.lsn > since):
                odd.append(record)
        assert odd == []
        assert all("unit" in record.value for record in log.read("bids", start=LSN(1)))
