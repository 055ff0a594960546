"""Makes great_expectations.json: what Great Expectations says of the rows and rules below.

Not run by the tests. In an environment of its own:

    python -m venv gx && gx/bin/pip install great_expectations==1.24.1
    gx/bin/python tests/golden/make_great_expectations.py
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

GOLDEN = Path(__file__).with_name("great_expectations.json")


def rows() -> list[dict[str, Any]]:
    """Flights with all that goes wrong: nulls, duplicates, formats, outliers."""
    draw = random.Random(2013)
    found = []
    for number in range(300):
        day = draw.randint(1, 28)
        distance = draw.randint(80, 5000)
        found.append(
            {
                "id": number if draw.random() > 0.03 else draw.randint(0, 299),
                "carrier": draw.choice(["AA", "UA", "DL", "B6", "B6", "??"]),
                "tail": draw.choice(["N", "X"]) + str(draw.randint(100, 99999)),
                "date": f"2013-07-{day:02}" if draw.random() > 0.1 else f"{day:02}/07/2013",
                "distance": distance,
                "delay": None if draw.random() < 0.1 else round(draw.gauss(12, 30), 1),
                "planned": draw.randint(30, 60),
                "flown": draw.randint(30, 60),
                "seats": draw.choice([None, 50, 120, 180]),
                "note": draw.choice([None, "", "ok", '{"gate": 4}', "[1, 2]", "{broken"]),
                "sequence": number * 10 + (draw.choice([0, -15]) if number % 40 == 7 else 0),
                "nothing": None,
                "kind": "scheduled",
            }
        )
    return found


BINS = {"bins": [-100.0, -20.0, 0.0, 20.0, 60.0, 200.0], "weights": [0.1, 0.2, 0.3, 0.3, 0.1]}
SHARES = {"values": ["AA", "UA", "DL", "B6", "??"], "weights": [0.15, 0.2, 0.15, 0.35, 0.15]}

RULES: list[tuple[str, dict[str, Any]]] = [
    ("expect_column_to_exist", {"column": "delay"}),
    ("expect_column_to_exist", {"column": "dely"}),
    ("expect_table_columns_to_match_set", {"column_set": ["id", "delay"], "exact_match": False}),
    ("expect_table_columns_to_match_set", {"column_set": ["id", "delay"], "exact_match": True}),
    ("expect_table_row_count_to_be_between", {"min_value": 100, "max_value": 300}),
    ("expect_table_row_count_to_be_between", {"max_value": 299}),
    ("expect_table_row_count_to_equal", {"value": 300}),
    ("expect_column_values_to_not_be_null", {"column": "delay"}),
    ("expect_column_values_to_not_be_null", {"column": "delay", "mostly": 0.85}),
    ("expect_column_values_to_not_be_null", {"column": "nothing"}),
    ("expect_column_values_to_be_null", {"column": "nothing"}),
    ("expect_column_values_to_be_null", {"column": "seats", "mostly": 0.2}),
    ("expect_column_values_to_be_between", {"column": "delay", "min_value": -30, "max_value": 60}),
    ("expect_column_values_to_be_between", {"column": "delay", "min_value": -30, "mostly": 0.9}),
    (
        "expect_column_values_to_be_between",
        {"column": "distance", "min_value": 80, "max_value": 5000, "strict_min": True},
    ),
    ("expect_column_values_to_be_between", {"column": "nothing", "min_value": 0}),
    ("expect_column_values_to_be_in_set", {"column": "carrier", "value_set": ["AA", "UA", "DL"]}),
    (
        "expect_column_values_to_be_in_set",
        {"column": "carrier", "value_set": ["AA", "UA", "DL", "B6"], "mostly": 0.8},
    ),
    ("expect_column_values_to_be_in_set", {"column": "seats", "value_set": [50, 120]}),
    ("expect_column_values_to_not_be_in_set", {"column": "carrier", "value_set": ["??"]}),
    ("expect_column_values_to_match_regex", {"column": "tail", "regex": r"^N\d{3,5}$"}),
    ("expect_column_values_to_match_regex", {"column": "note", "regex": r"\d"}),
    ("expect_column_values_to_not_match_regex", {"column": "tail", "regex": "^X"}),
    (
        "expect_column_values_to_match_strftime_format",
        {"column": "date", "strftime_format": "%Y-%m-%d"},
    ),
    (
        "expect_column_values_to_match_strftime_format",
        {"column": "date", "strftime_format": "%Y-%m-%d", "mostly": 0.8},
    ),
    ("expect_column_values_to_be_json_parseable", {"column": "note"}),
    ("expect_column_value_lengths_to_be_between", {"column": "tail", "min_value": 5}),
    (
        "expect_column_value_lengths_to_be_between",
        {"column": "tail", "min_value": 4, "max_value": 6},
    ),
    ("expect_column_value_lengths_to_equal", {"column": "carrier", "value": 2}),
    ("expect_column_values_to_be_unique", {"column": "id"}),
    ("expect_column_values_to_be_unique", {"column": "id", "mostly": 0.9}),
    ("expect_column_values_to_be_unique", {"column": "seats"}),
    ("expect_compound_columns_to_be_unique", {"column_list": ["id", "carrier"]}),
    (
        "expect_select_column_values_to_be_unique_within_record",
        {"column_list": ["planned", "flown"]},
    ),
    (
        "expect_column_pair_values_a_to_be_greater_than_b",
        {"column_A": "flown", "column_B": "planned"},
    ),
    (
        "expect_column_pair_values_a_to_be_greater_than_b",
        {"column_A": "flown", "column_B": "planned", "or_equal": True, "mostly": 0.4},
    ),
    (
        "expect_column_pair_values_a_to_be_greater_than_b",
        {
            "column_A": "delay",
            "column_B": "planned",
            "ignore_row_if": "either_value_is_missing",
        },
    ),
    ("expect_column_pair_values_to_be_equal", {"column_A": "flown", "column_B": "planned"}),
    (
        "expect_column_pair_values_to_be_in_set",
        {"column_A": "kind", "column_B": "carrier", "value_pairs_set": [["scheduled", "AA"]]},
    ),
    ("expect_multicolumn_sum_to_equal", {"column_list": ["planned", "flown"], "sum_total": 90}),
    ("expect_column_mean_to_be_between", {"column": "delay", "min_value": 5, "max_value": 15}),
    ("expect_column_mean_to_be_between", {"column": "delay", "min_value": 20}),
    ("expect_column_median_to_be_between", {"column": "delay", "min_value": 5, "max_value": 15}),
    ("expect_column_stdev_to_be_between", {"column": "delay", "min_value": 20, "max_value": 40}),
    ("expect_column_sum_to_be_between", {"column": "planned", "max_value": 10000}),
    ("expect_column_min_to_be_between", {"column": "distance", "min_value": 80}),
    ("expect_column_max_to_be_between", {"column": "distance", "max_value": 4000}),
    ("expect_column_unique_value_count_to_be_between", {"column": "carrier", "max_value": 4}),
    ("expect_column_unique_value_count_to_be_between", {"column": "seats", "min_value": 3}),
    (
        "expect_column_proportion_of_unique_values_to_be_between",
        {"column": "id", "min_value": 0.9, "max_value": 1},
    ),
    (
        "expect_column_proportion_of_non_null_values_to_be_between",
        {"column": "delay", "min_value": 0.8, "max_value": 0.95},
    ),
    (
        "expect_column_quantile_values_to_be_between",
        {
            "column": "delay",
            "quantile_ranges": {
                "quantiles": [0.05, 0.25, 0.5, 0.9],
                "value_ranges": [[-60, -20], [-20, 0], [0, 20], [None, 40]],
            },
        },
    ),
    (
        "expect_column_distinct_values_to_be_in_set",
        {"column": "carrier", "value_set": ["AA", "UA", "DL", "B6"]},
    ),
    (
        "expect_column_distinct_values_to_contain_set",
        {"column": "carrier", "value_set": ["AA", "UA"]},
    ),
    (
        "expect_column_distinct_values_to_equal_set",
        {"column": "carrier", "value_set": ["AA", "UA", "DL", "B6", "??"]},
    ),
    (
        "expect_column_most_common_value_to_be_in_set",
        {"column": "carrier", "value_set": ["B6"]},
    ),
    (
        "expect_column_kl_divergence_to_be_less_than",
        {"column": "carrier", "partition_object": SHARES, "threshold": 0.1},
    ),
    (
        "expect_column_kl_divergence_to_be_less_than",
        {"column": "delay", "partition_object": BINS, "threshold": 0.01},
    ),
    ("expect_column_values_to_be_of_type", {"column": "planned", "type_": "int64"}),
]
"""Names and arguments as Great Expectations takes them."""

KEPT = (
    "element_count",
    "missing_count",
    "unexpected_count",
    "unexpected_percent",
    "observed_value",
    "partial_unexpected_list",
)


def kolmogorov() -> Iterator[dict[str, Any]]:
    """What scipy says of the distance between two samples, and of its limit distribution."""
    from scipy.stats import ks_2samp, kstwobign

    draw = random.Random(7)
    for shift, size in ((0, 200), (0.2, 150), (1, 40), (3, 60)):
        one = sorted(round(draw.gauss(0, 1), 1) for _ in range(100))
        other = [round(draw.gauss(shift, 1), 1) for _ in range(size)]
        statistic = float(ks_2samp(one, other).statistic)
        limit = float(kstwobign.sf(statistic * (100 * size / (100 + size)) ** 0.5))
        yield {"one": one, "other": other, "statistic": statistic, "limit": limit}


def main() -> None:
    """Asks, and writes the file."""
    import great_expectations as gx
    import pandas as pd
    from great_expectations.expectations.registry import get_expectation_impl

    context = gx.get_context(mode="ephemeral")
    asset = context.data_sources.add_pandas("pandas").add_dataframe_asset("rows")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch(
        batch_parameters={"dataframe": pd.DataFrame(rows())}
    )
    answers = []
    for name, arguments in RULES:
        found = batch.validate(get_expectation_impl(name)(**arguments)).to_json_dict()
        result = {key: found["result"][key] for key in KEPT if key in found["result"]}
        assert not found["exception_info"].get("raised_exception"), (name, found)
        answers.append(
            {
                "name": name,
                "arguments": arguments,
                "success": found["success"],
                "result": result,
            }
        )
    document = {
        "great_expectations": gx.__version__,
        "rows": rows(),
        "answers": answers,
        "kolmogorov": list(kolmogorov()),
    }
    GOLDEN.write_text(
        json.dumps(document, sort_keys=True, default=lambda one: one.item()) + "\n",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
