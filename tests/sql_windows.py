"""Final rows of windows by SQL, which knows no watermark: a third opinion."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import duckdb

SIZE, SLIDE, GAP = 10, 5, 8
AGGS = {"n": ("count", None), "total": ("sum", "v"), "low": ("min", "v"), "high": ("max", "v")}
NAMES = ("k", "window_start", "window_end", "n", "total", "low", "high")

# Values are quarters, so that sums are the same in any order.
SQL = {
    "tumbling": f"""
        SELECT k, ts - ts % {SIZE} AS window_start, ts - ts % {SIZE} + {SIZE} AS window_end,
               count(*) AS n, sum(v) AS total, min(v) AS low, max(v) AS high
        FROM records GROUP BY ALL""",
    "sliding": f"""
        SELECT k, start AS window_start, start + {SIZE} AS window_end,
               count(*) AS n, sum(v) AS total, min(v) AS low, max(v) AS high
        FROM records, (SELECT range * {SLIDE} AS start FROM range(-20, 40)) AS starts
        WHERE start <= ts AND ts < start + {SIZE} GROUP BY ALL""",
    "session": f"""
        SELECT k, min(ts) AS window_start, max(ts) + {GAP} AS window_end,
               count(*) AS n, sum(v) AS total, min(v) AS low, max(v) AS high
        FROM (SELECT *, sum(fresh) OVER (PARTITION BY k ORDER BY ts, id) AS number
              FROM (SELECT *, CASE WHEN ts - lag(ts) OVER (PARTITION BY k ORDER BY ts, id) < {GAP}
                                   THEN 0 ELSE 1 END AS fresh FROM records))
        GROUP BY k, number""",
}


def by_sql(kind: str, made: Iterable[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
    """The rows of `NAMES`, sorted, of records with k, ts and v."""
    with duckdb.connect() as database:
        database.execute("CREATE TABLE records (id INT, k INT, ts BIGINT, v DOUBLE)")
        values = [(n, row["k"], row["ts"], float(row["v"])) for n, row in enumerate(made)]
        database.executemany("INSERT INTO records VALUES (?, ?, ?, ?)", values)
        return sorted(database.execute(SQL[kind]).fetchall())
