"""Parquet: what is in the files, that their bytes follow from the rows, and who can read them."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import duckdb
import hypothesis.strategies as st
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from strategies import examples

from kappa import Log, ManualClock, Pipeline, Tumbling, agg, col
from kappa.batch import Batch
from kappa.connect import ParquetSink
from kappa.connect.tables.columns import columns_of
from kappa.connect.tables.parquet import ParquetFormat
from kappa.errors import ConfigError, SinkError

HOUR = 3_600_000
VALUES = {
    "a": st.one_of(st.none(), st.integers(-5, 5), st.floats(-1, 1)),
    "b": st.one_of(st.none(), st.text(max_size=3)),
    "c": st.one_of(st.booleans(), st.booleans(), st.just("odd")),
}
ROWS = st.lists(st.fixed_dictionaries({}, optional=VALUES), min_size=1, max_size=12)


def made(rows: list, cuts: list[int], *, packed: int = 0) -> bytes:
    form = ParquetFormat()
    ends = sorted({0, len(rows), *(cut % (len(rows) + 1) for cut in cuts)})
    parts = [rows[a:b] for a, b in pairwise(ends)]
    pieces = [form.piece(Batch.of_rows(part, [0] * len(part))) for part in parts]
    contents = [piece.content for piece in pieces]
    contents[:packed] = [form.unpack(form.pack(contents[:packed]))] if packed else []
    assert sum(piece.size for piece in pieces) >= 0
    return form.file(contents)


@given(ROWS, st.lists(st.integers(0, 12), max_size=4), st.integers(0, 3))
@examples(60)
def test_the_bytes_follow_from_the_rows_alone(rows, cuts, packed):
    turned = [dict(reversed(row.items())) for row in rows]
    try:
        want = made(rows, [])
    except SinkError:  # values of several types, or none: refused in whatever pieces they come
        with pytest.raises(SinkError):
            made(turned, cuts, packed=packed)
    else:
        assert made(turned, cuts, packed=packed) == want


@given(ROWS)
@examples(60)
def test_sizes_add_up(rows):
    form = ParquetFormat()
    names = sorted({name for row in rows for name in row})
    rows = [{name: row.get(name) for name in names} for row in rows]
    parts = [form.piece(Batch.of_rows([row], [0])).size for row in rows]
    assert form.piece(Batch.of_rows(rows, [0] * len(rows))).size == sum(parts)


def test_files_have_statistics_dictionaries_and_zstd():
    data = made([{"n": n, "s": "ab"[n % 2]} for n in range(1000)], [])
    meta = pq.read_metadata(io.BytesIO(data)).row_group(0)
    for index, (low, high) in enumerate([(0, 999), ("a", "b")]):
        column = meta.column(index)
        assert (column.statistics.min, column.statistics.max) == (low, high)
        assert column.compression == "ZSTD"
        assert column.has_dictionary_page


def test_pages_carry_checksums():
    data = bytearray(made([{"n": n * 7919 % 1000} for n in range(1000)], []))
    place = pq.read_metadata(io.BytesIO(data)).row_group(0).column(0)
    assert pq.ParquetFile(io.BytesIO(data), page_checksum_verification=True).read().num_rows == 1000
    data[place.dictionary_page_offset + place.total_compressed_size - 3] ^= 1
    with pytest.raises(OSError, match="CRC"):
        pq.ParquetFile(io.BytesIO(data), page_checksum_verification=True).read()


def test_a_schema_holds_for_every_file():
    form = ParquetFormat(columns_of({"at": "timestamp", "mean": "float", "gone": "str"}))
    batch = Batch.of_rows([{"x": 1, "at": 5, "mean": None}], [0])
    table = pq.read_table(io.BytesIO(form.file([form.piece(batch).content])))
    assert table.schema.names == ["at", "mean", "gone", "x"]
    assert [str(kind) for kind in table.schema.types] == [
        "timestamp[ms, tz=UTC]", "double", "string", "int64",
    ]  # fmt: skip
    bad = Batch.of_rows([{"mean": "high"}], [0])
    with pytest.raises(SinkError, match="'mean': 'high' is str, but the column is double"):
        form.file([form.piece(bad).content])


@pytest.mark.parametrize(
    ("options", "said"),
    [({"schema": {"x": "number"}}, "type 'number'"), ({"codec": "lzma"}, "codec is 'lzma'")],
)
def test_wrong_options_are_refused(options, said):
    with pytest.raises(ConfigError, match=said):
        ParquetSink("x", **options)


def pipeline(out: Path, unit: int) -> Pipeline:
    p = Pipeline("p")
    (
        p.source("in", out_of_orderness="1h")
        .with_columns(x=col("x") * unit)
        .key_by("k")
        .window(Tumbling("1h"))
        .aggregate(n=agg.count(), s=agg.sum("x"), mean=agg.mean("x"))
        .sink(
            ParquetSink(
                out,
                by="date",
                zone="Europe/Zurich",
                rows=29,
                schema={"window_start": "timestamp", "window_end": "timestamp", "k": "str"},
            )
        )
    )
    return p


def fill(log: Log) -> None:
    log.create_topic("in", time="ts")
    for hour in range(24 * 6):
        rows = [{"k": "abc"[n % 3], "x": n, "ts": hour * HOUR + n * 60_000} for n in range(9)]
        log.append("in", rows)


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*.parquet")}


def test_a_lake_is_backfilled_byte_for_byte_and_read_by_others(tmp_path):
    with Log.memory(clock=ManualClock(0)) as log:
        fill(log)
        pipeline(tmp_path / "lake", 1).run(log, until_idle=True, drain=True)
        pipeline(tmp_path / "rebuilt", 10).replay(log, version=2)
        before, rebuilt = files(tmp_path / "lake"), files(tmp_path / "rebuilt")
        options = {"since": "1970-01-03T00:00+01:00", "until": "1970-01-05T00:00+01:00"}
        report = pipeline(tmp_path / "lake", 10).backfill(log, **options)
    assert [one.partition for one in report.partitions] == ["date=1970-01-03", "date=1970-01-04"]
    assert (report.altered, report.added, report.removed) == (144, 0, 0)
    after = files(tmp_path / "lake")
    mended = ("date=1970-01-03", "date=1970-01-04")
    want = {name: data for name, data in rebuilt.items() if name.startswith(mended)}
    want |= {name: data for name, data in before.items() if not name.startswith(mended)}
    assert after == want
    assert len(after) == len(before) > 12  # several files a day

    with duckdb.connect() as connection:
        query = f"""SELECT date::VARCHAR, k, sum(n)::INT, min(window_start)
            FROM read_parquet('{tmp_path}/lake/**/*.parquet', hive_partitioning=true)
            WHERE date = '1970-01-03' GROUP BY ALL ORDER BY k"""
        rows = connection.execute(query).fetchall()
    first = datetime(1970, 1, 2, 23, tzinfo=UTC)
    assert [(a, b, c, d.astimezone(UTC)) for a, b, c, d in rows] == [
        ("1970-01-03", k, 72, first) for k in "abc"
    ]
    table = ds.dataset(tmp_path / "lake", partitioning="hive", exclude_invalid_files=True)
    assert table.count_rows() == 24 * 6 * 3
    frame = table.to_table().to_pandas()
    assert frame["n"].sum() == 24 * 6 * 9
