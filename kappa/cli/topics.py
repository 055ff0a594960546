"""`kappa topic`: create, list, describe, tail."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Any

import click

from kappa.cli.options import json_option, log_option, open_log, position
from kappa.cli.output import print_fields, print_json, print_table
from kappa.cli.signals import stop_on_signals
from kappa.time import SystemClock, format_time


@click.group()
def topic() -> None:
    """Topics: create, list, describe, tail."""


@topic.command()
@click.argument("name")
@log_option
@click.option("--partitions", default=1, show_default=True, type=click.IntRange(1))
@click.option("--key", help="Field that is the key.")
@click.option("--time", help="Field that is the event time, in milliseconds; else append time.")
@click.option("--codec", type=click.Choice(["none", "zlib", "zstd"]), default="none", show_default=True)
@click.option("--max-future-skew", help="A record further ahead is a dead letter, as 1h.")
@click.option("--if-exists", type=click.Choice(["error", "ok"]), default="error", show_default=True)
def create(directory: Path, name: str, **options: Any) -> None:
    """Create the topic NAME, and the log if there is none."""
    with open_log(directory, create=True) as log:
        log.create_topic(name, **{k: v for k, v in options.items() if v is not None})
    click.echo(f"topic {name} is in {directory}")
