"""Columns from the schema of a topic: every logical type, there and back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kappa import Log, Pipeline
from kappa import schemas as s
from kappa.connect import ParquetSink, load_all
from kappa.connect.tables.parquet import ParquetFormat
from kappa.errors import ConfigError, SinkError


class Side(Enum):
    BUY = "buy"
    SELL = "sell"


@dataclass
class Leg:
    code: str
    size: float


@dataclass
class Order:
    id: int
    side: Side
    price: Annotated[Decimal, s.Decimal(10, 2)]
    big: Annotated[Decimal, s.Decimal(50, 5)]
    at: datetime
    wall: Annotated[datetime, s.Timestamp(zone=False, unit="ms")]
    day: date
    hour: time
    took: timedelta
    key: UUID
    tags: list[str]
    sizes: dict[str, int]
    legs: list[Leg]
    code: Annotated[bytes, s.Fixed("Code", 2)]
    small: Annotated[int, s.Int(32)]
    ok: bool
    note: str | None = None
    other: UUID | None = None


WANTED = {
    "id": "int64",
    "side": "string",
    "price": "decimal128(10, 2)",
    "big": "decimal256(50, 5)",
    "at": "timestamp[us, tz=UTC]",
    "wall": "timestamp[ms]",
    "day": "date32[day]",
    "hour": "time64[us]",
    "took": "duration[us]",
    "key": "string",
    "tags": "list<element: string>",
    "sizes": "map<string, int64 ('sizes')>",
    "legs": "list<element: struct<code: string not null, size: double not null>>",
    "code": "fixed_size_binary[2]",
    "small": "int32",
    "ok": "bool",
    "note": "string",
    "other": "string",
}
AT = datetime(2026, 3, 29, 1, 30, tzinfo=ZoneInfo("Europe/Berlin"))
ROW = {
    "id": 1, "side": "buy", "price": Decimal("9.90"), "big": Decimal("1" * 45 + ".00001"),
    "at": AT, "wall": datetime(2026, 3, 29, 2, 30), "day": date(2026, 3, 29),
    "hour": time(1, 2, 3, 4), "took": timedelta(seconds=1), "key": UUID(int=7),
    "tags": ["a", "b"], "sizes": {"a": 1}, "legs": [{"code": "x", "size": 1.5}],
    "code": b"ab", "small": 3, "ok": True, "note": None, "other": UUID(int=8),
}  # fmt: skip


def written(lake: Path, rows: list[dict], schema: object, **options: object) -> None:
    with Log.memory() as log:
        log.create_topic("orders", key="id", time="at", schema=Order)
        log.append("orders", rows)
        pipeline = Pipeline("lake")
        pipeline.source("orders").sink(ParquetSink(lake, schema=schema, **options))
        pipeline.run(log, until_idle=True, drain=True)


def of_topic() -> s.Schema:
    with Log.memory() as log:
        log.create_topic("orders", time="at", schema=Order)
        return log.schemas("orders")[-1].schema


@pytest.mark.parametrize("schema", [Order, s.Schema.of(Order), of_topic()])
def test_every_logical_type_has_a_column_and_comes_back(tmp_path: Path, schema):
    second = {**ROW, "id": 2, "tags": [], "sizes": {}, "legs": [], "note": "n", "other": None}
    written(tmp_path / "lake", [ROW, second], schema)
    (file,) = (tmp_path / "lake").glob("*.parquet")
    found = pq.read_schema(file)
    assert {one.name: str(one.type).replace("item:", "element:") for one in found} == WANTED
    with Log.memory() as log:
        log.create_topic("orders")
        load_all(log, "orders", tmp_path / "lake")
        rows = [record.value for record in log.read("orders")]
    texts = {"key": str(ROW["key"]), "at": AT.astimezone(UTC)}
    wall = {"wall": ROW["wall"].replace(tzinfo=UTC)}
    first = {**ROW, **texts, **wall, "other": str(ROW["other"])}
    assert rows == [first, {**second, **texts, **wall}]
    assert str(rows[0]["price"]) == "9.90"
    with duckdb.connect() as connection:
        text = f"DESCRIBE SELECT price, \"at\", wall, day, sizes FROM '{file}'"
        kinds = connection.sql(text).fetchall()
    assert [kind for _, kind, *_ in kinds] == [
        "DECIMAL(10,2)", "TIMESTAMP WITH TIME ZONE", "TIMESTAMP", "DATE", "MAP(VARCHAR, BIGINT)",
    ]  # fmt: skip


def test_a_column_that_no_row_fills_has_its_type_and_one_that_the_path_says_is_left_out(tmp_path):
    written(tmp_path / "lake", [{**ROW, "other": None}], Order, by=("side", "month"))
    (file,) = (tmp_path / "lake").rglob("*.parquet")
    assert "/side=buy/month=2026-03/" in str(file)
    found = pq.read_schema(file)
    assert "side" not in found.names
    assert (str(found.field("other").type), str(found.field("note").type)) == ("string", "string")


def test_types_by_name_may_be_arrows_own(tmp_path: Path):
    schema = {
        "at": pa.timestamp("us", tz="Europe/Berlin"),
        "wall": "timestamp[ms, tz=America/New_York]",
        "price": "decimal(12, 4)",
        "small": "int8",
        "note": "str",
    }
    rows = [{**ROW, "wall": datetime(2026, 3, 29, 2, 30)}]
    written(
        tmp_path / "lake", rows, {name: schema[name] for name in ("at", "price", "small", "note")}
    )
    (file,) = (tmp_path / "lake").glob("*.parquet")
    found = pq.read_schema(file)
    kinds = [str(found.field(name).type) for name in ("at", "price", "small")]
    assert kinds == ["timestamp[us, tz=Europe/Berlin]", "decimal128(12, 4)", "int8"]
    assert pq.read_table(file).column("at")[0].as_py() == AT
    assert ParquetSink("x", schema=schema) == ParquetSink("x", schema=dict(schema))
    assert str(ParquetSink("x", schema=schema).format()).count("America/New_York") == 1


@pytest.mark.parametrize(
    ("type_", "said"),
    [
        (s.Union((s.Int(), s.String())), "field 'x' of schema R: no column can hold"),
        (s.Decimal(100), "more than 76 digits"),
        (s.Record("Open", (), open=True), "open to fields of any name"),
    ],
)
def test_what_no_column_can_hold_is_refused_by_its_field(type_, said):
    with pytest.raises(ConfigError, match=said):
        ParquetSink("x", schema=s.Schema.record("R", [s.Field("x", type_)]))


def test_a_field_of_any_type_goes_by_its_values_and_a_wrong_value_is_named():
    schema = s.Schema.record("R", [s.Field("x", s.Anything()), s.Field("y", s.Int(32))])
    form = ParquetSink("x", schema=schema).format()
    assert isinstance(form, ParquetFormat)
    assert [column.name for column in form.schema] == ["y"]
    with pytest.raises(SinkError, match=r"field 'y'.*but the column is int32"):
        form.file([(1, {"y": [1 << 40]})])
