"""Contracts as descriptions: files, plain forms, differences, what is wrong in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kappa import Log, Pipeline
from kappa import expectations as ex
from kappa.contracts.compare import compare
from kappa.contracts.contract import Contract
from kappa.contracts.files import contract_text, read_contract
from kappa.errors import ConfigError
from kappa.quality.infer import infer
from kappa.quality.promises import check_contract
from kappa.testing import run

DAY = 86_400_000
TEXT = """
topic: departures
owner: flights@example.com
on_violation: refuse
other_fields: refuse
fields:
  date: {type: str, format: '%Y-%m-%d'}
  carrier: {type: str, values: [AA, UA]}
  delay: {type: float, nullable: true, max: 1500}
  mail: {type: str, pii: email}
expectations:
- expect_column_mean_to_be_between: {column: delay, min_value: -10, max_value: 60}
- expect_column_pair_values_to_be_equal: {column_A: date, column_B: carrier, severity: warn}
- expect_column_to_exist: {column: date}
freshness: 2h
volume: {per: 1d, min: 500, max: 1500}
"""


@pytest.fixture
def contract(tmp_path: Path) -> Contract:
    path = tmp_path / "departures.yaml"
    path.write_text(TEXT)
    return read_contract(path)


def test_a_file_is_read_and_written(contract: Contract, tmp_path: Path):
    assert contract.personal == {"mail": "email"}
    assert [rule.severity for rule in contract.expectations] == ["warn", "warn", "stop"]
    written = tmp_path / "again.yaml"
    written.write_text(contract_text(contract))
    assert read_contract(written) == contract
    assert Contract.from_plain(contract.to_plain()) == contract
    assert [rule.name for rule in contract.record_rules][-2:] == [
        "expect_table_columns_to_match_set",
        "expect_column_to_exist",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("topic: t\nfeilds: {}\n", "no 'feilds'; did you mean 'fields'"),
        ("topic: t\nfields: {a: {typ: int}}\n", "field 'a' has no 'typ'; did you mean 'type'"),
        ("topic: t\nfields: {a: {type: colour}}\n", "field 'a': 'colour' is no type"),
        ("topic: t\nfields: {a: {type: int, min: x}}\n", "min is 'x', and the type is int"),
        ("topic: t\nfields: {a: {type: int, values: [1, b]}}\n", "values has 'b', and the type is"),
        ("topic: t\nfields: {a: {type: int, pattern: b}}\n", "pattern is said of texts"),
        ("topic: t\nfields: {a: {format: x}}\n", "strftime_format is 'x'"),
        ("topic: t\non_violation: shout\n", "on_violation is 'shout'"),
        ("topic: t\nexpectations: [{expect_nothing: {}}]\n", "no expectation 'expect_nothing'"),
        ("topic: t\nvolume: {per: 1d}\n", "give min, max or both"),
        ("owner: me\n", "topic is missing"),
        ("- 1\n", "give names with values"),
        ("topic: [\n", "is no YAML"),
        ("topic: !!python/object/apply:os.system [ls]\n", "is no YAML"),
        (
            "topic: t\nother_fields: refuse\nfields: {a: {optional: true}}\n",
            "'a' is optional",
        ),
    ],
)
def test_what_is_wrong_in_a_file_is_named(tmp_path: Path, text: str, message: str):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        read_contract(path)
    assert str(path) in str(caught.value)


def test_json_is_a_contract_too(tmp_path: Path):
    path = tmp_path / "c.json"
    path.write_text('{"topic": "bids", "fields": {"price": "int"}}')
    assert read_contract(path) == Contract("bids", fields={"price": {"type": "int"}})


def effect(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, str]]:
    changes = compare(Contract("t", **before), Contract("t", **after))
    return [(change.what, change.effect) for change in changes]


def test_differences_say_who_is_hurt():
    assert effect({}, {}) == []
    assert effect({"fields": {"a": "int"}}, {}) == [("field a", "looser")]
    price = {"fields": {"a": {"type": "int", "min": 3, "values": [3, 4]}}}
    wider = {"fields": {"a": {"type": "int", "min": 1, "values": [3, 4, 5], "nullable": True}}}
    assert effect(price, wider) == [
        ("field a: nullable", "looser"),
        ("field a: values", "looser"),
        ("field a: min", "looser"),
    ]
    assert {change for _, change in effect(wider, price)} == {"stricter"}
    mean = ex.expect_column_mean_to_be_between
    one, other = {"expectations": [mean("a", 1)]}, {"expectations": [mean("a", 2), mean("b", 1)]}
    assert effect(one, other) == [
        ("expect_column_mean_to_be_between of a", "other"),
        ("expect_column_mean_to_be_between of b", "stricter"),
    ]


def days(*counts: int) -> Log:
    log = Log.memory()
    log.create_topic("t", time="ts")
    for day, count in enumerate(counts):
        if count:
            log.append("t", [{"n": n, "ts": day * DAY + n} for n in range(count)])
    return log


def test_volume_sees_days_without_records():
    contract = Contract("t", volume={"per": "1d", "min": 2, "max": 3})
    report = check_contract(days(2, 0, 3, 4, 1), contract)
    assert [(row["window_start"] // DAY, row["success"]) for row in report.results] == [
        (0, True),
        (1, False),
        (2, True),
        (3, False),
    ]  # the last day may not be over
    whole = check_contract(days(2, 0), contract, since=0, until=3 * DAY)
    assert [row["success"] for row in whole.results] == [True, False, False]


def test_freshness_goes_by_the_newest_event_time():
    contract = Contract("t", freshness="1h")
    log = days(1)
    assert check_contract(log, contract, now=3_600_000).success
    late = check_contract(log, contract, now=7_200_000)
    assert "2h old, at most 1h allowed" in late.results[0]["message"]
    assert not check_contract(days(0), contract, now=0).success


def test_the_first_contract_is_kept_by_the_data_it_is_from():
    log = Log.memory()
    log.create_topic("people", time="ts")
    rows = [
        {
            "id": n,
            "mail": f"p{n}@example.com",
            "day": f"2013-07-{n % 28 + 1:02}",
            "kind": ("a", "b")[n % 2],
            "size": None if n % 5 == 0 else n / 2,
            "ts": n * DAY // 4,
        }
        for n in range(100)
    ]
    log.append("people", rows)
    log.append("people", [{**rows[0], "id": 100, "extra": 1}])
    found = infer(log, "people")
    assert check_contract(log, found).success
    plain = found.to_plain()["fields"]
    assert plain["mail"] == {"type": "str", "pii": "email"}
    assert plain["day"] == {"type": "str", "format": "%Y-%m-%d"}
    assert plain["kind"] == {"type": "str", "values": ["a", "b"]}
    assert plain["size"] == {"type": "float", "nullable": True, "min": 0}
    assert plain["extra"]["optional"] is True
    assert ex.expect_column_values_to_be_unique("id") in found.expectations


def test_a_contract_can_be_enforced_anywhere_in_a_pipeline():
    pipeline = Pipeline("p")
    contract = Contract("clean", fields={"price": {"type": "int", "min": 0}})
    pipeline.source("bids").expect(contract).to("clean")
    out = run(pipeline, {"bids": [{"price": 1, "ts": 0}, {"price": -1, "ts": 1}]})
    assert [row["price"] for row in out["clean"]] == [1]
    (letter,) = out["p.dead_letters"]
    assert (letter["contract"], letter["error"]) == ("clean", "price: -1 is not at least 0")
