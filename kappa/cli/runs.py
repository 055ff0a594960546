"""`kappa run` and `kappa replay`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from kappa.cli import exits
from kappa.cli.moments import moment
from kappa.cli.options import json_option, log_option, open_log, pairs, quiet_option
from kappa.cli.output import print_json
from kappa.cli.progress import Meter, progress_line
from kappa.cli.signals import Stopping, stop_on_signals
from kappa.cli.target import find_pipeline
from kappa.errors import KappaError, Stopped
from kappa.log import Log
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
throttle_option = click.option(
    "--throttle", type=click.FloatRange(0, min_open=True), help="Records per second at most."
)
since_option = click.option(
    "--since", help="Only rows from this moment on: ISO 8601, yesterday, today-7d, last month."
)
until_option = click.option("--until", help="Only rows before this moment, likewise.")
zone_option = click.option(
    "--zone",
    envvar="KAPPA_ZONE",
    show_envvar=True,
    help="Time zone of these moments and days, as Europe/Zurich; else UTC.",
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
    arguments = given(options, *RUN_OPTIONS)
    work(
        found.run,
        found,
        directory,
        params,
        arguments,
        options,
        title=f"run {found.name}",
        facts_of=_facts,
    )


@click.command(short_help="Replay the log through PIPELINE into a version.")
@click.argument("pipeline")
@log_option
@version_option
@param_option
@since_option
@until_option
@zone_option
@click.option(
    "--late",
    type=click.Choice(["as_live", "complete", "mended"]),
    help="complete: nothing is late; mended: mended dead letters in their first places.",
)
@click.option("--warmup", help="History to read before --since at most; the result is not exact.")
@click.option("--overwrite", is_flag=True, help="Make a version that exists anew.")
@click.option(
    "--sinks",
    type=click.Choice(["default", "all", "none"]),
    help="Which sinks outside the log take part; by default all but those that call functions.",
)
@throttle_option
@checkpoint_option
@json_option
@quiet_option
def replay(directory: Path, pipeline: str, params: tuple[str, ...], **options: Any) -> None:
    """Replay the log through PIPELINE into a version; by default the next free one.

    Closes all windows at the end. Stopped and started again with the same --version, it
    goes on. `kappa run` of that version goes on live where the replay ended.
    """
    found = find_pipeline(pipeline)
    arguments = given(
        options, "version", "late", "warmup", "overwrite", "sinks", "throttle", "checkpoint_every"
    )
    work(
        found.replay,
        found,
        directory,
        params,
        arguments,
        options,
        title=f"replay {found.name}",
        facts_of=_facts,
    )


def given(options: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The options that were given, of some names."""
    return {name: options[name] for name in names if options[name] is not None}


def work(
    call: Callable[..., Any],
    pipeline: Pipeline,
    directory: Path,
    params: tuple[str, ...],
    arguments: dict[str, Any],
    options: Mapping[str, Any],
    *,
    title: str,
    facts_of: Callable[[Any], dict[str, Any]],
    code_of: Callable[[Any], int] = lambda result: exits.OK,
) -> int:
    """Runs something bounded or live, and says how it went: to people, schedulers, Ctrl-C.

    Args:
        call: a method of the pipeline that takes the log first.
        pipeline, directory, params, arguments: what it is called with.
        options: of the command.
        title: "<command> <pipeline>".
        facts_of: its result as plain values, for `--json`.
        code_of: the exit code that its result stands for.

    Returns:
        That code; a signal has its own.
    """
    stop = threading.Event()
    arguments["params"] = _typed(pipeline, pairs(params, option="--param"))
    facts: dict[str, Any] = {"command": title.partition(" ")[0], "pipeline": pipeline.name}
    # The signals are ours before the log is open, so that Ctrl-C is never half a stop.
    with stop_on_signals(stop.set) as stopping, open_log(directory) as log:
        span = _span(log, options)
        facts |= {name: format_time(time) for name, time in span.items()}
        with progress_line(title, quiet=options["quiet"]) as meter:
            try:
                arguments |= span | {"stop": stop, "on_progress": _shown_on(meter)}
                result = call(log, **arguments)
            except KappaError as error:
                _failed(error, facts, stopping, as_json=options["as_json"])
                raise
        for note in getattr(result, "notes", ()):
            click.echo(f"kappa: {note}", err=True)
        if options["as_json"]:
            outcome = "done" if stopping.code is None else "stopped"
            said = {"outcome": outcome, "exit_code": stopping.code or code_of(result)}
            print_json({**facts, **said, **facts_of(result)})
        else:
            click.echo(str(result))
    stopping.raise_if_asked()
    return code_of(result)


def _span(log: Log, options: Mapping[str, Any]) -> dict[str, int]:
    """The moments that were asked for, as the log's clock has it now."""
    zone, now = options.get("zone"), log.clock.now_ms()
    found = {name: moment(options.get(name), zone=zone, now=now) for name in ("since", "until")}
    return {name: time for name, time in found.items() if time is not None}


def _failed(
    error: KappaError, facts: Mapping[str, Any], stopping: Stopping, *, as_json: bool
) -> None:
    """Says how a run ended without a result; a scheduler reads it where the result would be."""
    stopped = isinstance(error, Stopped)
    code = stopping.code if stopped and stopping.code else exits.exit_code(error)
    if as_json:
        said = {"outcome": "stopped" if stopped else "failed", "exit_code": code}
        kind = type(error).__name__
        print_json({**facts, **said, "error": kind, "message": error.message})
    if stopped:
        click.echo(f"kappa: {error.message}", err=True)
        stopping.raise_if_asked()


def _facts(result: RunResult) -> dict[str, Any]:
    return asdict(result) | {"watermark": format_time(result.watermark)}


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
