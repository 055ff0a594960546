"""What each query means, case by case: rows by hand, from the oracle and from the engine."""

from __future__ import annotations

from typing import Any

import pytest
from nexmark.cases import CASES
from nexmark.made import COLUMNS, expected, same_rows

from benchmarks.nexmark.catalog import QUERIES
from benchmarks.nexmark.running import answer

NAMED = [(query, title) for query, cases in CASES.items() for title in cases]


def rows_of(query: str, tuples: list[tuple[Any, ...]]) -> list[dict[str, Any]]:
    return [dict(zip(COLUMNS[query].split(), row, strict=True)) for row in tuples]


@pytest.mark.parametrize(("query", "title"), NAMED)
def test_the_oracle_says_what_was_worked_out_by_hand(query, title, tmp_path):
    events, rows = CASES[query][title]
    same_rows(query, expected(query, events, tmp_path), rows_of(query, rows))


@pytest.mark.parametrize(("query", "title"), [pair for pair in NAMED if pair[0] in QUERIES])
def test_so_does_the_engine(query, title):
    events, rows = CASES[query][title]
    for per_append in (1, 1000):
        same_rows(
            query, answer(QUERIES[query], events, per_append=per_append), rows_of(query, rows)
        )


def test_every_query_has_cases_and_the_columns_it_should():
    assert set(CASES) == set(COLUMNS)
    assert {name: list(query.columns) for name, query in QUERIES.items() if name in COLUMNS} == {
        name: columns.split() for name, columns in COLUMNS.items() if name in QUERIES
    }
