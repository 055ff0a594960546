"""What upstream changes, one case each: what kappa reports of it, and that nothing else stops.

The contract is the one that `infer` makes of the first batch, unless a case says more; the
second batch has one change. What is expected is written down by hand.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from kappa import Log
from kappa import expectations as ex
from kappa.connect import load
from kappa.contracts.contract import Contract
from kappa.contracts.expectations import Distribution
from kappa.contracts.files import contract_text, read_contract
from kappa.errors import SchemaViolation
from kappa.quality import causes, check_contract, infer, letters_of, set_contract
from kappa.schemas import Field, Int, Schema, String, Timestamp

Rows = list[dict[str, Any]]
COUNT = 240


def batch(start: int = 0) -> Rows:
    """Rows of flights; every one other than any of another start."""
    return [
        {
            "id": start + n,
            "day": f"2026-01-{1 + n % 28:02}",
            "miles": 100 + 7 * (n % 50),
            "state": ("open", "done")[n % 2],
            "gate": f"{'ABC'[n % 3]}{n % 40}",
            "left": f"2026-01-{1 + n % 28:02}T{n % 24:02}:00:00+00:00",
        }
        for n in range(COUNT)
    ]


def changed(**fields: Callable[[dict[str, Any]], Any]) -> Callable[[Rows], Rows]:
    return lambda rows: [
        {**row, **{name: make(row) for name, make in fields.items()}} for row in rows
    ]


def turned(row: dict[str, Any]) -> str:
    year, month, day = row["day"].split("-")
    return f"{day}/{month}/{year}"


CASES: list[tuple[str, Callable[[Rows], Rows], int, str]] = [
    ("format of a date", changed(day=turned), COUNT,
     "day: 01/01/2026 does not match %Y-%m-%d"),
    ("format of some dates",
     changed(day=lambda row: turned(row) if row["id"] % 4 == 0 else row["day"]), COUNT // 4,
     "day: 01/01/2026 does not match %Y-%m-%d"),
    ("miles in kilometres, with decimals", changed(miles=lambda row: row["miles"] * 1.609), COUNT,
     "miles: 160.9 is a float, not int"),
    ("numbers as text", changed(miles=lambda row: str(row["miles"])), COUNT,
     "miles: '100' is a str, not int"),
    ("a new value of an enum",
     changed(state=lambda row: "held" if row["id"] % 10 == 0 else row["state"]), COUNT // 10,
     "state: 'held' is none of 'done', 'open'"),
    ("values in capitals", changed(state=lambda row: row["state"].upper()), COUNT,
     "state: 'OPEN' is none of 'done', 'open'"),
    ("nulls", changed(gate=lambda row: None if row["id"] % 2 else row["gate"]), COUNT // 2,
     "gate: missing"),
    ("another offset", changed(left=lambda row: row["left"].replace("+00", "+02")), COUNT,
     "left: 2026-01-01T00:00:00+02:00 does not match %Y-%m-%dT%H:%M:%S+00:00"),
    ("no zone", changed(left=lambda row: row["left"][:19]), COUNT,
     "left: 2026-01-01T00:00:00 does not match %Y-%m-%dT%H:%M:%S+00:00"),
    ("a renamed field",
     lambda rows: [{"distance" if name == "miles" else name: value for name, value in row.items()}
                   for row in rows], COUNT,
     "miles: missing; the record has 'distance', which the contract lacks"),
    ("a field that is gone",
     lambda rows: [{name: row[name] for name in row if name != "gate"} for row in rows], COUNT,
     "gate: missing"),
    ("two columns changed places",
     lambda rows: [{**row, "state": row["gate"], "gate": row["state"]} for row in rows], COUNT,
     "state: 'A0' is none of 'done', 'open'"),
    ("fields in another order",
     lambda rows: [dict(reversed(row.items())) for row in rows], 0, ""),
    ("a new field", changed(extra=lambda row: 1), 0, ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "letters", "error"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_a_change_is_caught_at_append_and_named(
    change: Callable[[Rows], Rows], letters: int, error: str
):
    log = Log.memory()
    log.create_topic("flights")
    log.append("flights", batch())
    set_contract(log, infer(log, "flights"))
    since = log.append("flights", change(batch(COUNT))).lsn
    waiting = letters_of(log, "flights")
    assert len(waiting) == letters
    assert len(list(log.read("flights"))) == 2 * COUNT - letters, "the others are appended"
    if letters:
        assert waiting[0].error.startswith(error)
        assert waiting[0].record == change(batch(COUNT))[waiting[0].record["id"] - COUNT]
        (cause, *_) = causes(log, "flights")
        text = str(cause)
        assert text.startswith(f"{letters} x {error}") and f"LSN {since}" in text
        assert text.endswith("100 % of the appends without a producer id")


def test_other_fields_can_be_refused_so_that_a_new_one_is_drift_too():
    log = Log.memory()
    log.create_topic("flights")
    log.append("flights", batch())
    plain = infer(log, "flights").to_plain()
    set_contract(log, Contract.from_plain({**plain, "other_fields": "refuse"}))
    log.append("flights", changed(extra=lambda row: 1)(batch(COUNT)))
    assert len(letters_of(log, "flights")) == COUNT
    assert "extra" in letters_of(log, "flights")[0].error


def breaches(log: Log, contract: Contract) -> list[tuple[str, str]]:
    report = check_contract(log, contract)
    return [(row["expectation"], row["message"]) for row in report.breaches]


def test_units_that_keep_the_type_show_as_another_distribution():
    log = Log.memory()
    log.create_topic("flights")
    reference = Distribution.of([row["miles"] for row in batch()])
    contract = Contract(
        "flights",
        expectations=[
            ex.expect_column_psi_to_be_less_than("miles", reference, threshold=0.25),
            ex.expect_column_ks_statistic_to_be_less_than("miles", reference, threshold=0.2),
            ex.expect_column_mean_to_be_between("miles", 200, 320),
        ],
    )
    log.append("flights", batch())
    assert breaches(log, contract) == []
    kilometres = changed(miles=lambda row: int(row["miles"] * 1.609))
    log.append("flights", [row for n in (1, 2, 3) for row in kilometres(batch(n * COUNT))])
    assert [name for name, _ in breaches(log, contract)] == [
        "expect_column_psi_to_be_less_than",
        "expect_column_ks_statistic_to_be_less_than",
        "expect_column_mean_to_be_between",
    ]


def test_duplicates_and_a_file_loaded_twice(tmp_path: Path):
    log = Log.memory()
    log.create_topic("flights")
    path, copy = tmp_path / "flights.jsonl", tmp_path / "flights-again.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in batch()))
    assert load(log, "flights", path).appended == COUNT
    contract = infer(log, "flights")
    assert load(log, "flights", path).appended == 0, "the same file again is nothing new"
    assert breaches(log, contract) == []
    copy.write_text(path.read_text())
    assert load(log, "flights", copy).appended == COUNT, "under another name it is another file"
    found = breaches(log, contract)
    assert [name for name, _ in found] == ["expect_column_values_to_be_unique"]
    assert f"id: {2 * COUNT} unexpected, such as 0, 1, 2" in found[0][1]


def test_times_in_a_wrong_zone_lie_ahead_or_behind_others():
    """Local time that says it is UTC: by the clock it is in the future, by its pair too early."""
    log = Log.memory()
    log.create_topic("flights", time="landed", max_future_skew="10m")
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    order = ex.expect_column_pair_values_a_to_be_greater_than_b(
        "landed", "left", or_equal=True, severity="dead_letter"
    )
    set_contract(log, Contract("flights", expectations=[order]))
    hour, two = dt.timedelta(hours=1), dt.timedelta(hours=2)
    log.append("flights", [
        {"id": 1, "left": now - hour, "landed": now},
        {"id": 2, "left": now - hour, "landed": now + two},
        {"id": 3, "left": now - hour, "landed": now - two},
    ])  # fmt: skip
    assert [record.value["id"] for record in log.read("flights")] == [1]
    errors = {letter.record["id"]: letter.error for letter in letters_of(log, "flights")}
    assert "ahead of the append" in errors[2] and "landed" in errors[3]


def test_a_naive_time_is_refused_by_a_schema_and_set_aside_by_its_contract():
    at = Timestamp()
    schema = Schema.record("Flight", [Field("id", Int()), Field("at", at), Field("to", String())])
    fine = {"id": 1, "at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC), "to": "JFK"}
    naive = {**fine, "id": 2, "at": dt.datetime(2026, 1, 1)}
    log = Log.memory()
    log.create_topic("flights", schema=schema)
    with pytest.raises(SchemaViolation, match="'at' of row 1: expected timestamp with a zone"):
        log.append("flights", [fine, naive])
    set_contract(log, Contract("flights"))
    log.append("flights", [fine, naive])
    assert [record.value for record in log.read("flights")] == [fine]
    (letter,) = letters_of(log, "flights")
    assert letter.record == naive and "timestamp with a zone" in letter.error


# What `infer` makes of data that is awkward: a contract that this very data keeps.

AWKWARD: dict[str, list[Any]] = {
    "nothing": [],
    "no mappings": ["a", 1, None],
    "mixed types": [{"a": 1}, {"a": "x"}, {"a": None}, {"b": [1]}, {"a": 1.5}],
    "nested": [{"a": {"b": 1}, "l": [{"x": 1}], "s": {1, 2}}] * 30,
    "odd names": [{"naïve ü": "é", "日本": "東京", "a: b": "x", "": "y", "#c": "- q"}] * 40,
    "names that are no text": [{1: 2, "a": 1}] * 3,
    "odd texts": [{"t": "a\x00b\u2028'\"%"}] * 50,
    "every type": [
        {"d": dt.date(2020, 1, 1), "t": dt.datetime(2020, 1, 1, tzinfo=dt.UTC), "m": Decimal("1.5"),
         "u": UUID(int=n), "b": b"x", "f": float("nan"), "big": 10**30, "td": dt.timedelta(1),
         "tm": dt.time(1), "flag": n % 2 == 0}
        for n in range(30)
    ],
    "infinities": [{"f": float("inf")}, {"f": -1.0}],
    "only nulls": [{"x": None}] * 30,
    "several offsets": [{"at": "2020-01-01T00:00:00+01:00"}, {"at": "2020-01-01T00:00:00Z"}] * 3,
    "one offset": [{"at": f"2020-01-01T00:00:{n:02}-05:00"} for n in range(30)],
    "a text that is empty": [{"t": "2020-01-01"}, {"t": ""}],
}  # fmt: skip


@pytest.mark.parametrize("rows", AWKWARD.values(), ids=AWKWARD)
def test_what_is_inferred_is_kept_by_the_data_and_reads_back_from_its_file(
    rows: list[Any], tmp_path: Path
):
    log = Log.memory()
    log.create_topic("t")
    if rows:
        log.append("t", rows)
    found = infer(log, "t")
    (tmp_path / "c.yaml").write_text(contract_text(found), encoding="utf-8")
    again = read_contract(str(tmp_path / "c.yaml"))
    assert again == found
    assert breaches(log, again) == []
    set_contract(log, again)
    log.append("t", [row for row in rows if isinstance(row, dict)])
    assert letters_of(log, "t") == []


def test_a_format_with_an_offset_can_be_promised():
    log = Log.memory()
    log.create_topic("t")
    set_contract(log, Contract("t", fields={"at": {"format": "%Y-%m-%dT%H:%M:%S%z"}}))
    log.append("t", [{"at": "2026-01-01T00:00:00+02:00"}, {"at": "2026-01-01T00:00:00"}])
    assert [letter.record["at"] for letter in letters_of(log, "t")] == ["2026-01-01T00:00:00"]
