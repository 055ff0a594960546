"""The numbers people ask for of a lake: python -m benchmarks.lake [--records N] [--json]

1. A year of readings as CSV, JSON lines, kappa's log and Parquet: bytes per record, and seconds
   to read three of eight columns, into lists of Python and by one SQL query.
2. One month of a year's hourly table backfilled, against rebuilding the year.

Every way must give the same sums, and the backfilled month the files of the rebuild.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import duckdb
import pyarrow.parquet as pq

from benchmarks.data import Row, chunks
from kappa import Log, Pipeline, Tumbling, agg, col
from kappa.connect import Lake, ParquetSink
from kappa.log import decode_body

HOUR = 3_600_000
START = 1_356_998_400_000  # 2013-01-01
YEAR_MS = 365 * 24 * HOUR
JUNE = ("2013-06-01", "2013-07-01")
WANTED = ("station", "level", "rain")
SIZES = {"smoke": 3_000, "real": 1_000_000}
Sums = tuple[int, int, int]


def readings(records: int) -> Iterator[Row]:
    """A year of readings of 100 stations, in order of time."""
    draw = random.Random(7)
    for n in range(records):
        yield {
            "ts": START + n * YEAR_MS // records,
            "station": draw.randrange(100),
            "region": f"region-{draw.randrange(9)}",
            "level": draw.randrange(-500, 2_000),
            "rain": draw.randrange(100),
            "battery": round(draw.uniform(11, 13), 3),
            "state": ("ok", "ok", "ok", "dry", "frost")[draw.randrange(5)],
            "serial": f"{draw.getrandbits(48):012x}",
        }


def raw(lake: Path) -> Pipeline:
    """All rows as they are, one file a day."""
    pipeline = Pipeline("raw")
    pipeline.source("readings").sink(ParquetSink(lake, by="date"))
    return pipeline


def hourly(lake: Path, unit: int = 1) -> Pipeline:
    """A table of sums an hour and station."""
    pipeline = Pipeline("hourly")
    scaled = pipeline.source("readings").with_columns(rain=col("rain") * unit)
    hours = scaled.key_by("station").window(Tumbling("1h"))
    sums = hours.aggregate(n=agg.count(), rain=agg.sum("rain"), level=agg.max("level"))
    sums.sink(ParquetSink(lake, by="date"))
    return pipeline


# The formats: how each is read, as sums of three columns.


def by_csv(path: Path) -> Sums:
    """Cell by cell, by the standard library."""
    with path.open(newline="") as file:
        lines = csv.reader(file)
        head = next(lines)
        at = [head.index(name) for name in WANTED]
        cells = [[int(line[one]) for one in at] for line in lines]
    return _sums(list(zip(*cells, strict=True)))


def by_lines(path: Path) -> Sums:
    """Line by line, by the standard library."""
    with path.open() as file:
        rows = list(map(json.loads, file))
    return _sums([[row[name] for row in rows] for name in WANTED])


def by_log(path: Path) -> Sums:
    """The columns of every body, checksums held."""
    columns: list[list[int]] = [[], [], []]
    with Log(path) as log:
        for entry in log.entries(0):
            for body in log.read_parts(entry.parts) if entry.kind == "append" else ():
                found = decode_body(body, frozenset(WANTED)).columns
                assert found is not None
                for column, name in zip(columns, WANTED, strict=True):
                    column += found[name]
    return _sums(columns)


def by_parquet(path: Path) -> Sums:
    """The columns of every file, by pyarrow."""
    columns: list[list[int]] = [[], [], []]
    for file in Lake(path).files():
        table = pq.ParquetFile(file).read(columns=list(WANTED))
        for column, name in zip(columns, WANTED, strict=True):
            column += table.column(name).to_pylist()
    return _sums(columns)


def _sums(columns: Sequence[Sequence[int]]) -> Sums:
    one, two, three = map(sum, columns)
    return one, two, three


def by_sql(source: str) -> Callable[[Path], Sums]:
    """One query over a file."""
    totals = ", ".join(f"sum({name})::BIGINT" for name in WANTED)

    def read(path: Path) -> Sums:
        with duckdb.connect() as connection:
            found = connection.execute(f"SELECT {totals} FROM {source.format(path)}").fetchall()
        return tuple(found[0])

    return read


def log_by_sql(path: Path) -> Sums:
    """One query over the topic."""
    totals = ", ".join(f"sum({name})::BIGINT" for name in WANTED)
    with Log(path) as log, log.sql(f"SELECT {totals} FROM readings") as result:
        (found,) = result.tuples()
        return tuple(found)


Way = Callable[[Path], Sums]
FORMATS: dict[str, tuple[str, Way, Way]] = {
    "CSV": ("rows.csv", by_csv, by_sql("read_csv_auto('{}')")),
    "JSON lines": ("rows.jsonl", by_lines, by_sql("read_json_auto('{}')")),
    "kappa's log": ("log", by_log, log_by_sql),
    "Parquet": ("raw", by_parquet, by_sql("read_parquet('{}/*/*.parquet')")),
}
"""Where each format lies, and how it is read: into lists, and by SQL."""


def written(folder: Path, records: int) -> None:
    """The same rows in every format."""
    rows = list(readings(records))
    with (folder / "rows.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    with (folder / "rows.jsonl").open("w") as file:
        file.writelines(json.dumps(row, separators=(",", ":")) + "\n" for row in rows)
    with Log(folder / "log", fsync="never") as log:
        log.create_topic("readings", key="station", time="ts")
        for piece in chunks(rows, 4096):
            log.append("readings", piece)
    shutil.copytree(folder / "log", folder / "work")  # what runs leave is none of its bytes
    with Log(folder / "work", fsync="never") as log:
        raw(folder / "raw").replay(log)


def compared(folder: Path, records: int, rounds: int) -> list[dict[str, Any]]:
    """Bytes and seconds of each format."""
    found = []
    sums = set()
    for name, (place, in_python, in_sql) in FORMATS.items():
        path = folder / place
        files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
        size = sum(one.stat().st_size for one in files)
        seconds = []
        for way in (in_python, in_sql):
            took = []
            for _ in range(rounds):
                began = time.perf_counter()
                sums.add(way(path))
                took.append(time.perf_counter() - began)
            seconds.append(median(took))
        found.append(
            {"format": name, "bytes": size / records, "python_s": seconds[0], "sql_s": seconds[1]}
        )
    if len(sums) != 1:
        raise AssertionError(f"the formats do not give the same sums: {sums}")
    return found


def mended(folder: Path) -> dict[str, float]:
    """Seconds of a backfill of June, and of a rebuild of the year."""
    with Log(folder / "work", fsync="never") as log:
        hourly(folder / "hourly").run(log, until_idle=True, drain=True)
        began = time.perf_counter()
        report = hourly(folder / "hourly", 10).backfill(log, since=JUNE[0], until=JUNE[1])
        month = time.perf_counter() - began
        began = time.perf_counter()
        whole = hourly(folder / "rebuilt", 10).replay(log, version=2)
        year = time.perf_counter() - began
    june = "date=2013-06"
    if _files(folder / "hourly", june) != _files(folder / "rebuilt", june):
        raise AssertionError("the backfilled month is not the month of the rebuild")
    return {
        "month_s": month,
        "month_records": report.records_in,
        "year_s": year,
        "year_records": whole.records_in,
    }


def _files(lake: Path, begin: str) -> dict[str, bytes]:
    files = {str(one.relative_to(lake)): one for one in lake.rglob("*.parquet")}
    return {name: one.read_bytes() for name, one in files.items() if name.startswith(begin)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lake", description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="real")
    parser.add_argument("--records", type=int)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    records = options.records or SIZES[options.size]
    with tempfile.TemporaryDirectory(prefix="kappa-bench-") as name:
        folder = Path(name)
        written(folder, records)
        formats, month = compared(folder, records, options.rounds), mended(folder)
    if options.json:
        print(json.dumps({"records": records, "formats": formats, "backfill": month}))
        return 0
    print(f"{records:,} records, 3 of 8 columns\n")
    print(f"{'':<14}{'bytes/record':>14}{'Python s':>12}{'SQL s':>10}")
    for one in formats:
        print("{format:<14}{bytes:>14.1f}{python_s:>12.3f}{sql_s:>10.3f}".format(**one))
    print(
        "\nbackfill of June {month_s:.2f} s ({month_records:,} records read),"
        " rebuild of the year {year_s:.2f} s ({year_records:,})".format(**month)
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
