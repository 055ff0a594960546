"""DuckDB, Polars and pandas read a lake while its partitions are replaced.

Method: two days of three files each are swapped to and fro by a thread, and read all the time.
Who takes the plain folder sees each day as it was or as it is, or is told that a file is
gone; who reads a snapshot, or asks by SQL, sees both days of one generation, and no error.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from kappa import Log, Pipeline, col
from kappa.connect import Lake, ParquetSink
from kappa.errors import ConfigError

HOUR = 3_600_000
DAYS = ("1970-01-02", "1970-01-03")
SWAPS = 20
OLD, NEW = {DAYS[0]: 852, DAYS[1]: 1428}, {DAYS[0]: 8520, DAYS[1]: 14280}

Sums = dict[str, int]


def by_duckdb(folder: Path) -> Sums:
    query = f"""SELECT date::VARCHAR, sum(x)::BIGINT
        FROM read_parquet('{folder}/*/*.parquet', hive_partitioning = true) GROUP BY ALL"""
    with duckdb.connect() as connection:
        return dict(connection.execute(query).fetchall())


def by_polars(folder: Path) -> Sums:
    polars = pytest.importorskip("polars")
    frame = polars.scan_parquet(f"{folder}/*/*.parquet", hive_partitioning=True)
    sums = frame.group_by(polars.col("date").cast(polars.String)).agg(polars.col("x").sum())
    return dict(sums.collect().rows())


def by_pandas(folder: Path) -> Sums:
    pandas = pytest.importorskip("pandas")
    sums = pandas.read_parquet(folder, partitioning="hive").groupby("date", observed=True)["x"]
    return {str(day): int(total) for day, total in sums.sum().items()}


READERS = [by_duckdb, by_polars, by_pandas]


def raw(lake: Path, unit: int = 1) -> Pipeline:
    p = Pipeline("p")
    rows = p.source("in").with_columns(x=col("x") * unit)
    rows.sink(ParquetSink(lake, by="date", rows=9))
    return p


@contextmanager
def swapping(folder: Path) -> Iterator[tuple[Path, Callable[[], bool]]]:
    """A lake whose two days are swapped all the time, and whether they were often enough."""
    lake, turns = folder / "raw", []
    with Log(folder / "log") as log:
        log.create_topic("in", time="ts")
        log.append("in", [{"x": n, "ts": n * HOUR} for n in range(24, 72)])
        raw(lake).run(log, until_idle=True, drain=True)

        def swap() -> None:
            for turn in range(SWAPS):
                raw(lake, (10, 1)[turn % 2]).backfill(log, since=0, until=80 * HOUR)
                turns.append(turn)

        thread = threading.Thread(target=swap)
        thread.start()
        try:
            yield lake, lambda: len(turns) < SWAPS and thread.is_alive()
        finally:
            thread.join()


def gone(error: Exception) -> bool:
    """Whether a reader says that a file it has listed is not there."""
    text = str(error).lower()
    return isinstance(error, FileNotFoundError) or "no such file" in text or "not found" in text


@pytest.mark.slow
@pytest.mark.parametrize("read", READERS)
def test_who_reads_the_plain_folder_sees_each_day_before_or_after(tmp_path, read):
    seen: list[Sums] = []
    with swapping(tmp_path) as (lake, goes_on):
        while goes_on():
            try:
                seen.append(read(lake))
            except Exception as error:
                assert gone(error), error
    for sums in seen:
        assert sums.keys() == OLD.keys()
        assert all(sums[day] in (OLD[day], NEW[day]) for day in DAYS), sums
    assert len({str(sums) for sums in seen}) > 1


def in_a_snapshot(read: Callable[[Path], Sums]) -> Callable[[Path], Sums]:
    def reading(lake: Path) -> Sums:
        with Lake(lake).snapshot() as folder:
            return read(folder)

    return reading


def by_sql(lake: Path) -> Sums:
    query = "SELECT date::VARCHAR, sum(x)::BIGINT FROM lake GROUP BY ALL"
    with Log.memory() as log, log.sql(query, tables={"lake": lake}) as result:
        return dict(result.tuples())


@pytest.mark.slow
@pytest.mark.parametrize("read", [by_sql, *map(in_a_snapshot, READERS)])
def test_who_follows_the_ledger_sees_all_of_it_before_or_after(tmp_path, read):
    seen: list[Sums] = []
    with swapping(tmp_path) as (lake, goes_on):
        while goes_on():
            seen.append(read(lake))
    assert all(sums in (OLD, NEW) for sums in seen)
    assert OLD in seen
    assert NEW in seen
    assert not list((tmp_path / ".raw.kappa").rglob("read/*"))


def test_a_snapshot_holds_its_files_when_they_are_replaced_and_collected(tmp_path):
    with Log(tmp_path / "log") as log:
        log.create_topic("in", time="ts")
        log.append("in", [{"x": n, "ts": n * HOUR} for n in range(24, 72)])
        raw(tmp_path / "raw").run(log, until_idle=True, drain=True)
        lake = Lake(tmp_path / "raw")
        with lake.snapshot() as folder:
            raw(tmp_path / "raw", 10).backfill(log, since=0, until=80 * HOUR)
            lake.collect(log, keep=0)
            assert by_duckdb(folder) == OLD
            assert by_duckdb(tmp_path / "raw") == NEW
            left = tmp_path / ".raw.kappa" / "read" / "999999999.0" / "x.parquet"
            left.parent.mkdir()
            left.touch()
            lake.collect(log, keep=0)
            assert not left.exists()
            assert by_duckdb(folder) == OLD
        assert sorted(lake.files()) == sorted(map(str, (tmp_path / "raw").rglob("*.parquet")))
    with pytest.raises(ConfigError, match="is no table that kappa wrote"):
        Lake(tmp_path)
