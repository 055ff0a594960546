"""`kappa table`: what a table of files was, and the way back."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from kappa.cli.options import json_option, log_option, open_log
from kappa.cli.output import print_json, print_table
from kappa.connect import Lake
from kappa.connect.tables.replacing import KEPT_GENERATIONS

SHOWN = (
    "number",
    "what",
    "by",
    "LSN",
    "added",
    "removed",
    "files",
    "rows",
    "bytes",
    "within reach",
)


@click.group(short_help="What a table of files was, and the way back.")
def table() -> None:
    """Look after tables of files that pipelines wrote: a folder, or the URL of one."""


@table.command(short_help="List what was done to a table.")
@click.argument("path")
@click.option(
    "-n", "--lines", default=20, show_default=True, type=click.IntRange(0), help="0: all."
)
@json_option
def history(path: str, lines: int, as_json: bool) -> None:
    """List the commits of the table in PATH, the newest last.

    A number that is within reach can be rolled back to.
    """
    found = Lake(path).history()[-lines:]
    if as_json:
        print_json([asdict(one) for one in found])
        return
    print_table(
        SHOWN,
        [
            (
                str(one.number), one.kind, one.owner, str(one.lsn), one.added, one.removed,
                one.files, one.rows, one.bytes, one.within_reach,
            )
            for one in found
        ],
    )  # fmt: skip


@table.command(short_help="Show the files of a table, wherever they lie.")
@click.argument("path")
@json_option
def files(path: str, as_json: bool) -> None:
    """Print where the files of the newest commit of the table in PATH lie now."""
    found = Lake(path).files()
    if as_json:
        print_json(found)
    else:
        click.echo("\n".join(found))


@table.command(short_help="Take replacements of partitions back.")
@click.argument("path")
@click.argument("number", type=click.IntRange(1))
@log_option
@json_option
def rollback(directory: Path, path: str, number: int, as_json: bool) -> None:
    """Make partitions of the table in PATH what they were after commit NUMBER.

    What was added to them since stays. A rollback is a commit, too: the number before it
    takes it back.
    """
    lake = Lake(path)
    before = lake.history()[-1].number
    with open_log(directory) as log:
        now = lake.rollback(log, number)
    if as_json:
        print_json(asdict(now))
    else:
        changed = f"{len(now.partitions)} partitions" if now.number > before else "nothing"
        click.echo(f"{path}: {changed} put back, {now.rows:,} rows, now at {now.number}")


@table.command(short_help="Remove what replacements have left.")
@click.argument("path")
@click.option(
    "--keep", default=KEPT_GENERATIONS, show_default=True, type=click.IntRange(0),
    help="So many replacements can be taken back still.",
)  # fmt: skip
@log_option
@json_option
def collect(directory: Path, path: str, keep: int, as_json: bool) -> None:
    """Remove the files of old generations of the table in PATH."""
    with open_log(directory) as log:
        gone = Lake(path).collect(log, keep=keep)
    if as_json:
        print_json({"path": path, "removed": gone})
    else:
        click.echo(f"{path}: {gone} files removed")
