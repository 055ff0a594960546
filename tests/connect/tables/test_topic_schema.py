"""A Parquet table of a topic's own rows has the columns that the topic's schema says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from kappa import Log, ManualClock, Pipeline
from kappa.connect import ParquetSink
from kappa.errors import SinkError
from kappa.schemas import Anything, Decimal, Field, Float, Int, Schema, String, optional

DAY = 86_400_000
FIELDS = [
    Field("ts", Int()),
    Field("kind", String()),
    Field("price", Float()),
    Field("fee", optional(Decimal(10, 2), default=None), default=None),
    Field("any", Anything()),
]
ROWS = [{"ts": day * DAY, "kind": "ab"[day % 2], "price": day, "any": day} for day in range(4)]


def log_of(rows: list[dict[str, Any]] = ROWS) -> Log:
    log = Log.memory(clock=ManualClock(0))
    log.create_topic("in", time="ts", schema=Schema.record("Row", FIELDS))
    log.append("in", rows)
    return log


def types(folder: Path) -> set[tuple[tuple[str, str], ...]]:
    """The columns of every file; one element if all agree."""
    return {
        tuple((one.name, str(one.type)) for one in pq.read_schema(file))
        for file in folder.rglob("*.parquet")
    }


WANTED = (
    ("ts", "int64"), ("kind", "string"), ("price", "double"), ("fee", "decimal128(10, 2)"),
    ("any", "int64"),
)  # fmt: skip

STRAIGHT = {
    "the source": lambda rows: rows,
    "filtered": lambda rows: rows.filter(lambda row: row["ts"] >= 0),
    "by a key": lambda rows: rows.key_by("kind"),
    "another time": lambda rows: rows.assign_time(lambda row: row["ts"]),
    "split": lambda rows: rows.split(lambda row: row["kind"] != "x")[0],
}


@pytest.mark.parametrize("way", STRAIGHT.values(), ids=STRAIGHT)
def test_rows_as_the_topic_holds_them_have_its_columns(tmp_path, way):
    p = Pipeline("p")
    way(p.source("in")).sink(ParquetSink(tmp_path / "lake", by="date"))
    with log_of() as log:
        p.run(log, until_idle=True, drain=True)
    assert types(tmp_path / "lake") == {WANTED}


MADE = {
    "made on the way": lambda rows: rows.with_columns(ts=lambda row: row["ts"]),
    "of two sources": lambda rows: rows.union(rows),
}


@pytest.mark.parametrize("way", MADE.values(), ids=MADE)
def test_other_rows_go_by_their_values(tmp_path, way):
    p = Pipeline("p")
    way(p.source("in")).sink(ParquetSink(tmp_path / "lake", by="date"))
    with log_of() as log, pytest.raises(SinkError, match="'fee' has no value in the table's first"):
        p.run(log, until_idle=True, drain=True)


def test_what_the_sink_says_comes_first_and_what_the_path_says_is_left_out(tmp_path):
    p = Pipeline("p")
    sink = ParquetSink(tmp_path / "lake", by=("kind", "date"), schema={"fee": "decimal(12, 4)"})
    p.source("in").sink(sink)
    with log_of() as log:
        p.run(log, until_idle=True, drain=True)
    (found,) = types(tmp_path / "lake")
    assert dict(found)["fee"] == "decimal128(12, 4)"
    assert "kind" not in dict(found)


def test_a_version_keeps_the_columns_that_it_began_with(tmp_path):
    def pipeline() -> Pipeline:
        p = Pipeline("p")
        p.source("in").sink(ParquetSink(tmp_path / "v{version}", by="date"))
        return p

    wider = [*FIELDS, Field("note", optional(String(), default=None), default=None)]
    with log_of() as log:
        pipeline().run(log, until_idle=True)
        log.set_schema("in", Schema.record("Row", wider))
        log.append("in", [{**ROWS[0], "ts": 4 * DAY, "note": "new"}])
        pipeline().run(log, until_idle=True, drain=True)
        assert types(tmp_path / "v1") == {WANTED}
        report = pipeline().backfill(log, since=None, until=None)
        assert (report.added, report.removed, report.altered) == (0, 0, 0)
        pipeline().replay(log, version=2)
    (found,) = types(tmp_path / "v2")
    assert dict(found) == {**dict(WANTED), "note": "string"}
