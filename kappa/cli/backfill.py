"""`kappa backfill`: make the partitions of a range anew."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from kappa.cli.options import json_option, log_option, quiet_option
from kappa.cli.runs import (
    checkpoint_option,
    given,
    param_option,
    since_option,
    throttle_option,
    until_option,
    version_option,
    work,
    zone_option,
)
from kappa.cli.target import find_pipeline
from kappa.log import Log
from kappa.runtime.backfill import Backfilled, Forecast
from kappa.time import format_time


@click.command(short_help="Make the partitions of a range anew.")
@click.argument("pipeline")
@log_option
@version_option
@param_option
@since_option
@until_option
@zone_option
@click.option(
    "--late", type=click.Choice(["as_live", "complete"]), help="complete: nothing is late."
)
@click.option("--warmup", help="History to read before --since at most; the result is not exact.")
@throttle_option
@click.option("--dry-run", is_flag=True, help="Say what it would do, and how long it would take.")
@checkpoint_option
@json_option
@quiet_option
def backfill(directory: Path, pipeline: str, params: tuple[str, ...], **options: Any) -> None:
    """Make the partitions of PIPELINE's tables anew that a range touches, and no others.

    The range is widened to whole partitions. They are swapped in at once at the end; a
    backfill that was stopped or killed goes on when it is started again. It may run while
    the pipeline runs.
    """
    found = find_pipeline(pipeline)
    names = ("version", "late", "warmup", "throttle")
    arguments: dict[str, Any] = {"since": None, "until": None, **given(options, *names)}

    def forecast(log: Log, *, stop: object, on_progress: object, **asked: Any) -> Forecast:
        return found.forecast(log, **asked)

    if not options["dry_run"]:
        arguments |= given(options, "checkpoint_every")
    call = forecast if options["dry_run"] else found.backfill
    title = f"backfill {found.name}"
    work(call, found, directory, params, arguments, options, title=title, facts_of=_facts)


def _facts(result: Backfilled | Forecast) -> dict[str, Any]:
    """The result for a program."""
    facts = asdict(result)
    if isinstance(result, Forecast):
        found = result.estimate
        times = {"min_time": format_time(found.min_time), "max_time": format_time(found.max_time)}
        spans = {step: list(map(format_time, span)) for step, span in result.spans.items()}
        return facts | {
            "spans": spans,
            "estimate": asdict(found) | times | {"seconds": found.seconds},
        }
    for name in ("since", "until"):
        del facts[name]
    totals = {"added": result.added, "removed": result.removed, "altered": result.altered}
    return facts | totals
