"""`kappa query`: rows of a table that a pipeline keeps, while it runs or not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from kappa.cli import exits
from kappa.cli.options import json_option, log_option, open_log
from kappa.cli.output import print_fields, print_json, print_table
from kappa.log import View

SHOWN = 20


@click.command()
@click.argument("view")
@click.argument("key", required=False)
@log_option
@click.option("--as-of", type=click.IntRange(0), help="The LSN up to which to look.")
@click.option(
    "-n", "--lines", default=SHOWN, show_default=True, help="Rows to show without KEY; 0: all."
)
@json_option
def query(
    directory: Path, view: str, key: str | None, as_of: int | None, lines: int, as_json: bool
) -> int:
    """Show the row that VIEW, an output written by `table.to`, holds for KEY.

    KEY is a text, or JSON for a number or for several fields: 7, '"7"', '["a", 7]'. Without
    KEY, the rows there are. The exit code is 1 where there is no such key.
    """
    with open_log(directory) as log:
        found = log.view(view, as_of=as_of)
    if key is None:
        _show_all(found, lines, as_json)
        return exits.OK
    row = look_up(found, key)
    if as_json:
        print_json({"lsn": found.lsn, "key": key, "row": row})
    elif row is None:
        click.echo(f"no row with key {key} as of LSN {found.lsn}", err=True)
    else:
        print_fields(row if isinstance(row, dict) else {"value": row})
    return exits.OK if row is not None else exits.FAILED


def look_up(view: View, text: str) -> Any:
    """The row of a key as it was typed: read as JSON first, then as the text it is."""
    try:
        key: Any = json.loads(text)
    except ValueError:
        return view.get(text)
    if isinstance(key, list):
        key = tuple(key)
    row = view.get(key) if not isinstance(key, dict) else None
    return view.get(text) if row is None else row


def _show_all(view: View, lines: int, as_json: bool) -> None:
    rows = list(view.items())
    shown = rows if lines == 0 else rows[:lines]
    if as_json:
        print_json({"lsn": view.lsn, "rows": [{"key": key, "row": row} for key, row in shown]})
        return
    print_table(("key", "row"), [[repr(key), repr(row)] for key, row in shown])
    click.echo(f"{len(shown)} of {len(rows)} rows as of LSN {view.lsn}", err=True)
