"""`kappa run` and `kappa replay`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from kappa.cli.options import aware, json_option, log_option, open_log, pairs, quiet_option
from kappa.cli.output import print_json
from kappa.cli.progress import Meter, progress_line
from kappa.cli.signals import stop_on_signals
from kappa.cli.target import find_pipeline
from kappa.errors import Stopped
from kappa.pipeline import Pipeline
from kappa.plan.params import declared_params
from kappa.runtime.results import Progress, RunResult
from kappa.time import format_time

param_option = click.option(
    "--param", "params", multiple=True, help="NAME=VALUE of a parameter, often or by comma."
)
version_option = click.option("--version", type=click.IntRange(1), help="Version of the outputs.")
checkpoint_option = click.option(
    "--checkpoint-every", default="5s", show_default=True, help="Time between checkpoints."
)

RUN_OPTIONS = ("version", "until_idle", "drain", "savepoint", "restore", "checkpoint_every")


@click.command(short_help="Run PIPELINE live until Ctrl-C.")
@click.argument("pipeline")
@log_option
@version_option
@param_option
@click.option("--until-idle", is_flag=True, help="End when everything in the log is handled.")
@click.option("--drain", is_flag=True, help="At the end, close all windows for good.")
@click.option("--savepoint", metavar="NAME", help="Keep the state at the end under this name.")
@click.option("--restore", metavar="NAME", help="Begin a new version from a savepoint.")
@checkpoint_option
@json_option
@quiet_option
def run(directory: Path, pipeline: str, params: tuple[str, ...], **options: Any) -> None:
    """Run PIPELINE live, from its last checkpoint, until Ctrl-C.

    Ctrl-C once stops at a checkpoint; twice stops at once, and the next run goes on from
    the last checkpoint. Nothing is lost or written twice either way.
    """
    found = find_pipeline(pipeline)
    arguments = _given(options, *RUN_OPTIONS)
    _work(found.run, found, directory, params, arguments, options, title=f"run {found.name}")


@click.command(short_help="Replay the log through PIPELINE into a version.")
@click.argument("pipeline")
@log_option
@version_option
@param_option
@click.option("--since", help="Only rows from this event time on (ISO 8601).")
@click.option("--until", help="Only rows before this event time (ISO 8601).")
@click.option(
    "--late", type=click.Choice(["as_live", "complete"]), help="complete: nothing is late."
)
@click.option("--warmup", help="History to read before --since at most; the result is not exact.")
@click.option("--overwrite", is_flag=True, help="Make a version that exists anew.")
@checkpoint_option
@json_option
@quiet_option
def replay(directory: Path, pipeline: str, params: tuple[str, ...], **options: Any) -> None:
    """Replay the log through PIPELINE into a version; by default the next free one.

    Closes all windows at the end. Stopped and started again with the same --version, it
    goes on. `kappa run` of that version goes on live where the replay ended.
    """
    found = find_pipeline(pipeline)
    arguments = _given(options, "version", "late", "warmup", "overwrite", "checkpoint_every")
    arguments |= {name: aware(options[name]) for name in ("since", "until")}
    _work(found.replay, found, directory, params, arguments, options, title=f"replay {found.name}")


def _given(options: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: options[name] for name in names if options[name] is not None}


def _work(
    call: Callable[..., RunResult],
    pipeline: Pipeline,
    directory: Path,
    params: tuple[str, ...],
    arguments: dict[str, Any],
    options: Mapping[str, Any],
    *,
    title: str,
) -> None:
    stop = threading.Event()
    arguments["params"] = _typed(pipeline, pairs(params, option="--param"))
    # The signals are ours before the log is open, so that Ctrl-C is never half a stop.
    with stop_on_signals(stop.set) as stopping, open_log(directory) as log:
        with progress_line(title, quiet=options["quiet"]) as meter:
            try:
                result = call(log, stop=stop, on_progress=_shown_on(meter), **arguments)
            except Stopped as stopped:
                click.echo(f"kappa: {stopped.message}", err=True)
                stopping.raise_if_asked()
                raise
        _show(result, as_json=options["as_json"])
    stopping.raise_if_asked()


def _show(result: RunResult, *, as_json: bool) -> None:
    for note in result.notes:
        click.echo(f"kappa: {note}", err=True)
    if as_json:
        print_json(asdict(result) | {"watermark": format_time(result.watermark)})
    else:
        click.echo(str(result))


def _shown_on(meter: Meter) -> Callable[[Progress], None]:
    first: list[int] = []

    def show(progress: Progress) -> None:
        if not first:
            first.append(progress.lsn)
        done, total = progress.lsn - first[0], progress.end_lsn - first[0]
        meter.show(done, total, count=progress.records, note=_clock(progress.watermark))

    return show


def _clock(watermark: int) -> str:
    return format_time(watermark).partition(".")[0].replace("T", " ")


def _typed(pipeline: Pipeline, texts: Mapping[str, str]) -> dict[str, Any]:
    """The parameters' values from text, by the types they are declared with."""
    declared = declared_params(pipeline.plan())
    values: dict[str, Any] = {}
    for name, text in texts.items():
        kind = declared[name].kind if name in declared else str
        try:
            values[name] = _parsed(kind, text)
        except ValueError:
            raise click.UsageError(f"--param {name}={text}: not of type {kind.__name__}") from None
    return values


def _parsed(kind: type, text: str) -> Any:
    if kind is bool:
        if text.lower() not in ("true", "false"):
            raise ValueError(text)
        return text.lower() == "true"
    return kind(text)
