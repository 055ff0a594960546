"""`kappa log`: verify, repair."""

from __future__ import annotations

import click


@click.group()
def log() -> None:
    """The log's files: verify, repair."""
