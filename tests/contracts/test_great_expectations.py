"""The answers are Great Expectations' own, on the same rows.

`tests/golden/great_expectations.json` was made once by `make_great_expectations.py` beside
it, which says with which version and how to make it again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kappa import Log
from kappa.contracts.expectations import expectation_of
from kappa.quality import check

GOLDEN = Path(__file__).parents[1] / "golden" / "great_expectations.json"
DOCUMENT = json.loads(GOLDEN.read_text(encoding="utf-8"))
ANSWERS = DOCUMENT["answers"]


@pytest.fixture(scope="module")
def log() -> Iterator[Log]:
    """The rows in a topic, in appends of several sizes."""
    with Log.memory() as log:
        log.create_topic("rows")
        rows = DOCUMENT["rows"]
        for start, stop in ((0, 1), (1, 120), (120, 121), (121, 300)):
            log.append("rows", rows[start:stop])
        yield log


def named(answer: dict[str, Any]) -> str:
    return f"{answer['name'].removeprefix('expect_')}-{answer['success']}"


@pytest.mark.parametrize("answer", ANSWERS, ids=map(named, ANSWERS))
def test_the_answer_is_great_expectations(log: Log, answer: dict[str, Any]):
    rule = expectation_of({"type": answer["name"], "kwargs": answer["arguments"]})
    (found,) = check(log, "rows", [rule]).results
    assert found["success"] == answer["success"]
    theirs = answer["result"]
    for name in ("element_count", "missing_count", "unexpected_count"):
        if theirs.get(name) is not None and found[name] is not None:
            assert found[name] == theirs[name], name
    if "unexpected_percent" in theirs:
        assert found["unexpected_percent"] == pytest.approx(theirs["unexpected_percent"])
    seen = theirs.get("observed_value")
    if isinstance(seen, dict):
        seen = seen["values"]
    if seen is not None and found["observed_value"] is not None:
        assert found["observed_value"] == pytest.approx(seen)
    if theirs.get("partial_unexpected_list") and "unexpected_count" in theirs:
        compare_examples(found, theirs["partial_unexpected_list"])


def compare_examples(found: dict[str, Any], theirs: list[Any]) -> None:
    """They show the first unexpected values; for uniqueness kappa shows each once."""
    ours = [values(value) for value in found["partial_unexpected_list"] if value is not None]
    wanted = [value for value in map(values, theirs) if value is not None]
    if "unique" in found["expectation"] and "within" not in found["expectation"]:
        assert all(one in ours for one in wanted)
    elif found["expectation"] != "expect_column_distinct_values_to_be_in_set":
        assert ours == wanted


def values(value: Any) -> Any:
    """A value without NaN; of several fields, theirs by name and ours in order, the same list."""
    if isinstance(value, dict | list):
        return sorted(value.values() if isinstance(value, dict) else value, key=repr)
    return None if isinstance(value, float) and math.isnan(value) else value


def test_most_rules_are_among_the_answers():
    from kappa.contracts.expectations.registry import KNOWN

    asked = {answer["name"] for answer in ANSWERS}
    own = {
        "expect_column_psi_to_be_less_than",
        "expect_column_ks_statistic_to_be_less_than",
        "expect_column_values_to_be_increasing",  # they cannot tell what cannot be compared
        "expect_column_values_to_be_decreasing",
        "expect_column_values_to_be_in_topic",
        "expect_column_values_to_be_in_type_list",  # they judge pandas' types of storage
    }
    assert set(KNOWN) - asked == own
