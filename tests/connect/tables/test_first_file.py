"""All files of a table have the same columns: a first file or a schema fixes them, for ever.

The oracles are those who read a lake: pyarrow's dataset, DuckDB and pandas, over all files.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from kappa import Log, ManualClock, Pipeline, col
from kappa.batch import Batch
from kappa.connect import ParquetSink
from kappa.connect.tables.columns import arrow_type, columns_of, kind_of
from kappa.connect.tables.parquet import ParquetFormat
from kappa.connect.tables.table import Table
from kappa.errors import ConfigError, SinkError
from kappa.schemas import Decimal as DecimalType
from kappa.schemas import (
    Enum,
    Field,
    Fixed,
    Float,
    Int,
    List,
    Map,
    Record,
    Ref,
    Schema,
    String,
    Time,
    Timestamp,
    optional,
)
from kappa.sinks import OVERWRITE, WRITE, Mark, SinkContext, SinkInstance
from kappa.state import StepState

DAY = 86_400_000


def log_of(values: list[Any], *, name: str = "x") -> Log:
    """A log with one value a day; a value that is ... is missing."""
    log = Log.memory(clock=ManualClock(0))
    log.create_topic("in", time="ts")
    append(log, values, name=name)
    return log


def append(log: Log, values: list[Any], *, first: int = 0, name: str = "x") -> None:
    for day, value in enumerate(values, first):
        log.append("in", [{"ts": day * DAY} | ({} if value is ... else {name: value})])


def table(folder: Path, **options: Any) -> Pipeline:
    p = Pipeline("p")
    p.source("in").sink(ParquetSink(folder, by="date", **options))
    return p


def run(log: Log, folder: Path, **options: Any) -> None:
    table(folder, **options).run(log, until_idle=True, drain=True)


def files(folder: Path) -> dict[str, bytes]:
    return {str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*.parquet")}


def types(folder: Path) -> set[str]:
    found = [pq.read_schema(one).field("x").type for one in folder.rglob("*.parquet")]
    return set(map(str, found))


def by_dataset(folder: Path) -> list[Any]:
    scanned = ds.dataset(folder, partitioning="hive", exclude_invalid_files=True)
    return scanned.to_table().sort_by("ts")["x"].to_pylist()


def by_duckdb(folder: Path) -> list[Any]:
    with duckdb.connect() as connection:
        query = f"SELECT x FROM read_parquet('{folder}/**/*.parquet') ORDER BY ts"
        return [row[0] for row in connection.execute(query).fetchall()]


def by_pandas(folder: Path) -> list[Any]:
    pandas = pytest.importorskip("pandas")
    return list(pandas.read_parquet(folder).sort_values("ts")["x"].astype(object))


@pytest.mark.parametrize(
    ("values", "type"),
    [
        ([1.5, 2, 10**15], "double"),
        ([Decimal("1.25"), 3, Decimal("10000000.5"), Decimal("1.100")], "decimal128(38, 2)"),
        ([Decimal("9" * 40), Decimal("1")], "decimal256(76, 0)"),
        ([2**70, -1], "decimal128(38, 0)"),
        ([1, 2, -(2**63)], "int64"),
        (["a", "b"], "string"),
        ([b"a", b""], "binary"),
    ],
)
def test_what_is_equal_is_widened_and_all_readers_see_it(tmp_path, values, type):
    with log_of(values) as log:
        run(log, tmp_path / "lake")
    assert types(tmp_path / "lake") == {type}
    readers = [by_dataset, by_duckdb, by_pandas]
    if type.startswith("decimal256"):
        readers.remove(by_duckdb)  # it has no such decimals
    for read in readers:
        assert read(tmp_path / "lake") == values


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([1, 1.5], r"1\.5 is float, but the column is int64"),
        ([1.5, 2**53 + 1], r"int \(no float equals it\), but the column is double"),
        ([1, True], "True is bool, but the column is int64"),
        ([1, 2**63], "but the column is int64"),
        (["a", 1], "1 is int, but the column is string"),
        ([Decimal("1.5"), Decimal("1.55")], r"1\.55'\) is Decimal.*decimal128\(38, 1\)"),
        ([datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 1, 1)], "it has no zone"),
        ([date(2020, 1, 1), datetime(2020, 1, 1)], "is datetime, but the column is date32"),
        ([[1], ["a"]], r"\['a'\]|'a' is str"),
        ([{"a": 1}, {"a": 1, "b": 2}], "its field 'b' is none of the column's"),
        ([None, 1], "has no value in the table's first file"),
        ([[], [1]], "has no value in the table's first file"),
        ([..., 1], r"field 'x' \(1\) is no column of the table, which has ts"),
    ],
)
def test_what_does_not_fit_stops_the_run_and_says_what_to_do(tmp_path, values, said):
    with log_of(values) as log, pytest.raises(SinkError, match=said) as caught:
        run(log, tmp_path / "lake")
    assert caught.value.field == "x"
    assert "schema=" in str(caught.value)
    shown = {pq.read_schema(one).to_string() for one in tmp_path.rglob("*.parquet")}
    assert len(shown) <= 1


@pytest.mark.parametrize("values", [[1, "a"], [datetime(2020, 1, 1), datetime.now(UTC)], [{1: 2}]])
def test_one_file_has_one_type_a_column(values):
    form = ParquetFormat()
    piece = form.piece(Batch.of_rows([{"x": one} for one in values], [0] * len(values)))
    with pytest.raises(SinkError, match="field 'x'"):
        form.file([piece.content])


def test_a_missing_value_and_null_are_the_same(tmp_path):
    with log_of([1.5, ..., None, 2]) as log:
        run(log, tmp_path / "lake")
    assert by_dataset(tmp_path / "lake") == by_duckdb(tmp_path / "lake") == [1.5, None, None, 2.0]


def test_a_schema_names_what_comes_later(tmp_path):
    values = [..., None, 1, 2.5]
    with log_of(values) as log:
        run(log, tmp_path / "lake", schema={"x": "float"})
    assert by_dataset(tmp_path / "lake") == by_duckdb(tmp_path / "lake") == [None, None, 1, 2.5]


def test_a_backfill_and_a_restart_keep_to_the_columns_of_the_first_file(tmp_path):
    """The rows of the days after it would be ints, alone."""
    values = [1.5, 2, 3, 4, 5]
    with log_of(values) as log:
        run(log, tmp_path / "whole")
        report = table(tmp_path / "whole").backfill(log, since=2 * DAY, until=4 * DAY)
        assert len(report.partitions) == 2
        assert (report.added, report.removed, report.altered) == (0, 0, 0)
        assert types(tmp_path / "whole") == {"double"}
    with log_of(values[:2]) as log:
        table(tmp_path / "cut").run(log, until_idle=True)
        append(log, values[2:], first=2)
        run(log, tmp_path / "cut")
        table(tmp_path / "anew").replay(log, version=2)
    assert types(tmp_path / "cut") == {"double"}
    assert files(tmp_path / "cut") == files(tmp_path / "anew")


def test_a_backfill_with_other_code_cannot_change_the_columns(tmp_path):
    def scaled(by: float) -> Pipeline:
        p = Pipeline("p")
        rows = p.source("in").with_columns(x=col("x") * by)
        rows.sink(ParquetSink(tmp_path / "lake", by="date"))
        return p

    with log_of([1, 2, 3]) as log:
        scaled(2).run(log, until_idle=True, drain=True)
        before = files(tmp_path / "lake")
        with pytest.raises(SinkError, match="is float, but the column is int64"):
            scaled(0.5).backfill(log, since=DAY, until=2 * DAY)
        assert files(tmp_path / "lake") == before


def test_what_closing_fixed_is_forgotten_when_it_is_taken_back(tmp_path):
    """A replay ends in the first day, with an int; the live run goes on there, with a float."""
    with log_of([1]) as log:
        p = table(tmp_path / "lake")
        p.replay(log)
        assert types(tmp_path / "lake") == {"int64"}
        log.append("in", [{"ts": 5, "x": 1.5}])
        append(log, [2], first=1)
        p.run(log, until_idle=True, drain=True)
    assert types(tmp_path / "lake") == {"double"}
    assert sorted(by_dataset(tmp_path / "lake")) == [1, 1.5, 2]


def test_a_ledger_of_many_commits_keeps_the_columns(tmp_path, monkeypatch):
    monkeypatch.setattr("kappa.connect.tables.ledger.SNAPSHOT_EVERY", 2)
    with log_of([1.5, 2, 3]) as log:
        run(log, tmp_path / "lake")
        assert list((tmp_path / ".lake.kappa").glob("*.snapshot.json"))
        columns = Table(tmp_path / "lake").ledger.refresh().columns
    assert columns == [["ts", "int64", True], ["x", "double", True]]


def test_another_schema_for_the_same_table_is_refused(tmp_path):
    with log_of([1, 2]) as log:
        run(log, tmp_path / "lake", schema={"x": "int"})
        for schema, said in [
            ({"x": "float"}, "'x' is double in the sink's schema and int64 in the table"),
            ({"y": "int"}, "'y' is int64 in the sink's schema and none in the table"),
            (pa.schema([("x", pa.int64(), False)]), "'x' is int64 and never null in the sink's"),
        ]:
            with pytest.raises(SinkError, match=said):
                table(tmp_path / "lake", schema=schema).backfill(log, since=0, until=DAY)


# Declared schemas.


@dataclass
class Point:
    lat: float
    name: str | None


ZONE = timezone(timedelta(hours=2))
WHOLE = Schema.record(
    "Row",
    [
        Field("ts", Int()),
        Field("small", Int(32)),
        Field("ratio", Float(32)),
        Field("price", DecimalType(10, 2)),
        Field("huge", DecimalType(50, 2)),
        Field("at", Timestamp()),
        Field("local", Timestamp(zone=False, unit="ms")),
        Field("clock", Time()),
        Field("kind", Enum("Kind", ("a", "b"))),
        Field("code", Fixed("Code", 2)),
        Field("tags", List(optional(String()))),
        Field("counts", Map(Int())),
        Field("inner", Record("Inner", (Field("n", Int()), Field("k", Ref("Kind"))))),
        Field("note", optional(String())),
        Field("gone", String(), required=False),
    ],
)
ROW = {
    "ts": 1, "small": -5, "ratio": 0.5, "price": Decimal("1.5"), "huge": Decimal(10) ** 40,
    "at": datetime(2020, 1, 1, 2, tzinfo=ZONE), "local": datetime(2020, 1, 1, 0, 0, 0, 5000),
    "clock": time(1, 2, 3, 4), "kind": "a", "code": b"xy", "tags": ["t", None],
    "counts": {"b": 1, "a": 2}, "inner": {"n": 1, "k": "b"}, "note": None,
}  # fmt: skip


def written(schema: Any, *rows: dict[str, Any]) -> pa.Table:
    form = ParquetSink("lake", schema=schema).format()
    piece = form.piece(Batch.of_rows(list(rows), [0] * len(rows)))
    return pq.read_table(io.BytesIO(form.file([piece.content])))


def test_a_declared_schema_with_every_type():
    assert WHOLE.check(ROW) == []
    found = written(WHOLE, ROW)
    (row,) = found.to_pylist()
    assert row["counts"] == [("b", 1), ("a", 2)]
    assert {**row, "counts": dict(row["counts"])} == {**ROW, "gone": None}
    assert [one.nullable for one in found.schema] == [False] * 13 + [True, True]
    kinds = {one.name: str(one.type) for one in found.schema}
    assert kinds["price"] == "decimal128(10, 2)"
    assert kinds["huge"] == "decimal256(50, 2)"
    assert (kinds["at"], kinds["local"]) == ("timestamp[us, tz=UTC]", "timestamp[ms]")
    assert written(found.schema, ROW).equals(found)


def test_a_class_and_types_by_name():
    found = written(Point, {"lat": 1, "name": None}, {"lat": 1.5, "name": "x"})
    assert found.to_pylist() == [{"lat": 1.0, "name": None}, {"lat": 1.5, "name": "x"}]
    one = UUID(int=7)
    schema = {"id": pa.uuid(), "d": "decimal(5, 1)", "t": "time", "w": "duration", "l": List(Int())}
    row = {"id": one, "d": Decimal(3), "t": time(5), "w": timedelta(1), "l": [1]}
    (again,) = written(schema, row).to_pylist()
    assert again == row


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({**ROW, "small": 2**31}, "'small'"),
        ({**ROW, "price": Decimal("1.555")}, "'price'"),
        ({**ROW, "local": datetime(2020, 1, 1, 0, 0, 0, 5)}, "'local'.*finer than ms"),
        ({**ROW, "inner": {"n": None, "k": "a"}}, "'inner'.*'n' may not be null"),
        ({**ROW, "counts": {1: 1}}, "'counts'.*no text"),
        ({**ROW, "kind": None}, "'kind' is null or missing"),
    ],
)
def test_rows_that_a_declared_schema_refuses(row, said):
    with pytest.raises(SinkError, match=said):
        written(WHOLE, row)


def test_a_record_that_holds_its_own_kind_is_no_column():
    node = List(Record("Node", (Field("next", optional(Ref("Node"))),)))
    with pytest.raises(ConfigError, match=r"'x' of schema R.*of its kind"):
        ParquetSink("x", schema=Schema.record("R", [Field("x", node)]))


@pytest.mark.parametrize(
    "type",
    [
        pa.int8(), pa.uint64(), pa.float16(), pa.float32(), pa.decimal256(60, 3), pa.null(),
        pa.timestamp("ns", "Europe/Zurich"), pa.binary(3), pa.large_string(), pa.uuid(),
        pa.list_(pa.struct([pa.field("a b", pa.date32(), nullable=False)])),
        pa.map_(pa.string(), pa.list_(pa.time32("ms"))),
    ],
)  # fmt: skip
def test_types_of_arrow_come_back_from_what_a_ledger_keeps(type):
    assert arrow_type(kind_of(type)) == type
    schema = columns_of(pa.schema([pa.field("x", type)]))
    assert columns_of({"x": type}) == schema


def opened(folder: Path, owner: str, mode: str) -> SinkInstance:
    state = StepState("sink")
    context = SinkContext("sink", state, owner, made=1, mode=mode, end_lsn=9, target=1)
    instance = ParquetSink(folder, by="date").open(context)
    assert instance.mark() is None
    return instance


def test_of_two_first_files_at_once_one_wins_and_the_other_is_refused(tmp_path):
    """A backfill swaps its files in between a live run's checkpoint and its commit."""
    live = opened(tmp_path / "lake", "p@1", WRITE)
    live.write(1, 0, Batch.of_rows([{"x": 1}], [0]))
    staged = live.finish(1, 0, None)
    backfill = opened(tmp_path / "lake", "p.backfill@1", OVERWRITE)
    backfill.write(2, 0, Batch.of_rows([{"x": 1.5}], [DAY]))
    backfill.commit(backfill.finish(2, 0, None), Mark("p.backfill@1", 1, 2, 0, closed=True))
    with pytest.raises(SinkError, match="has written the table's first file meanwhile"):
        live.commit(staged, Mark("p@1", 1, 1, 0, closed=True))
    assert types(tmp_path / "lake") == {"double"}


def test_rows_may_hold_instances_of_dataclasses():
    form = ParquetFormat()
    point = Point(1.5, "a")
    piece = form.piece(Batch.of_rows([{"p": point, "l": [point], "m": {"k": point}}], [0]))
    (row,) = pq.read_table(io.BytesIO(form.file([piece.content]))).to_pylist()
    plain = {"lat": 1.5, "name": "a"}
    assert row == {"p": plain, "l": [plain], "m": {"k": plain}}
