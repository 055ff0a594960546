"""`kappa log`: verify, repair. Both work on a log that cannot be opened."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from kappa.cli import exits
from kappa.cli.options import check_log, json_option, log_option
from kappa.cli.output import print_json
from kappa.log import Log
from kappa.log.files import OsFiles
from kappa.log.verify import Verification
from kappa.log.verify import verify as verify_log


@click.group(short_help="The log's files: verify, repair.")
def log() -> None:
    """The log's files: verify, repair."""


@log.command(short_help="Check every checksum; changes nothing.")
@log_option
@json_option
def verify(directory: Path, as_json: bool) -> int:
    """Read the whole log and compare every checksum; changes nothing.

    The exit code is 3 if something that had been durable does not read back.
    """
    check_log(directory)
    found = verify_log(OsFiles(directory))
    if as_json:
        print_json(asdict(found))
    else:
        click.echo(str(found))
        if not found:
            click.echo("`kappa log repair` gives up what is damaged and keeps the rest")
    return exits.OK if found else exits.DIFFERENT


@log.command(short_help="Give up what is damaged, keep the rest.")
@log_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def repair(directory: Path, yes: bool, as_json: bool) -> None:
    """Make a damaged log usable again; what is cut is set aside, not removed.

    A damaged body costs the append it belongs to; a damaged journal record ends the log
    there. No process may have the log open.
    """
    check_log(directory)
    found = verify_log(OsFiles(directory))
    if not found and not yes:
        _ask(found)
    done = Log.repair(directory)
    if as_json:
        print_json(asdict(done))
    elif not done:
        click.echo("nothing is damaged; nothing was changed")
    else:
        for line in _told(asdict(done)):
            click.echo(line)


def _ask(found: Verification) -> None:
    click.echo(str(found), err=True)
    click.confirm("Give up what is damaged?", abort=True, err=True)


def _told(done: dict[str, object]) -> list[str]:
    lines = {
        "cut_after": "the log now ends at LSN {}",
        "voided": "readers now skip the appends {}",
        "rebuilt": "rebuilt without loss: {}",
        "aside": "what was cut is kept in {}",
    }
    return [text.format(_listed(done[name])) for name, text in lines.items() if done[name]]


def _listed(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
