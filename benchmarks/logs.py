"""The log alone: appending rows, against lines of JSON in a file; scanning them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from operator import itemgetter
from pathlib import Path
from typing import Any, ClassVar

from benchmarks.data import Row, chunks
from benchmarks.harness import Workload, first, opened
from kappa import Log
from kappa.log import decode_body


class Append(Workload):
    """Appends all rows to a new log; the loop writes JSON lines, with a flush per append."""

    needs_rows = True
    rows_each: ClassVar[int]
    fsync: ClassVar[str] = "never"

    def prepare(self) -> None:
        """Nothing is there yet."""
        self.made = 0

    def _place(self, kind: str) -> Path:
        self.made += 1
        return self.case.folder / f"{kind}-{self.made}"

    def engine(self) -> Path:
        """The folder of the log."""
        folder = self._place("log")
        with Log(folder, fsync=self.fsync) as log:
            log.create_topic("bids", time="ts")
            for piece in chunks(self.case.rows, self.rows_each):
                log.append("bids", piece)
        return folder

    def loop(self) -> Path:
        """The file of JSON lines."""
        path = self._place("lines")
        always = self.fsync == "always"
        with path.open("w") as file:
            for piece in chunks(self.case.rows, self.rows_each):
                file.write("".join([json.dumps(row) + "\n" for row in piece]))
                file.flush()
                if always:
                    os.fsync(file.fileno())
        return path

    def engine_rows(self, result: Path) -> list[Row]:
        """What reads back from the log."""
        with opened(result) as log:
            return [record.value for record in log.read("bids")]

    def loop_rows(self, result: Path) -> list[Row]:
        """What reads back from the file."""
        with result.open() as file:
            return list(map(json.loads, file))


class AppendOne(Append):
    """Smallest appends."""

    name: ClassVar[str] = "append_1"
    does: ClassVar[str] = "append rows one by one, fsync=never; to JSON lines in a file"
    sizes: ClassVar[Mapping[str, int]] = {"smoke": 500, "real": 50_000}
    rows_each = 1


class AppendMany(Append):
    """Middling appends, with the default durability."""

    name: ClassVar[str] = "append_100"
    does: ClassVar[str] = "append 100 rows at a time, fsync=interval; to JSON lines in a file"
    sizes: ClassVar[Mapping[str, int]] = {"smoke": 2_000, "real": 500_000}
    rows_each = 100
    fsync = "interval"


class AppendLarge(Append):
    """Large appends."""

    name: ClassVar[str] = "append_4096"
    does: ClassVar[str] = "append 4096 rows at a time, fsync=never; to JSON lines in a file"
    sizes: ClassVar[Mapping[str, int]] = {"smoke": 5_000, "real": 500_000}
    rows_each = 4096


class AppendAlways(Append):
    """Every append durable before it returns."""

    name: ClassVar[str] = "append_always"
    does: ClassVar[str] = "append rows one by one, each durable; to a file with fsync"
    sizes: ClassVar[Mapping[str, int]] = {"smoke": 20, "real": 500}
    rows_each = 1
    fsync = "always"


FIELDS = frozenset({"auction", "price", "ts"})


class ScanColumns(Workload):
    """What a pipeline's source does, without the pipeline."""

    name: ClassVar[str] = "scan_columns"
    does: ClassVar[str] = "3 of 5 columns of every body, CRC checked; to tuples from dicts"

    def engine(self) -> tuple[int, int, int]:
        """Sum of each column."""
        sums = [0, 0, 0]
        with opened(self.case.folder / "log") as log:
            for entry in log.entries(0):
                for body in log.read_parts(entry.parts) if entry.kind == "append" else ():
                    columns = decode_body(body, FIELDS).columns
                    assert columns is not None
                    for at, name in enumerate(("auction", "price", "ts")):
                        sums[at] += column_sum(columns[name])
        return sums[0], sums[1], sums[2]

    def loop(self) -> tuple[int, int, int]:
        """Sum of each field."""
        sums = [0, 0, 0]
        for piece in chunks(self.case.rows, 4096):
            columns = zip(*map(itemgetter("auction", "price", "ts"), piece))
            for at, column in enumerate(columns):
                sums[at] += column_sum(column)
        return sums[0], sums[1], sums[2]


def column_sum(column: Any) -> int:
    """The sum of numbers, or of the lengths of names."""
    return sum(column) if isinstance(column[0], int) else sum(map(len, column))


class ScanRows(Workload):
    """What a user's loop over a topic does."""

    name: ClassVar[str] = "scan_rows"
    does: ClassVar[str] = "every record by log.read; to a loop over the dicts"
    sizes: ClassVar[Mapping[str, int]] = {"smoke": 4_000, "real": 300_000}

    def engine(self) -> tuple[int, list[Row]]:
        """Sum of prices, and the first few rows."""
        total = 0
        with opened(self.case.folder / "log") as log:
            for record in log.read("bids"):
                total += record.value["price"]
            return total, first((record.value for record in log.read("bids")), 5)

    def loop(self) -> tuple[int, list[Row]]:
        """The same from memory."""
        total = 0
        for row in self.case.rows:
            total += row["price"]
        return total, first(self.case.rows, 5)

    def engine_rows(self, result: tuple[int, list[Row]]) -> list[Any]:
        """Total and rows as comparable items."""
        return [result[0], *(row["ts"] for row in result[1])]

    loop_rows = engine_rows
