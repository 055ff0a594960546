"""`kappa log`: verify, repair."""

from __future__ import annotations

from pathlib import Path

import click

from kappa.cli import exits
from kappa.cli.options import json_option, log_option, open_log
from kappa.cli.output import print_json


@click.group()
def log() -> None:
    """The log's files: verify, repair."""
