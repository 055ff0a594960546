"""Events in files and in a log.

In a file an event is a JSON object on a line, with its kind; lines are in order of arrival.
In a log people, auctions and bids have a topic each, as producers of three kinds would
write them, and the events that arrive together are one append.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.nexmark.generator import AUCTION, BID, PERSON, Event, Row
from kappa import Log, ManualClock
from kappa.connect.jsonlines import read_json_lines
from kappa.connect.lines import Broken, Lines
from kappa.errors import SourceError

TOPICS = {PERSON: "persons", AUCTION: "auctions", BID: "bids"}
KEYS = {PERSON: "id", AUCTION: "id", BID: "auction"}
TIME = "dateTime"
APPEND = 4096

LABELS, LABELLED = "labels", 10_000
"""The topic of the fixed table, and its size."""


def read_events(path: str | Path) -> Iterator[Event]:
    """The events of a file as (kind, row); "-" is standard input.

    Raises:
        SourceError: the file, or a line of it, cannot be read.
    """
    lines = Lines.open(path)
    try:
        for number, value in read_json_lines(lines):
            yield _event(value, lines.name, number)
    finally:
        lines.close()


def _event(value: Any, name: str, number: int) -> Event:
    if isinstance(value, Broken):
        reason = value.reason
    elif not isinstance(value, dict) or value.get("kind") not in TOPICS:
        reason = f'no event: give an object whose "kind" is one of {", ".join(TOPICS)}'
    elif type(value.get(TIME)) is not int:
        reason = f"{TIME!r} is {value.get(TIME)!r}: give int milliseconds since the epoch"
    else:
        return value.pop("kind"), value
    raise SourceError(f"{name}, line {number}: {reason}", path=name, position=number)


def write_rows(path: str | Path, rows: Iterable[Row]) -> int:
    """Writes rows as JSON lines; returns how many."""
    count = 0
    with Path(path).open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row) + "\n")
            count += 1
    return count


def write_events(path: str | Path, events: Iterable[Event]) -> int:
    """Writes events as JSON lines; returns how many.

    Events that are read again are the same.
    """
    return write_rows(path, ({"kind": kind, **row} for kind, row in events))


def create_topics(log: Log, partitions: int = 1) -> None:
    """A topic for each kind, keyed so that what belongs to an auction stays in order.

    And the fixed table of q13.
    """
    for kind, topic in TOPICS.items():
        log.create_topic(topic, key=KEYS[kind], time=TIME, partitions=partitions)
    log.create_topic(LABELS, key="key")
    log.append(LABELS, [{"key": key, "value": str(key)} for key in range(LABELLED)])


def load(log: Log, events: Iterable[Event], *, per_append: int = APPEND) -> int:
    """Appends events in order of arrival; returns how many.

    The log's clock, if it is a manual one, goes by seconds of event time: it shows the
    second of the newest event so far, and an append never reaches over two. So what falls
    into a window of append time does not depend on the size of appends.
    """
    clock = log.clock if isinstance(log.clock, ManualClock) else None
    count, now = 0, 0
    waiting: dict[str, list[Row]] = {}
    held = 0
    for kind, row in events:
        if clock is not None and row[TIME] // 1000 > now:
            _append(log, waiting)
            now, held = row[TIME] // 1000, 0
            clock.advance(max(0, now * 1000 - clock.now_ms()))
        waiting.setdefault(TOPICS[kind], []).append(row)
        count += 1
        held += 1
        if held == per_append:
            _append(log, waiting)
            held = 0
    _append(log, waiting)
    return count


def _append(log: Log, waiting: dict[str, list[Row]]) -> None:
    if waiting:
        log.append_many(waiting)
        waiting.clear()
