"""Each rule by its definition: edges, missing values, values of other types, arguments."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kappa import Log
from kappa.batch import Batch
from kappa.contracts import expectations as ex
from kappa.contracts.expectations.distribution import (
    Distribution,
    ks_p_value,
    ks_statistic,
    stability_index,
)
from kappa.contracts.expectations.registry import KNOWN
from kappa.errors import ConfigError
from kappa.quality import check

NAN = float("nan")
ODD = [None, NAN, 0, 1, True, -1, 5, 5.0, 2.5, "", "x", "5", b"x", [1], {"a": 1}, (1,), Decimal(3)]
ODD += [date(2013, 7, 3), datetime(2013, 7, 3, tzinfo=UTC), float("inf")]

RECORD_RULES: list[ex.RecordExpectation] = [
    ex.expect_column_values_to_not_be_null("f"),
    ex.expect_column_values_to_be_null("f"),
    ex.expect_column_values_to_be_of_type("f", "int"),
    ex.expect_column_values_to_be_in_type_list("f", ["str", float]),
    ex.expect_column_values_to_be_between("f", 0, 5),
    ex.expect_column_values_to_be_between("f", 0, 5, strict_min=True, strict_max=True),
    ex.expect_column_values_to_be_between("f", max_value=2),
    ex.expect_column_values_to_be_between("f", "a", "y"),
    ex.expect_column_values_to_be_in_set("f", [1, "x", None]),
    ex.expect_column_values_to_not_be_in_set("f", [1, "x"]),
    ex.expect_column_values_to_match_regex("f", r"\d"),
    ex.expect_column_values_to_not_match_regex("f", r"\d"),
    ex.expect_column_values_to_match_strftime_format("f", "%d"),
    ex.expect_column_values_to_be_json_parseable("f"),
    ex.expect_column_value_lengths_to_be_between("f", 1, 2),
    ex.expect_column_value_lengths_to_equal("f", 1),
]


def missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value)


def naive(rule: ex.RecordExpectation, value: Any) -> bool | None:
    """The verdict on one value, from the rule's question alone."""
    if "null" not in rule.name and missing(value):
        return None
    try:
        return bool(rule.expected(value))
    except Exception:
        return False


@given(values=st.lists(st.sampled_from(ODD), max_size=8), rows=st.booleans())
def test_a_column_is_judged_as_its_values_one_by_one(values: list[Any], rows: bool):
    times = [0] * len(values)
    batch = (
        Batch.of_rows([{"f": value} for value in values], times)
        if rows
        else Batch.of_columns({"f": values}, times)
    )
    for rule in RECORD_RULES:
        want = [naive(rule, value) for value in values]
        found = rule.verdicts(batch)
        assert (found if found is not None else [True] * len(values)) == want, rule
        assert rule.passes(batch) == (False not in want), rule


def test_a_field_that_is_not_there_is_missing():
    batch = Batch.of_rows([{"f": 1}, {}], [0, 0])
    assert ex.expect_column_values_to_be_between("f", 0, 2).verdicts(batch) == [True, None]
    assert ex.expect_column_values_to_not_be_null("f").verdicts(batch) == [True, False]
    assert ex.expect_column_to_exist("f").verdicts(batch) == [True, False]
    both = ex.expect_table_columns_to_match_set(["f"])
    assert both.verdicts(batch) == [True, False]
    assert both.reason(both.found(batch, 1)) == "the record lacks f"
    assert both.reason(("f", "g")) == "the record has also g"


@pytest.mark.parametrize(
    ("ignore", "want"),
    [
        ("both_values_are_missing", [True, False, False, None]),
        ("either_value_is_missing", [True, False, None, None]),
        ("neither", [True, False, False, False]),
    ],
)
def test_pairs_with_missing_values(ignore: str, want: list[bool | None]):
    rows = [{"a": 2, "b": 1}, {"a": 1, "b": 1}, {"a": 1}, {}]
    rule = ex.expect_column_pair_values_a_to_be_greater_than_b("a", "b", ignore_row_if=ignore)
    assert rule.verdicts(Batch.of_rows(rows, [0] * 4)) == want


def test_a_date_the_other_way_round_is_named():
    rule = ex.expect_column_values_to_match_strftime_format("date", "%Y-%m-%d")
    assert rule.reason("03/07/2013") == "date: 03/07/2013 does not match %Y-%m-%d"


def judged(rule: ex.Expectation, rows: list[dict[str, Any]]) -> dict[str, Any]:
    with Log.memory() as log:
        log.create_topic("t")
        for row in rows:
            log.append("t", [row])
        (found,) = check(log, "t", [rule]).results
        return found


def column(*values: Any) -> list[dict[str, Any]]:
    return [{"f": value} for value in values]


def test_increasing_goes_by_arrival_and_skips_what_is_missing():
    rows = column(1, 3, None, 3, 2, "x", 4)
    found = judged(ex.expect_column_values_to_be_increasing("f"), rows)
    assert found["unexpected_count"] == 3  # 2 behind 3, "x" behind 2, 4 behind "x"
    assert found["partial_unexpected_list"] == [2, "x", 4]
    strictly = judged(ex.expect_column_values_to_be_increasing("f", strictly=True), rows)
    assert strictly["unexpected_count"] == 4
    assert judged(ex.expect_column_values_to_be_decreasing("f"), column(3, 3, 1))["success"]


def test_numbers_that_are_none_break_a_statistic():
    found = judged(ex.expect_column_mean_to_be_between("f", 0, 10), column(1, 3, "7", None, NAN))
    assert (found["success"], found["observed_value"], found["unexpected_count"]) == (False, 2, 1)
    found = judged(ex.expect_column_max_to_be_between("f", 0, 10), column(1, "z"))
    assert not found["success"]
    assert not judged(ex.expect_column_mean_to_be_between("f", 0), column(None, "z"))["success"]


def test_approximate_uniqueness_sees_a_file_that_is_there_twice():
    rule = ex.expect_column_values_to_be_unique("f", approximate=True)
    assert judged(rule, column(*range(3_000)))["success"]
    found = judged(rule, column(*range(1_500), *range(1_500)))
    assert not found["success"]
    assert abs(found["unexpected_count"] - 1_500) < 75


def test_what_cannot_be_hashed_is_counted_all_the_same():
    rule = ex.expect_column_values_to_be_unique("f")
    assert judged(rule, column([1], [1], [2]))["unexpected_count"] == 2


# ---- drift


GOLDEN = Path(__file__).parents[1] / "golden" / "great_expectations.json"
SAMPLES = json.loads(GOLDEN.read_text(encoding="utf-8"))["kolmogorov"]


@pytest.mark.parametrize("case", SAMPLES, ids=lambda case: f"{case['statistic']:.3f}")
def test_the_distance_of_samples_is_scipys(case: dict[str, Any]):
    counts: dict[float, int] = {}
    for value in case["other"]:
        counts[value] = counts.get(value, 0) + 1
    statistic = ks_statistic(case["one"], counts)
    assert statistic == pytest.approx(case["statistic"])
    p_value = ks_p_value(statistic, len(case["one"]), len(case["other"]))
    assert p_value == pytest.approx(case["limit"], abs=1e-12)


@given(st.lists(st.integers(-50, 50) | st.floats(-5, 5), min_size=1), st.integers(1, 12))
def test_a_distribution_of_numbers_sums_up_and_is_like_itself(values: list[Any], bins: int):
    made = Distribution.of(values, bins=bins)
    counts = [0] * len(made.shares)
    for value in values:
        counts[made.place(value)] += 1
    assert counts[0] == counts[-1] == 0
    assert stability_index(made.shares, counts) == pytest.approx(0, abs=1e-9)
    assert Distribution.from_plain(made.to_plain()) == made


def test_the_stability_index_by_hand():
    # (0.4 - 0.5) ln(0.4 / 0.5) + (0.6 - 0.5) ln(0.6 / 0.5)
    assert stability_index((0.5, 0.5), (4, 6)) == pytest.approx(0.0405465, abs=1e-6)


def test_drift_of_units_and_of_names_is_seen():
    miles = Distribution.of([100 + 7 * k for k in range(200)])
    psi = ex.expect_column_psi_to_be_less_than("f", miles)
    ks = ex.expect_column_ks_statistic_to_be_less_than("f", miles, 0.15)
    same = column(*(100 + 7 * k for k in range(0, 200, 2)))
    kilometres = column(*((100 + 7 * k) * 1.609 for k in range(0, 200, 2)))
    for rule in (psi, ks):
        assert judged(rule, same)["success"]
        assert not judged(rule, kilometres)["success"]
    names = ex.expect_column_psi_to_be_less_than("f", Distribution.of(["AA", "UA"] * 20))
    assert judged(names, column("AA", "UA", "UA", "AA"))["success"]
    assert not judged(names, column("aa", "UA", "ua", "AA"))["success"]
    assert not judged(ks, column("x", "y"))["success"]


# ---- arguments and files


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: ex.expect_column_values_to_not_be_null(""), "name of a field"),
        (lambda: ex.expect_column_values_to_not_be_null("f", mostly=2), "from 0 to 1"),
        (lambda: ex.expect_column_values_to_not_be_null("f", severity="loud"), "severity"),
        (
            lambda: ex.expect_column_to_exist("f", mostly=0.9, severity="dead_letter"),
            "leave mostly out",
        ),
        (lambda: ex.expect_column_mean_to_be_between("f"), "min_value, max_value"),
        (lambda: ex.expect_column_mean_to_be_between("f", 3, 1), "lies above"),
        (lambda: ex.expect_column_mean_to_be_between("f", 1, severity="dead_letter"), "as a whole"),
        (lambda: ex.expect_column_values_to_be_of_type("f", "colour"), "no type"),
        (lambda: ex.expect_column_values_to_match_regex("f", "("), "regex"),
        (lambda: ex.expect_column_values_to_match_strftime_format("f", "date"), "one like"),
        (lambda: ex.expect_column_values_to_be_in_set("f", "AA"), "give a list"),
        (lambda: ex.expectation_of({"expect_colum_to_exist": {}}), "did you mean expect_column_to"),
        (
            lambda: ex.expectation_of({"expect_column_to_exist": {"colum": 1}}),
            "no argument 'colum'",
        ),
        (lambda: ex.expect_column_psi_to_be_less_than("f", {"weights": [1]}), "edges"),
    ],
)
def test_a_wrong_argument_is_refused(make: Any, text: str):
    with pytest.raises(ConfigError, match=text):
        make()


EVERY = [
    *RECORD_RULES,
    ex.expect_column_pair_values_to_be_in_set("a", "b", [["x", 1]], severity="dead_letter"),
    ex.expect_column_quantile_values_to_be_between(
        "f", {"quantiles": [0.5], "value_ranges": [[None, 3]]}, severity="stop"
    ),
    ex.expect_column_psi_to_be_less_than("f", Distribution.of([1, 2, 3])),
    ex.expect_column_values_to_be_unique("f", approximate=True, mostly=0.9),
]


@pytest.mark.parametrize("rule", EVERY, ids=lambda rule: rule.name)
def test_a_rule_goes_through_its_plain_form(rule: ex.Expectation):
    assert ex.expectation_of(rule.to_plain()) == rule
    arguments = json.loads(json.dumps(rule.to_plain()[rule.name], default=repr))
    assert ex.expectation_of({"type": rule.name, "kwargs": arguments}) == rule


def test_every_rule_has_its_name_in_the_package():
    assert set(KNOWN) <= set(ex.__all__)
    assert all(getattr(ex, name) is kind for name, kind in KNOWN.items())
