"""`kappa load`: JSON lines and CSV into a topic, once."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import click

from kappa.cli.options import json_option, log_option, open_log, pairs, quiet_option
from kappa.cli.output import print_json
from kappa.cli.progress import Meter, progress_line
from kappa.connect import CellTypes, LoadProgress, LoadResult, Reading, TimeField
from kappa.connect import load as load_source
from kappa.connect.load import OnError


@click.command()
@click.argument("topic")
@click.argument("files", nargs=-1, required=True)
@log_option
@click.option(
    "--format", "format_", type=click.Choice(["csv", "tsv", "jsonl"]), help="Of the file."
)
@click.option("--time", help="Field that is the event time; else the topic's own rule.")
@click.option("--time-format", default="auto", show_default=True, help="s, ms, us, ns, iso or %…")
@click.option("--time-zone", help="Zone of times that name none, as America/New_York.")
@click.option("--key", help="Field that is the key; else the topic's own.")
@click.option("--types", multiple=True, help="CSV: column=int|float|str|bool, often or by comma.")
@click.option("--null", "nulls", multiple=True, help="CSV: a cell that means no value, as NA.")
@click.option("--fields", help="CSV: names of the columns, if there is no header line.")
@click.option("--delimiter", help="CSV: between cells.")
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

    Loading a file again appends only what is new: the producer is the file, its
    sequence the line. A record that cannot be read is named by file and line.
    """
    if options["source_id"] and len(files) > 1:
        raise click.UsageError("--id is for one source; give one file")
    arguments = _arguments(options)
    results: list[tuple[str, LoadResult]] = []
    with open_log(directory) as log:
        for file in files:
            with progress_line(f"load {file}", quiet=options["quiet"]) as meter:
                arguments["progress"] = _shown_on(meter)
                results.append((file, load_source(log, topic, file, **arguments)))
    for file, result in results:
        if options["as_json"]:
            print_json({"file": file, "topic": topic, **asdict(result)}, indent=None)
        else:
            click.echo(_sentence(file, topic, result, options["on_error"]))


def _arguments(options: dict[str, Any]) -> dict[str, Any]:
    reading = Reading(
        format=options["format_"],
        types=CellTypes(pairs(options["types"], option="--types"), options["nulls"]),
        fields=options["fields"].split(",") if options["fields"] else None,
        delimiter=options["delimiter"],
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
