"""`kappa dlq`: list, show, replay, drop dead letters."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from kappa.cli import exits
from kappa.cli.options import json_option, log_option, open_log
from kappa.cli.output import print_fields, print_json, print_table
from kappa.cli.target import find_function, find_pipeline
from kappa.errors import ConfigError
from kappa.log import Log
from kappa.quality.letters import SUFFIX, Letter, causes, drop, letters_of, waiting
from kappa.quality.recompute import Replayed, replay_letters
from kappa.time import format_time

SHOWN = 20
WIDTH = 100


@click.group(short_help="Dead letters: list, show, replay, drop.")
def dlq() -> None:
    """Records that were set aside: list, show, replay, drop.

    NAME is a topic, a pipeline (its newest version, or as p@1), or the topic of the
    letters themselves. A letter is known by its number.
    """


@dlq.command("list", short_help="What waits, and why.")
@click.argument("name", required=False)
@log_option
@click.option("--all", "every", is_flag=True, help="Those that are resolved too.")
@click.option("-n", "--lines", default=SHOWN, show_default=True, help="Letters to show; 0: all.")
@json_option
def list_letters(directory: Path, name: str | None, every: bool, lines: int, as_json: bool) -> None:
    """List the letters of NAME that wait, by cause; without NAME, where there are any."""
    with open_log(directory) as log:
        if name is None:
            _overview(log, as_json)
            return
        found = letters_of(log, name) if every else waiting(log, name)
        reasons = causes(log, name, [one for one in found if one.outcome is None])
    if as_json:
        print_json({"causes": list(map(asdict, reasons)), "letters": list(map(asdict, found))})
        return
    if not found:
        click.echo(f"{name}: no dead letter waits")
        return
    for cause in reasons:
        click.echo(str(cause))
    click.echo()
    shown = found[-lines:] if lines else found
    names = ("number", "lsn", "step", "error", "record") + (("outcome",) if every else ())
    print_table(names, [_line(one, names) for one in shown])
    if len(shown) < len(found):
        click.echo(f"and {len(found) - len(shown):,} before them; -n 0 shows all")


def _line(letter: Letter, names: tuple[str, ...]) -> list[Any]:
    facts = asdict(letter) | {"record": _cut(repr(letter.record))}
    return [facts[name] for name in names]


def _cut(text: str) -> str:
    return text if len(text) <= WIDTH else text[: WIDTH - 1] + "…"


def _overview(log: Log, as_json: bool) -> None:
    rows = []
    for topic in log.topics():
        if topic.name.endswith(SUFFIX):
            found = letters_of(log, topic.full_name)
            wait = sum(1 for one in found if one.outcome is None)
            rows.append(
                {"letters": topic.full_name, "waiting": wait, "resolved": len(found) - wait}
            )
    if as_json:
        print_json(rows)
    elif rows:
        print_table(tuple(rows[0]), [list(row.values()) for row in rows])
    else:
        click.echo("no topic has dead letters")


@dlq.command(short_help="One letter, whole.")
@click.argument("name")
@click.argument("number", type=click.IntRange(0))
@log_option
@json_option
def show(directory: Path, name: str, number: int, as_json: bool) -> None:
    """Show everything that is known of the letter NUMBER of NAME."""
    with open_log(directory) as log:
        found = [one for one in letters_of(log, name) if one.number == number]
    if not found:
        raise ConfigError(f"{name} has no dead letter {number}")
    facts = asdict(found[0]) | {"event_time": format_time(found[0].event_time)}
    print_json(facts) if as_json else print_fields(facts)


numbers_argument = click.argument("numbers", nargs=-1, type=click.IntRange(0))


@dlq.command(short_help="Send letters through once more; exit code 3 if some still fail.")
@click.argument("name")
@numbers_argument
@log_option
@click.option("--pipeline", help="Recompute the results of this pipeline, as module:object.")
@click.option("--map", "mend", help="Function that mends a record, as path.py:function.")
@json_option
def replay(
    directory: Path,
    name: str,
    numbers: tuple[int, ...],
    pipeline: str | None,
    mend: str | None,
    as_json: bool,
) -> int:
    """Send the letters NUMBERS of NAME, or all that wait, through once more.

    Records that an append refused are appended, held to the contract in force. With
    --pipeline its results become what they would have been. Letters of a pipeline are
    resolved by running its steps, as they are now, over the log; with --map the records
    themselves are mended. The exit code is 3 if some still cannot be taken.
    """
    function: Callable[[Any], Any] | None = None if mend is None else find_function(mend)
    target = None if pipeline is None else find_pipeline(pipeline)
    with open_log(directory) as log:
        done = replay_letters(log, name, pipeline=target, numbers=numbers or None, mend=function)
        left = len(waiting(log, name))
    if as_json:
        print_json(asdict(done) | {"waiting": left})
    else:
        for line in _told(done, left):
            click.echo(line)
    return exits.DIFFERENT if done.records.refused else exits.OK


def _told(done: Replayed, left: int) -> Iterable[str]:
    records = done.records
    if records.appended or records.dropped or not done.resolved:
        dropped = f", {records.dropped:,} given up" if records.dropped else ""
        yield f"{records.appended:,} records are back in the log{dropped}"
    for number, reason in list(records.refused.items())[:SHOWN]:
        yield f"  {number} still cannot be taken: {reason}"
    if done.resolved:
        yield f"{done.resolved:,} letters are taken by the pipeline as it is now"
    if done.results is not None:
        yield str(done.results)
    yield f"{left:,} wait"


@dlq.command("drop", short_help="Give letters up.")
@click.argument("name")
@numbers_argument
@log_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def drop_letters(directory: Path, name: str, numbers: tuple[int, ...], yes: bool) -> None:
    """Give up the letters NUMBERS of NAME, or all that wait; they stay in the log."""
    with open_log(directory) as log:
        count = len(waiting(log, name, numbers or None))
        if not yes and count:
            click.confirm(f"Give up {count:,} dead letters of {name}?", abort=True, err=True)
        click.echo(f"{drop(log, name, numbers or None):,} dropped")
