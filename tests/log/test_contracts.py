"""Contracts at append: judged in every writer, in any order of appends and settings."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path
from typing import Any

import pytest

from kappa import Log, ManualClock
from kappa.contracts.contract import Contract
from kappa.errors import ConfigError, ContractViolation, RecordRefused
from kappa.log import LSN
from kappa.log.contracts import contract_of, contracts_of, remove_contract, set_contract

BIDS = Contract(
    "bids",
    fields={
        "who": {"type": "int"},
        "ts": {"type": "int"},
        "price": {"type": "int", "min": 0, "nullable": True},
        "date": {"type": "str", "format": "%Y-%m-%d", "optional": True},
    },
)
GOOD = {"who": 1, "ts": 5, "price": 3}


def new_log(**options: Any) -> Log:
    log = Log.memory(clock=ManualClock(1_000))
    log.create_topic("bids", time="ts", key="who", partitions=2, **options)
    return log


def values(log: Log, topic: str) -> list[Any]:
    return [record.value for record in log.read(topic)]


def test_what_breaks_a_promise_is_set_aside_in_the_same_append():
    log = new_log()
    set_contract(log, BIDS)
    bad = [
        {"who": 1, "ts": 5, "price": -1},
        {"who": 1, "ts": "5", "price": 1},
        {"ts": 5, "price": 1},
        {**GOOD, "date": "03/07/2013"},
    ]
    result = log.append("bids", [GOOD, *bad])
    assert result.dead_letters == 4
    assert values(log, "bids") == [GOOD]
    letters = list(log.read("bids.dead_letters"))
    assert {one.lsn for one in letters} == {result.lsn}
    assert [one.value["record"] for one in letters] == bad
    assert [one.value["error"] for one in letters] == [
        "price: -1 is not at least 0",
        "ts: '5' is a str, not int",
        "who: missing",
        "date: 03/07/2013 does not match %Y-%m-%d",
    ]
    assert {one.value["contract"] for one in letters} == {"bids@1"}
    assert {(one.value["step"], one.value["topic"]) for one in letters} == {("append", "bids")}


def test_a_contract_that_refuses_lets_nothing_in():
    log = new_log()
    set_contract(log, Contract("bids", fields={"price": "int"}, on_violation="refuse"))
    with pytest.raises(ContractViolation, match="record 1 for bids breaks contract bids@1: price"):
        log.append("bids", [GOOD, {**GOOD, "price": "3"}])
    assert values(log, "bids") == []
    assert log.append("bids", [GOOD]).dead_letters == 0


def test_times_and_keys_that_cannot_be_read_are_set_aside_too():
    log = new_log()
    set_contract(log, Contract("bids", fields={"price": "int"}))
    rows = [{"who": [1], "ts": 5, "price": 1}, {"who": 1, "ts": "soon", "price": 1}, GOOD]
    assert log.append("bids", rows).dead_letters == 2
    errors = [one["error"] for one in values(log, "bids.dead_letters")]
    assert "cannot be a key" in errors[0]
    assert "soon" in errors[1]
    remove_contract(log, "bids")
    with pytest.raises(RecordRefused):
        log.append("bids", rows)


def test_keys_and_times_that_are_given_stay_with_their_records():
    log = Log.memory(clock=ManualClock(1_000))
    log.create_topic("bids")
    set_contract(log, Contract("bids", fields={"price": {"type": "int", "min": 0}}))
    log.append(
        "bids", [{"price": 1}, {"price": -1}, {"price": 2}], key=["a", "b", "c"], time=[5, 6, 7]
    )
    assert [(one.key, one.time, one.value["price"]) for one in log.read("bids")] == [
        ("a", 5, 1),
        ("c", 7, 2),
    ]
    (letter,) = values(log, "bids.dead_letters")
    assert (letter["key"], letter["time"]) == ("b", 6)


def test_producers_and_appends_to_several_topics_are_held_to_it():
    log = new_log()
    set_contract(log, BIDS)
    with log.producer("bids", id="loader", batch=2) as producer:
        for number, price in enumerate((1, -1, -2, 4)):
            producer.send({**GOOD, "price": price}, sequence=number)
    again = log.producer("bids", id="loader")
    assert again.last_sequence == 3
    log.create_topic("other")
    assert log.append_many({"bids": [{**GOOD, "price": -5}], "other": ["x"]}).dead_letters == 1
    assert [one["price"] for one in values(log, "bids")] == [1, 4]
    assert [one["record"]["price"] for one in values(log, "bids.dead_letters")] == [-1, -2, -5]


def test_the_skew_guard_and_the_contract_share_the_dead_letters():
    log = new_log(max_future_skew="1s")
    set_contract(log, BIDS)
    rows = [GOOD, {**GOOD, "ts": 9_000}, {**GOOD, "price": -1}]
    assert log.append("bids", rows).dead_letters == 2
    assert next(sorted(one) for one in values(log, "bids.dead_letters")) == sorted(
        values(log, "bids.dead_letters")[1]
    )


def test_versions_stay_known_over_reopening_and_rolling(tmp_path: Path):
    with Log(tmp_path, journal_bytes=400) as log:
        log.create_topic("bids", time="ts")
        assert set_contract(log, BIDS).version == 1
        assert set_contract(log, BIDS).version == 1
        stricter = Contract("bids", fields={"price": "int"}, on_violation="refuse")
        second = set_contract(log, stricter)
        assert (second.version, second.name) == (2, "bids@2")
        for _ in range(20):
            log.append("bids", [GOOD])
        remove_contract(log, "bids")
    with Log(tmp_path) as log:
        assert [one.contract for one in contracts_of(log, "bids")] == [BIDS, stricter, None]
        assert contract_of(log, "bids", 1).contract == BIDS
        with pytest.raises(ConfigError, match="has no contract; versions: 1, 2, 3"):
            contract_of(log, "bids")
        with pytest.raises(ConfigError, match="no contract version 9"):
            contract_of(log, "bids", 9)
        assert log.append("bids", [{"ts": 1, "price": "x"}]).dead_letters == 0


def test_another_process_is_held_to_a_contract_at_once(tmp_path: Path):
    with Log(tmp_path) as one, Log(tmp_path) as other:
        one.create_topic("bids", time="ts")
        other.append("bids", [GOOD])
        set_contract(one, BIDS)
        assert other.append("bids", [{**GOOD, "price": -1}]).dead_letters == 1


def test_every_record_behind_the_contract_was_held_to_it(tmp_path: Path):
    """Writers race with the setting of a contract: it decides by LSN, whoever had the lock."""
    with Log(tmp_path, fsync="never") as log, Log(tmp_path, fsync="never") as setter:
        log.create_topic("bids", time="ts")
        stop = threading.Event()

        def write() -> None:
            while not stop.is_set():
                log.append("bids", [{**GOOD, "price": -1}])

        writers = [threading.Thread(target=write) for _ in range(2)]
        for writer in writers:
            writer.start()
        made = []
        for low in range(1, 30):
            contract = Contract("bids", fields={"price": {"type": "int", "min": low}})
            made.append(set_contract(setter, contract))
            remove_contract(setter, "bids")
        stop.set()
        for writer in writers:
            writer.join()
        known = contracts_of(log, "bids")
        for before, after in itertools.pairwise(known):
            if before.contract is not None:
                inside = log.read("bids", start=LSN(before.lsn), stop=LSN(after.lsn))
                assert list(inside) == []
        assert len(known) == 58


def test_a_deleted_topic_takes_its_contract_along():
    log = new_log()
    set_contract(log, BIDS)
    log.delete_topic("bids")
    log.create_topic("bids", time="ts")
    assert contracts_of(log, "bids") == []
    assert log.append("bids", [{"ts": 1, "price": "x"}]).dead_letters == 0


def test_a_contract_that_is_too_large_is_refused():
    log = new_log()
    huge = Contract("bids", fields={"name": {"values": ["x" * 1000 + str(n) for n in range(1100)]}})
    with pytest.raises(ConfigError, match="at most 1048576"):
        set_contract(log, huge)
