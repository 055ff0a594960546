"""`kappa verify`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from kappa.cli import exits
from kappa.cli.options import json_option, log_option, quiet_option
from kappa.cli.runs import param_option, since_option, until_option, work, zone_option
from kappa.cli.target import find_pipeline
from kappa.runtime.verify import Verified


@click.command(short_help="Run a range twice; exit code 3 if the results differ.")
@click.argument("pipeline")
@log_option
@param_option
@since_option
@until_option
@zone_option
@json_option
@quiet_option
def verify(directory: Path, pipeline: str, params: tuple[str, ...], **options: Any) -> int:
    """Run PIPELINE twice over a range, in memory, and show the first difference.

    The second run takes in each append by itself. Nothing is written. The exit code is 3 if
    the runs differ: then the pipeline asks the time or chance, or keeps something of its own.
    """
    found = find_pipeline(pipeline)
    return work(
        found.verify,
        found,
        directory,
        params,
        {},
        options,
        title=f"verify {found.name}",
        facts_of=_facts,
        code_of=lambda result: exits.OK if result else exits.DIFFERENT,
    )


def _facts(result: Verified) -> dict[str, Any]:
    return asdict(result) | {"same": bool(result)}
