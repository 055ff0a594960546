"""Expectations in a pipeline: severities, windows, results, and what a wrong use says."""

from __future__ import annotations

from typing import Any

import pytest

from kappa import Log, ManualClock, Pipeline, Session, Tumbling, agg
from kappa import expectations as ex
from kappa.contracts.results import RESULT_FIELDS
from kappa.errors import ConfigError, ContractViolation
from kappa.quality import check
from kappa.quality.report import page
from kappa.testing import run


def bids(*prices: Any, step: int = 4) -> list[dict[str, Any]]:
    return [{"price": price, "ts": at * step} for at, price in enumerate(prices)]


def judged(rows: list[dict[str, Any]], *rules: ex.Expectation, **options: Any) -> dict[str, Any]:
    pipeline = Pipeline("p")
    pipeline.source("bids").expect(*rules, **options).to("out")
    return run(pipeline, {"bids": rows})


def test_each_severity_does_what_it_says():
    rows = bids(1, -1, None, 200)
    low = ex.expect_column_values_to_be_between("price", 0, severity="dead_letter")
    high = ex.expect_column_values_to_be_between("price", max_value=100)
    there = ex.expect_column_values_to_not_be_null("price", severity="dead_letter")
    out = judged(rows, low, high, there)
    assert [row["price"] for row in out["out"]] == [1, 200]
    letters = out["p.dead_letters"]
    assert [letter["error"] for letter in letters] == [
        "price: -1 is not at least 0",
        "price: missing",
    ]
    assert [(one["record"]["ts"], one["offset"], one["topic"]) for one in letters] == [
        (4, 1, "bids"),
        (8, 2, "bids"),
    ]
    (result,) = out["p.quality"]
    assert result["message"] == "price: 200 is not at most 100"
    assert (result["offset"], result["severity"]) == (3, "warn")
    assert tuple(result) == RESULT_FIELDS or set(result) == set(RESULT_FIELDS)

    stop = ex.expect_column_values_to_be_between("price", 0, severity="stop")
    with pytest.raises(ContractViolation, match="price: -1 is not at least 0") as caught:
        judged(rows, stop)
    assert (caught.value.topic, caught.value.offset) == ("bids", 1)


def test_a_record_that_breaks_several_rules_is_one_letter():
    positive = ex.expect_column_values_to_be_between("price", 0, severity="dead_letter")
    even = ex.expect_column_values_to_be_in_set("price", [0, 2, 4], severity="dead_letter")
    (letter,) = judged(bids(2, -1), positive, even)["p.dead_letters"]
    assert letter["error"] == "price: -1 is not at least 0; price: -1 is none of 0, 2, 4"


def test_windows_have_a_result_for_each_rule():
    rules = [
        ex.expect_column_values_to_be_between("price", 0, mostly=0.5),
        ex.expect_column_mean_to_be_between("price", 0, 10),
        ex.expect_table_row_count_to_be_between(max_value=2),
    ]
    out = judged(bids(1, -1, 100, 5, 5, step=4), *rules, window=Tumbling(10))
    assert len(out["out"]) == 5
    found = [
        (one["window_start"], one["expectation"][7:30], one["success"]) for one in out["p.quality"]
    ]
    assert found == [
        (0, "column_values_to_be_bet", True),
        (0, "column_mean_to_be_betwe", False),
        (0, "table_row_count_to_be_b", False),
        (10, "column_values_to_be_bet", True),
        (10, "column_mean_to_be_betwe", True),
        (10, "table_row_count_to_be_b", True),
    ]
    first = out["p.quality"][0]
    assert (first["element_count"], first["unexpected_count"]) == (3, 1)
    assert first["partial_unexpected_list"] == [-1]


def test_a_window_can_stop_the_run():
    rule = ex.expect_column_mean_to_be_between("price", 0, severity="stop")
    with pytest.raises(ContractViolation, match=r"price: -2\.0 is not at least 0"):
        judged(bids(-1, -3), rule, window=Tumbling(10))


def test_mostly_stops_at_the_end_of_a_window_and_not_at_a_record():
    rule = ex.expect_column_values_to_be_between("price", 0, mostly=0.5, severity="stop")
    assert judged(bids(-1, 1), rule, window=Tumbling(10))["p.quality"][0]["success"]
    with pytest.raises(ContractViolation, match=r"2 of 3 \(66.7 %\) unexpected"):
        judged(bids(-1, -1, 1), rule, window=Tumbling(10))


def test_results_by_key():
    pipeline = Pipeline("p")
    stream = pipeline.source("bids").key_by("who")
    stream.expect(ex.expect_table_row_count_to_equal(2), window=Session(5))
    rows = [{"who": who, "ts": ts} for who, ts in (("a", 0), ("b", 1), ("a", 2), ("a", 20))]
    found = run(pipeline, {"bids": rows})["p.quality"]
    assert [(one["key"], one["success"]) for one in found] == [
        ({"who": "b"}, False),
        ({"who": "a"}, True),
        ({"who": "a"}, False),
    ]


def test_a_pipeline_may_only_judge():
    pipeline = Pipeline("p")
    pipeline.source("bids").expect(ex.expect_column_to_exist("price"))
    (result,) = run(pipeline, {"bids": [{"price": 1, "ts": 0}, {"prise": 1, "ts": 1}]})["p.quality"]
    assert result["message"] == "price: no such field"


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        ([], "needs an expectation"),
        (["price"], "is no expectation"),
        ([ex.expect_column_mean_to_be_between("price", 0)], "say which, with window="),
        ([ex.expect_column_to_exist("price", mostly=0.9)], "mostly is a share"),
    ],
)
def test_wrong_use_says_so(rules: list[Any], text: str):
    with pytest.raises(ConfigError, match=text):
        Pipeline("p").source("bids").expect(*rules)


def test_a_check_over_a_topic_takes_late_records_and_ranges():
    rule = ex.expect_column_sum_to_be_between("price", 0, 5)
    with Log.memory() as log:
        log.create_topic("bids", time="ts")
        for row in bids(1, 2, 3, 4, step=10):
            log.append("bids", [row])
        log.append("bids", [{"price": 9, "ts": 0}])  # late for any window
        whole = check(log, "bids", [rule], window=Tumbling(20))
        assert [one["observed_value"] for one in whole.results] == [12, 7]
        assert not whole.success
        assert "price: 12 is not from 0 to 5" in str(whole)
        part = check(log, "bids", [rule], since=10, until=30)
        assert [one["observed_value"] for one in part.results] == [5]
        assert part.success
        assert str(check(log, "bids", [rule], since=1_000)) == "bids: no records to judge"


def test_the_page_shows_every_rule_and_no_markup_of_the_data():
    rules = [
        ex.expect_column_values_to_be_in_set("name", ["a"]),
        ex.expect_table_row_count_to_be_between(1),
    ]
    with Log.memory() as log:
        log.create_topic("t", time="ts")
        log.append("t", [{"name": "<script>", "ts": 0}, {"name": "a", "ts": 50}])
        text = page("t", check(log, "t", rules, window=Tumbling(10)).results)
    assert text.count("<section>") == 2
    assert "<script>" not in text
    assert "1 of 2 breached" in text
    assert "holds" in text


# ---- values that exist in another topic


def referring(severity: str) -> Pipeline:
    pipeline = Pipeline("p")
    rule = ex.expect_column_values_to_be_in_topic("who", "people", "id", severity=severity)
    pipeline.source("bids").expect(rule).key_by("who").window(Tumbling(10)).aggregate(
        n=agg.count()
    ).to("out")
    return pipeline


def acts(log: Log) -> None:
    log.create_topic("people")
    log.create_topic("bids", time="ts")
    for topic, row in (
        ("people", {"id": 1}),
        ("bids", {"who": 1, "ts": 1}),
        ("bids", {"who": 2, "ts": 2}),
        ("people", {"id": 2}),
        ("bids", {"who": 2, "ts": 3}),
        ("bids", {"who": None, "ts": 4}),
        ("bids", {"who": 7, "ts": 5}),
        ("bids", {"who": 1, "ts": 25}),
    ):
        log.clock.advance(10)  # type: ignore[attr-defined]
        log.append(topic, [row])


@pytest.mark.parametrize("read_records", [1, 3, 4096])
def test_a_row_is_judged_by_what_came_before_it(read_records: int):
    with Log.memory(clock=ManualClock(0)) as log:
        acts(log)
        made = referring("dead_letter")
        made.run(log, until_idle=True, read_records=read_records)
        letters = [record.value for record in log.read("p.dead_letters")]
        assert [(one["error"], one["offset"]) for one in letters] == [
            ("who: 2 is no id of topic people", 1),
            ("who: 7 is no id of topic people", 4),
        ]
        # The other topic is silent, and holds no window back.
        rows = [record.value for record in log.read("out")]
        assert [(row["who"], row["n"]) for row in rows] == [(None, 1), (1, 1), (2, 1)]


def test_a_foreign_key_can_warn_or_stop_and_is_checked_over_a_topic():
    with Log.memory(clock=ManualClock(0)) as log:
        acts(log)
        referring("warn").run(log, until_idle=True)
        assert len(list(log.read("p.quality"))) == 2
        rule = ex.expect_column_values_to_be_in_topic("who", "people", "id")
        (found,) = check(log, "bids", [rule]).results
        assert (found["unexpected_count"], found["missing_count"]) == (1, 1)
    with Log.memory(clock=ManualClock(0)) as log:
        acts(log)
        with pytest.raises(ContractViolation, match="who: 2 is no id of topic people"):
            referring("stop").run(log, until_idle=True)
