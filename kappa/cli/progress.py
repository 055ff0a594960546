"""Progress on standard error: how far, how fast, how long still.

On a terminal it is a bar that is drawn over; elsewhere, as under a scheduler, nothing
is drawn, so that a log file holds messages only.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

from kappa.cli.output import stderr


class Meter:
    """One line of progress; `show` says how much is done."""

    def __init__(self, progress: Progress, unit: str) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=None, count=0, unit=unit, note="")

    def show(self, done: float, total: float | None, *, count: int, note: str = "") -> None:
        """How far (`done` of `total`), how many records, and a word on the side."""
        self._progress.update(self._task, completed=done, total=total, count=count, note=note)


class _Rate(ProgressColumn):
    """Records, and records per second since the start."""

    def render(self, task: Task) -> Text:
        count, unit = task.fields["count"], task.fields["unit"]
        seconds = task.elapsed or 0.0
        rate = f"  {count / seconds:,.0f}/s" if seconds > 0.5 else ""
        return Text(f"{count:,} {unit}{rate}", no_wrap=True)


@contextmanager
def progress_line(title: str, *, unit: str = "records", quiet: bool = False) -> Iterator[Meter]:
    """A line of progress while the block runs; gone when it ends."""
    columns = (
        TextColumn(title, table_column=Column(no_wrap=True)),
        BarColumn(bar_width=16),
        _Rate(table_column=Column(no_wrap=True)),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[note]}", table_column=Column(no_wrap=True)),
    )
    hidden = quiet or not stderr.is_terminal
    with Progress(*columns, console=stderr, transient=True, disable=hidden) as progress:
        yield Meter(progress, unit)
