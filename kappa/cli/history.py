"""`kappa history`: what ran when, and how it ended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kappa.cli.options import json_option, log_option, open_log
from kappa.cli.output import print_json, print_table
from kappa.cli.target import find_pipeline
from kappa.runtime.history import Run, runs_of
from kappa.time import format_time

SHOWN = ("began", "run", "what", "outcome", "seconds", "in", "out", "range")


@click.command(short_help="List the newest runs and how they ended.")
@click.argument("pipeline", required=False)
@log_option
@click.option(
    "-n", "--lines", default=20, show_default=True, type=click.IntRange(0), help="0: all kept."
)
@json_option
def history(directory: Path, pipeline: str | None, lines: int, as_json: bool) -> None:
    """List the newest runs, replays and backfills, the last one last.

    PIPELINE is a pipeline's name, or its address. The log keeps the newest 200.
    """
    with open_log(directory) as log:
        runs = runs_of(log, None if pipeline is None else _name(pipeline))[-lines:]
    if as_json:
        print_json([_facts(run) for run in runs])
    elif not runs:
        click.echo(f"no runs in {directory}")
    else:
        print_table(SHOWN, [_row(run) for run in runs])
        for run in runs:
            if run.facts.get("error"):
                began = _short(run.began)
                click.echo(f"{began} {run.pipeline}@{run.version}: {run.facts['error']}")


def _name(text: str) -> str:
    return find_pipeline(text).name if ":" in text or text.endswith(".py") else text


def _facts(run: Run) -> dict[str, Any]:
    times = {
        name: format_time(value)
        for name, value in {**run.facts, "began": run.began, "ended": run.ended}.items()
        if name in ("began", "ended", "since", "until") and value is not None
    }
    own = {name: value for name, value in run._asdict().items() if name != "facts"}
    return {**own, **run.facts, **times}


def _row(run: Run) -> list[Any]:
    facts = run.facts
    seconds = None if run.ended is None else (run.ended - run.began) / 1000
    return [
        _short(run.began),
        f"{run.pipeline}@{run.version}",
        run.kind,
        run.outcome,
        seconds,
        facts.get("records_in"),
        facts.get("records_out"),
        _range(facts),
    ]


def _range(facts: dict[str, Any]) -> str:
    ends = [_short(facts[name]) for name in ("since", "until") if name in facts]
    return "" if not ends or ends == ["-inf", "+inf"] else " to ".join(ends)


def _short(time: int) -> str:
    return format_time(time).partition(".")[0].replace("T", " ")
