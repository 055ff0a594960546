"""`kappa explain`: what a pipeline does, keeps and for how long."""

from __future__ import annotations

import click

from kappa.cli.target import find_pipeline


@click.command(short_help="Explain what each step reads and keeps.")
@click.argument("pipeline")
@click.option("--mermaid", is_flag=True, help="A picture, as Mermaid text.")
@click.option("--code", is_flag=True, help="With the Python that is generated for the steps.")
def explain(pipeline: str, mermaid: bool, code: bool) -> None:
    """Explain PIPELINE: what each step reads, keeps and for how long."""
    found = find_pipeline(pipeline)
    click.echo(found.mermaid() if mermaid else found.explain(code=code))
