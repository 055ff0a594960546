"""A query over a log, and the rows that are left of its output in the end."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.nexmark.catalog import Query
from benchmarks.nexmark.events import APPEND, create_topics, load
from benchmarks.nexmark.generator import Event, Row
from kappa import Log, ManualClock

RETRACTION = "retraction"


def answer(
    query: Query,
    events: Iterable[Event],
    *,
    partitions: int = 1,
    per_append: int = APPEND,
) -> list[Row]:
    """The final rows of a query over events, by way of a log in memory."""
    with Log.memory(clock=ManualClock()) as log:
        create_topics(log, partitions)
        load(log, events, per_append=per_append)
        with tempfile.TemporaryDirectory(prefix="kappa-nexmark-") as folder:
            place = Path(folder) / "rows"
            result = query.pipeline(folder=place).replay(log, checkpoint_every=None)
            return final_rows(query, log, result.version, place)


def final_rows(query: Query, log: Log, version: int, folder: Path | None = None) -> list[Row]:
    """What a version of the query's output says in the end, in the columns of the query."""
    written: Iterable[Row]
    if query.files and folder is not None:
        written = in_files(folder)
    else:
        written = (record.value for record in log.read((query.name, version)))
    return [{name: row[name] for name in query.columns} for row in folded(written, query.key)]


def in_files(folder: Path) -> Iterator[Row]:
    """The rows of all files below a folder."""
    for path in sorted(folder.rglob("*.jsonl")):
        with path.open(encoding="utf-8") as file:
            yield from map(json.loads, file)


def folded(rows: Iterable[Row], key: Sequence[str]) -> Iterable[Row]:
    """The rows that nothing took back: by key the newest, else all but the retracted.

    >>> list(folded([{"k": 1, "n": 1}, {"k": 2, "n": 5}, {"k": 1, "n": 2}], ["k"]))
    [{'k': 1, 'n': 2}, {'k': 2, 'n': 5}]
    >>> rows = [{"n": 1, "retraction": False}, {"n": 1, "retraction": True}]
    >>> list(folded([*rows, {"n": 2, "retraction": False}], []))
    [{'n': 2, 'retraction': False}]
    """
    if key:
        newest: dict[Any, Row] = {tuple(row[name] for name in key): row for row in rows}
        return newest.values()
    return _kept(rows)


def _kept(rows: Iterable[Row]) -> Iterator[Row]:
    """Rows less those that were taken back; an equal row stands for each."""
    standing: dict[Any, list[Row]] = {}
    for row in rows:
        if RETRACTION not in row:
            yield row
            continue
        same = tuple(sorted((name, value) for name, value in row.items() if name != RETRACTION))
        rows = standing.setdefault(same, [])
        if not row[RETRACTION]:
            rows.append(row)
        elif rows:
            rows.pop()
        else:
            raise ValueError(f"the output takes back a row that is not there: {row}")
    for left in standing.values():
        yield from left
