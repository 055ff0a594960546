"""The end of the demo: the year's hours as a lake, of which one month is made anew.

The table is written by a pipeline of its own with the bug of version 1, as a team would
have done that trusted it. Then the mended pipeline backfills February, the month of the
great storms, and nothing else: the files of the other months keep their bytes.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from examples.flights.pipeline import NEW_YORK, hourly_delays
from kappa import Log, Pipeline
from kappa.connect import ParquetSink
from kappa.runtime.backfill import Backfilled

SINCE, UNTIL = "2013-02-01T00:00-05:00", "2013-03-01T00:00-05:00"
MONTH = "date=2013-02-"
SCHEMA = {
    "origin": "str",
    "window_start": "timestamp",
    "window_end": "timestamp",
    "flights": "int",
    "cancelled": "int",
    "mean_delay": "float",
    "p95_delay": "float",
}
QUERY = """
    SELECT monthname(date) AS month, sum(flights)::BIGINT AS flights,
        round(sum(cancelled) / sum(flights), 3) AS cancelled,
        round(sum(mean_delay * flights) / sum(flights), 2) AS mean_delay
    FROM delays WHERE origin = 'LGA' GROUP BY ALL ORDER BY min(date) LIMIT 3
"""


def table(folder: Path, *, mended: bool) -> Pipeline:
    """The pipeline that writes the lake."""
    pipeline = Pipeline("hours")
    hourly_delays(pipeline, mended=mended).sink(
        ParquetSink(folder, by="date", zone=NEW_YORK, schema=SCHEMA)
    )
    return pipeline


def digests(folder: Path) -> dict[str, str]:
    """The digest of every file of the lake."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*.parquet"))
    }


def fill(log: Log, folder: Path) -> tuple[int, int]:
    """Writes the year with the bug; the number of files and their bytes."""
    table(folder, mended=False).run(log, until_idle=True, drain=True)
    files = list(folder.rglob("*.parquet"))
    return len(files), sum(path.stat().st_size for path in files)


def mend(log: Log, folder: Path) -> tuple[Backfilled, int, tuple[str, ...]]:
    """Backfills the month; the report, how many files kept their bytes, and the new ones."""
    before = digests(folder)
    report = table(folder, mended=True).backfill(log, since=SINCE, until=UNTIL)
    after = digests(folder)
    kept = before.items() & after.items()
    return report, len(kept), tuple(name for name in after if (name, after[name]) not in kept)


def ask(log: Log, folder: Path) -> list[tuple[object, ...]]:
    """The first months of one airport, by SQL over the lake."""
    with log.sql(QUERY, tables={"delays": folder}, zone=NEW_YORK) as result:
        return list(result.tuples())
