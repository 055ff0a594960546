"""The command's root, and the one place where an error becomes a line and an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from importlib import import_module
from pathlib import Path

import click

from kappa.cli import exits
from kappa.cli.signals import Interrupted
from kappa.errors import InternalError, KappaError
from kappa.version import __version__

COMMANDS = {
    "backfill": "kappa.cli.backfill",
    "checkpoints": "kappa.cli.versions",
    "contract": "kappa.cli.contracts",
    "diff": "kappa.cli.versions",
    "dlq": "kappa.cli.dlq",
    "explain": "kappa.cli.explain",
    "history": "kappa.cli.history",
    "load": "kappa.cli.load",
    "log": "kappa.cli.logs",
    "promote": "kappa.cli.versions",
    "query": "kappa.cli.query",
    "quality": "kappa.cli.quality",
    "replay": "kappa.cli.runs",
    "rollback": "kappa.cli.versions",
    "run": "kappa.cli.runs",
    "schema": "kappa.cli.schemas",
    "sql": "kappa.cli.sql",
    "table": "kappa.cli.table",
    "topic": "kappa.cli.topics",
    "verify": "kappa.cli.verify",
}


class LazyGroup(click.Group):
    """Imports a command's module when the command is asked for, so that starting is fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All commands by name."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        module = COMMANDS.get(cmd_name)
        if module is None:
            return None
        command = getattr(import_module(module), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Runs the command; `| head` that has seen enough is no failure."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # click would take it for an error. What is buffered has nowhere to go.
            with Path(os.devnull).open("w") as nowhere:
                os.dup2(nowhere.fileno(), sys.stdout.fileno())
            return exits.OK


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.version_option(__version__, prog_name="kappa")
def root(debug: bool) -> None:
    """One log, one clock, one code path: streams in plain Python.

    The log's directory is --log DIR or the environment variable KAPPA_LOG.
    A pipeline is module:object or path.py:object.
    """


def run(arguments: list[str] | None = None) -> int:
    """Runs the command line and returns its exit code; every error ends here."""
    arguments = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in arguments or bool(os.environ.get("KAPPA_DEBUG"))
    # --debug is taken anywhere, since it is added to a command that has just failed.
    arguments = [argument for argument in arguments if argument != "--debug"]
    try:
        result = root.main(args=arguments, prog_name="kappa", standalone_mode=False)
        return result if isinstance(result, int) else exits.OK
    except Interrupted as stopped:
        return stopped.code
    except (click.Abort, KeyboardInterrupt):
        _say("interrupted; nothing is half done, and starting it again goes on")
        return exits.INTERRUPTED
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return exits.USAGE
    except click.ClickException as error:
        _say(f"{error.format_message()} {_see(error)}")
        return exits.USAGE
    except Exception as error:
        if debug:
            traceback.print_exc()
        return _failed(error)


def _see(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    return f"(see `{context.command_path if context else 'kappa'} --help`)"


def _failed(error: Exception) -> int:
    if isinstance(error, KappaError) and not isinstance(error, InternalError):
        _say(error.message)
        return exits.exit_code(error)
    if isinstance(error, OSError):
        _say(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}")
        return exits.FAILED
    _say(f"{type(error).__name__}: {error}\nThis looks like a bug in kappa; --debug shows where.")
    return exits.FAILED


def _say(message: str) -> None:
    click.echo(f"kappa: {message}", err=True)
