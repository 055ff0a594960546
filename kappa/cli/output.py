"""What a command prints: tables for people, JSON for scripts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

console = Console(highlight=False)
stderr = Console(stderr=True, highlight=False)


def print_json(value: object, *, indent: int | None = 2) -> None:
    """One JSON document; with `indent=None` one line."""
    click.echo(json.dumps(value, default=plain, indent=indent, ensure_ascii=False))


def plain(value: object) -> object:
    """What JSON has no type for, as JSON's nearest.

    >>> json.dumps({"d": timedelta(seconds=1), "s": {2, 1}}, default=plain)
    '{"d": 1.0, "s": [1, 2]}'
    """
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, set | frozenset):
        return sorted(value, key=repr)
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)


def print_table(names: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str = "") -> None:
    """A table; numbers stand to the right."""
    content = [[_cell(value) for value in row] for row in rows]
    table = Table(title=title or None, title_justify="left", box=None, pad_edge=False)
    for index, name in enumerate(names):
        numeric = bool(content) and all(_is_number(row[index]) for row in content)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in content:
        table.add_row(*(Text(cell) for cell in row))
    console.print(table)


def print_fields(fields: Mapping[str, object]) -> None:
    """Names and values, one per line."""
    width = max(len(name) for name in fields)
    for name, value in fields.items():
        click.echo(f"{name:<{width}}  {_cell(value)}")


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.1f}"
    if isinstance(value, dict | list):
        return json.dumps(value, default=plain, ensure_ascii=False)
    return str(value)


def _is_number(cell: str) -> bool:
    return cell == "-" or cell.replace(",", "").replace(".", "").lstrip("-").isdigit()
