"""`kappa topic`: create, list, describe, tail."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import click

from kappa.cli.options import json_option, log_option, open_log, position
from kappa.cli.output import print_fields, print_json, print_table
from kappa.cli.signals import stop_on_signals
from kappa.log import LSN, Log, Record, Topic
from kappa.log.contracts import contracts_of
from kappa.time import format_time

FOLLOW_SECONDS = 0.5


@click.group()
def topic() -> None:
    """Topics: create, list, describe, tail."""


@topic.command()
@click.argument("name")
@log_option
@click.option("--partitions", default=1, show_default=True, type=click.IntRange(1))
@click.option("--key", help="Field that is the key.")
@click.option("--time", help="Field that is the event time, in milliseconds; else append time.")
@click.option(
    "--codec", type=click.Choice(["none", "zlib", "zstd"]), default="none", show_default=True
)
@click.option("--max-future-skew", help="A record further ahead than this is a dead letter: 1h.")
@click.option("--if-exists", type=click.Choice(["error", "ok"]), default="error", show_default=True)
def create(directory: Path, name: str, **options: Any) -> None:
    """Create the topic NAME, and the log if there is none."""
    given = {option: value for option, value in options.items() if value is not None}
    with open_log(directory, create=True) as log:
        made = log.create_topic(name, **given)
    plural = "s" if made.partitions != 1 else ""
    click.echo(f"topic {made.full_name} with {made.partitions} partition{plural} in {directory}")


@topic.command("list")
@log_option
@json_option
def list_topics(directory: Path, as_json: bool) -> None:
    """List the topics, and the versions that bare names stand for."""
    with open_log(directory) as log:
        rows = [_summary(log, found) for found in log.topics()]
    if as_json:
        print_json(rows)
        return
    names = ("topic", "promoted", "partitions", "records", "key", "owner")
    print_table(names, [[row[name] for name in names] for row in rows])


@topic.command()
@click.argument("name")
@log_option
@json_option
def describe(directory: Path, name: str, as_json: bool) -> None:
    """Show what is known of the topic NAME, partition by partition."""
    with open_log(directory) as log:
        found = log.topic(name)
        facts = _summary(log, found) | _options(found) | _held(log, found)
        partitions = [_partition(log, found, number) for number in range(found.partitions)]
    if as_json:
        print_json(facts | {"partitions": partitions})
        return
    print_fields(facts)
    click.echo()
    print_table(list(partitions[0]), [list(row.values()) for row in partitions])


@topic.command()
@click.argument("name")
@log_option
@click.option("-n", "--lines", type=int, help="How many records; 0: all.  [default: the last 10]")
@click.option("--partition", type=click.IntRange(0), help="Only this partition.")
@click.option("--from", "start", help='Begin at an offset, "lsn:N" or an ISO 8601 time.')
@click.option("-f", "--follow", is_flag=True, help="Go on as records come, until Ctrl-C.")
@json_option
def tail(directory: Path, name: str, follow: bool, as_json: bool, **options: Any) -> None:
    """Print the last records of the topic NAME."""
    with open_log(directory) as log:
        end = log.end_lsn
        for record in _last(log, name, options):
            _print(record, as_json)
        if follow:
            _follow(log, name, options["partition"], end, as_json)


def _last(log: Log, name: str, options: dict[str, Any]) -> Iterator[Record]:
    start, lines = position(options["start"]), options["lines"]
    records = log.read(name, partition=options["partition"], start=start)
    if start is None:
        return iter(
            records if lines == 0 else deque(records, maxlen=10 if lines is None else lines)
        )
    return islice(records, lines or None)


def _follow(log: Log, name: str, partition: int | None, after: int, as_json: bool) -> None:
    stop = threading.Event()
    with stop_on_signals(stop.set, message="") as stopping:
        while not stop.is_set():
            if not log.wait(after, FOLLOW_SECONDS, stop):
                continue
            end = log.end_lsn
            for record in log.read(name, partition=partition, start=LSN(after + 1)):
                if record.lsn <= end:
                    _print(record, as_json)
            after = end
    stopping.raise_if_asked()


def _print(record: Record, as_json: bool) -> None:
    facts = {
        "partition": record.partition,
        "offset": record.offset,
        "lsn": record.lsn,
        "time": format_time(record.time),
        "key": record.key,
        "value": record.value,
    }
    if as_json:
        print_json(facts, indent=None)
    else:
        click.echo(f"{facts['time']}  {record.partition}:{record.offset}  {record.value}")


def _summary(log: Log, topic: Topic) -> dict[str, Any]:
    records = sum(
        log.end_offset(topic.full_name, number) - log.start_offset(topic.full_name, number)
        for number in range(topic.partitions)
    )
    promoted = (
        None if topic.version is None else log.catalog.aliases.get(topic.name) == topic.version
    )
    return {
        "topic": topic.full_name,
        "promoted": promoted,
        "partitions": topic.partitions,
        "records": records,
        "key": topic.key,
        "owner": topic.owner,
    }


def _options(topic: Topic) -> dict[str, Any]:
    return {
        "time": topic.time,
        "codec": topic.codec,
        "max_future_skew_ms": topic.max_future_skew_ms,
        "retention_ms": topic.retention_ms,
        "retention_bytes": topic.retention_bytes,
        "compact": topic.compact,
    }


def _held(log: Log, topic: Topic) -> dict[str, Any]:
    """What rows are held to."""
    schemas = log.schemas((topic.name, topic.version))
    contracts = contracts_of(log, topic.full_name)
    newest = f"version {schemas[-1].version}, {schemas[-1].compatibility}" if schemas else None
    held = bool(contracts) and contracts[-1].contract is not None
    return {"schema": newest, "contract": contracts[-1].name if held else None}


def _partition(log: Log, topic: Topic, number: int) -> dict[str, Any]:
    return {
        "partition": number,
        "first offset": log.start_offset(topic.full_name, number),
        "end offset": log.end_offset(topic.full_name, number),
    }
