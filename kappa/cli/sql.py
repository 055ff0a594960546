"""`kappa sql`: ask topics, versions and tables with SQL."""

from __future__ import annotations

import json
import sys
import tempfile
from itertools import islice
from pathlib import Path
from typing import Any

import click

from kappa.cli.options import json_option, log_option, open_log, pairs
from kappa.cli.output import print_json, print_table
from kappa.log.query import FORMATS, Result

SHOWN_ROWS = 100


@click.command(short_help="Ask topics, versions and tables with SQL.")
@click.argument("query")
@log_option
@click.option("--as-of", type=click.IntRange(0), metavar="LSN", help="The log as it stood then.")
@click.option("--param", "params", multiple=True, help="NAME=VALUE for $NAME, often or by comma.")
@click.option(
    "--table", "tables", multiple=True, help="NAME=PATH of a table of files, often or by comma."
)
@click.option("--zone", default="UTC", show_default=True, help="Of times that name none.")
@click.option(
    "--format", "format_", type=click.Choice(["table", *FORMATS]), help="Of what is printed."
)
@click.option("--rows", default=SHOWN_ROWS, show_default=True, help="Of a table; 0: all.")
@click.option(
    "--output", "-o", type=click.Path(path_type=Path, dir_okay=False), help="A file, by its ending."
)
@click.option("--into", metavar="TOPIC", help="Append the rows to a topic.")
@click.option("--key", help="With --into: column that is the key, if the topic has none.")
@click.option("--time", help="With --into: column that is the event time, likewise.")
@click.option("--id", "producer", help="With --into: append each row once, by its number.")
@json_option
def sql(directory: Path, query: str, **options: Any) -> None:
    """Ask the log with QUERY, one SELECT; - reads it from standard input.

    A topic is a table: bids, "delays@2". Beside its fields it has the columns _time,
    _append_time, _lsn, _partition, _offset and _key for queries that name them.
    """
    text = sys.stdin.read() if query == "-" else query
    with (
        open_log(directory) as log,
        log.sql(
            text,
            as_of=options["as_of"],
            params=_params(options["params"]),
            tables=pairs(options["tables"], option="--table"),
            zone=options["zone"],
        ) as result,
    ):
        if options["into"] is not None:
            _into(log, result, options)
        elif options["output"] is not None:
            path = result.write(options["output"], _file_format(options))
            _said({"output": str(path), "rows": len(result), "lsn": result.lsn}, options)
        else:
            _print(result, options)


def _params(texts: tuple[str, ...]) -> dict[str, Any] | None:
    """Values of parameters: JSON where it is some, else text."""
    given = pairs(texts, option="--param")
    return {name: _value(text) for name, text in given.items()} or None


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _file_format(options: dict[str, Any]) -> str | None:
    format_: str | None = options["format_"]
    if format_ == "table":
        raise click.UsageError("--format table is for the screen; a file is csv, json or parquet")
    return format_


def _into(log: Any, result: Result, options: dict[str, Any]) -> None:
    appended = result.into(
        log,
        options["into"],
        key=options["key"],
        time=options["time"],
        id=options["producer"],
    )
    _said({"topic": options["into"], "rows": appended, "lsn": result.lsn}, options)


def _said(facts: dict[str, Any], options: dict[str, Any]) -> None:
    if options["as_json"]:
        print_json(facts)
    else:
        where = facts.get("topic") or facts["output"]
        click.echo(f"{facts['rows']:,} rows into {where}, as of LSN {facts['lsn']}")


def _print(result: Result, options: dict[str, Any]) -> None:
    format_ = options["format_"] or ("json" if options["as_json"] else "table")
    if format_ != "table":
        _copy(result, format_)
        return
    shown = options["rows"] or len(result)
    print_table(result.columns, islice(result.tuples(), shown))
    if len(result) > shown:
        click.echo(f"kappa: {len(result) - shown:,} more rows; --rows 0 shows all", err=True)


def _copy(result: Result, format_: str) -> None:
    """Prints what a file would hold, byte for byte."""
    with tempfile.TemporaryDirectory(prefix="kappa-") as folder:
        path = result.write(Path(folder, "rows"), format_)
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                click.echo(chunk, nl=False)
