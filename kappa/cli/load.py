"""`kappa load`: files of any format that is known into a topic, once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

import click

from kappa.cli.options import json_option, log_option, open_log, pairs, quiet_option
from kappa.cli.output import print_json
from kappa.cli.progress import Meter, progress_line
from kappa.cli.signals import stop_on_signals
from kappa.connect import CellTypes, LoadProgress, LoadResult, Reading, TimeField, load_all
from kappa.connect.load import OnError
from kappa.connect.places import FORMATS, NothingThere
from kappa.log import Log
from kappa.time import MINUS_INFINITY, PLUS_INFINITY, duration_ms, instant_ms


@click.command()
@click.argument("topic")
@click.argument("files", nargs=-1, required=True)
@log_option
@click.option(
    "--format",
    "format_",
    type=click.Choice(list(dict.fromkeys(FORMATS.values()))),
    help="Of the files; else their names say.",
)
@click.option("--time", help="Field that is the event time; else the topic's own rule.")
@click.option("--time-format", default="auto", show_default=True, help="s, ms, us, ns, iso or %…")
@click.option("--time-zone", help="Zone of times that name none, as America/New_York.")
@click.option("--key", help="Field that is the key; else the topic's own.")
@click.option("--types", multiple=True, help="CSV: column=int|float|str|bool, often or by comma.")
@click.option("--null", "nulls", multiple=True, help="CSV: a cell that means no value, as NA.")
@click.option("--fields", help="CSV: names of the columns, if there is no header line.")
@click.option("--delimiter", help="CSV: between cells.")
@click.option("--columns", help="Fields to take, by comma; all by default.")
@click.option("--since", help="Only records from this event time on, ISO 8601.")
@click.option("--until", help="Only records before this event time.")
@click.option("--no-folders", is_flag=True, help="Folders such as date=2013-03-01 tell no fields.")
@click.option("--follow", help="Go on as files and records come: how often to look, as 10s.")
@click.option("--id", "source_id", help="What the source is known by; needed for standard input.")
@click.option(
    "--on-error",
    type=click.Choice(["stop", "skip", "dead_letter"]),
    default="stop",
    show_default=True,
    help="What to do with a record that cannot be read.",
)
@click.option(
    "--batch", default=4096, show_default=True, type=click.IntRange(1), help="Records per append."
)
@json_option
@quiet_option
def load(directory: Path, topic: str, files: tuple[str, ...], **options: Any) -> None:
    """Load FILES, or - for standard input, into TOPIC.

    A file may be CSV, JSON lines, Parquet or Avro; a folder stands for all files below it.
    Patterns and URLs such as s3://bucket/events work too. Loading a file again appends only
    what is new: the producer is the file, its sequence the line or row. A record that cannot
    be read is named by it.
    """
    if options["source_id"] and len(files) > 1:
        raise click.UsageError("--id is for one source; give one file")
    arguments = _arguments(options)

    def tell(file: str, result: LoadResult) -> None:
        if options["as_json"]:
            print_json({"file": file, "topic": topic, **asdict(result)}, indent=None)
        elif result.appended or result.broken or options["follow"] is None:
            click.echo(_sentence(file, topic, result, options["on_error"]))

    with open_log(directory) as log:
        for file in files:
            with progress_line(f"load {file}", quiet=options["quiet"]) as meter:
                arguments["progress"] = _shown_on(meter)
                load_all(log, topic, file, on_file=tell, **arguments)
        if options["follow"] is not None:
            _follow(log, topic, files, arguments, tell, options["follow"])


def _follow(
    log: Log,
    topic: str,
    files: tuple[str, ...],
    arguments: dict[str, Any],
    tell: Callable[[str, LoadResult], None],
    follow: str,
) -> None:
    stop = threading.Event()
    every_s = duration_ms(follow, name="--follow", minimum=1) / 1000
    arguments["progress"] = None
    arguments["reading"] = replace(arguments["reading"], growing=True)
    with stop_on_signals(stop.set, message="") as stopping:
        while not stop.wait(every_s):
            for file in files:
                with suppress(NothingThere):
                    load_all(log, topic, file, on_file=tell, stop=stop.is_set, **arguments)
    stopping.raise_if_asked()


def _arguments(options: dict[str, Any]) -> dict[str, Any]:
    reading = Reading(
        format=options["format_"],
        types=CellTypes(pairs(options["types"], option="--types"), options["nulls"]),
        fields=options["fields"].split(",") if options["fields"] else None,
        delimiter=options["delimiter"],
        columns=options["columns"].split(",") if options["columns"] else None,
        since=_instant(options["since"], MINUS_INFINITY),
        until=_instant(options["until"], PLUS_INFINITY),
        folders=not options["no_folders"],
        growing=options["follow"] is not None,
    )
    time = None
    if options["time"]:
        time = TimeField(options["time"], options["time_format"], options["time_zone"])
    elif options["time_zone"] or options["time_format"] != "auto":
        raise click.UsageError("--time-format and --time-zone need --time FIELD")
    return {
        "reading": reading,
        "time": time,
        "key": options["key"],
        "id": options["source_id"],
        "on_error": cast(OnError, options["on_error"]),
        "batch": options["batch"],
    }


def _instant(text: str | None, default: int) -> int:
    return default if text is None else instant_ms(text)


def _shown_on(meter: Meter) -> Any:
    def show(progress: LoadProgress) -> None:
        meter.show(progress.bytes_read, progress.size, count=progress.records)

    return show


def _sentence(file: str, topic: str, result: LoadResult, on_error: str) -> str:
    rate = (
        f", {result.appended / result.seconds:,.0f}/s"
        if result.appended and result.seconds > 0.1
        else ""
    )
    parts = [f"{result.appended:,} records into {topic} in {result.seconds:.1f} s{rate}"]
    if result.repeated:
        parts.append(f"{result.repeated:,} were there already")
    if result.broken:
        where = "skipped" if on_error == "skip" else f"sent to {topic}.dead_letters"
        parts.append(f"{result.broken:,} could not be read and were {where}")
    return f"{file}: {'; '.join(parts)}"
