"""Options that many commands share, and what they turn into."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from kappa.errors import ConfigError
from kappa.log import LSN, Log

Command = TypeVar("Command", bound=Callable[..., Any])

log_option = click.option(
    "--log",
    "directory",
    envvar="KAPPA_LOG",
    required=True,
    show_envvar=True,
    type=click.Path(path_type=Path),
    help="Directory of the log.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
quiet_option = click.option("--quiet", "-q", is_flag=True, help="Show no progress.")


def open_log(directory: Path, *, create: bool = False) -> Log:
    """Opens the log, but makes none by mistake.

    Raises:
        ConfigError: there is no log and `create` is not set.
    """
    if not create:
        check_log(directory)
    return Log(directory)


def check_log(directory: Path) -> None:
    """Checks that there is a log.

    Raises:
        ConfigError: there is none.
    """
    if not (directory / "journal").is_dir():
        raise ConfigError(
            f"there is no log in {directory}; `kappa topic create NAME --log {directory}` makes one"
        )


def pairs(values: tuple[str, ...], *, option: str) -> dict[str, str]:
    """The values of an option that is given as NAME=VALUE, often or comma-separated.

    >>> pairs(("a=1,b=2", "c="), option="--param")
    {'a': '1', 'b': '2', 'c': ''}
    """
    result = {}
    for value in values:
        for part in value.split(","):
            name, equals, content = part.partition("=")
            if not equals or not name:
                raise click.UsageError(f"{option} is {part!r}: give NAME=VALUE")
            result[name.strip()] = content
    return result


def position(text: str | None) -> Any:
    """A place in a log from text: "lsn:5", an offset such as "5", or an ISO 8601 time.

    >>> position("12")
    12
    """
    if text is None:
        return None
    if text.startswith("lsn:") and text[4:].isdigit():
        return LSN(int(text[4:]))
    if text.isdigit():
        return int(text)
    return aware(text)


def aware(text: str | None) -> Any:
    """A datetime from ISO 8601 text with an offset; a date alone is midnight UTC."""
    if text is None:
        return None
    from datetime import UTC, datetime

    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError(f"{text!r} is not an ISO 8601 time") from None
    if moment.tzinfo is None:
        if len(text) != 10:
            raise click.UsageError(f"{text!r} has no time zone; add one, such as Z or -05:00")
        moment = moment.replace(tzinfo=UTC)
    return moment
