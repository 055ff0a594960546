"""`kappa diff`, `promote`, `rollback` and `checkpoints`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from kappa.cli import exits
from kappa.cli.options import aware, json_option, log_option, open_log
from kappa.cli.output import print_json, print_table
from kappa.cli.target import find_pipeline
from kappa.log.compare import Diff
from kappa.log.promotion import Promotion
from kappa.runtime.checkpoints import CheckpointInfo
from kappa.runtime.results import KEEP_CHECKPOINTS
from kappa.runtime.savepoints import checkpoint_store
from kappa.runtime.versions import versions_of

SHOWN = ("version", "status", "number", "name", "lsn", "size", "error")


@click.command(short_help="Compare two versions of an output.")
@click.argument("left")
@click.argument("right")
@log_option
@click.option("--since", help="Only rows from this event time on (ISO 8601).")
@click.option("--until", help="Only rows before this event time (ISO 8601).")
@json_option
def diff(
    directory: Path, left: str, right: str, since: str | None, until: str | None, as_json: bool
) -> int:
    """Compare two versions of an output, as delays@1 and delays@2.

    The exit code is 0 if they are equal and 3 if they differ.
    """
    with open_log(directory) as log:
        found = log.diff(left, right, since=aware(since), until=aware(until))
    if as_json:
        print_json(_diff_facts(found))
    else:
        click.echo(str(found))
    return exits.DIFFERENT if found else exits.OK


def _diff_facts(found: Diff) -> dict[str, Any]:
    return {
        "left": found.left,
        "right": found.right,
        "same": found.same,
        "removed": [row._asdict() for row in found.removed],
        "added": [row._asdict() for row in found.added],
        "altered": [
            {
                "before": change.before._asdict(),
                "after": change.after._asdict(),
                "fields": change.fields,
            }
            for change in found.altered
        ],
    }


@click.command(short_help="Make a version what the bare names stand for.")
@click.argument("name")
@log_option
@json_option
def promote(directory: Path, name: str, as_json: bool) -> None:
    """Make NAME@VERSION, and all outputs beside it, what the bare names stand for."""
    with open_log(directory) as log:
        _say(log.promote(name), as_json=as_json)


@click.command(short_help="Go back to the version before.")
@click.argument("name")
@log_option
@json_option
def rollback(directory: Path, name: str, as_json: bool) -> None:
    """Go back to the version that the bare NAME stood for before."""
    with open_log(directory) as log:
        _say(log.rollback(name), as_json=as_json)


def _say(done: Promotion, *, as_json: bool) -> None:
    if as_json:
        print_json(asdict(done))
    else:
        click.echo(str(done))


@click.command(short_help="List the checkpoints of PIPELINE.")
@click.argument("pipeline")
@log_option
@click.option("--version", type=click.IntRange(1), help="Only this version.")
@json_option
def checkpoints(directory: Path, pipeline: str, version: int | None, as_json: bool) -> None:
    """List the checkpoints of PIPELINE, version by version."""
    found = find_pipeline(pipeline)
    rows: list[dict[str, Any]] = []
    with open_log(directory) as log:
        for number, known in versions_of(log, found.name).items():
            if version in (None, number):
                store = checkpoint_store(log, known, keep=KEEP_CHECKPOINTS)
                rows += [_checkpoint_facts(number, known.status, one) for one in store.list()]
    if as_json:
        print_json(rows)
    elif not rows:
        click.echo(f"{found.name} has no checkpoints in {directory}")
    else:
        print_table(SHOWN, [[row[name] for name in SHOWN] for row in rows])


def _checkpoint_facts(version: int, status: str, info: CheckpointInfo) -> dict[str, Any]:
    return {"version": version, "status": status, **asdict(info)}
