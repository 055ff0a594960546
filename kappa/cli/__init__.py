"""The command `kappa`: a thin face over the log, the loader and pipelines.

Every command asks the library and shows what it answers; nothing is decided here.
Results go to standard output, as tables or with `--json` as JSON; progress, messages
and errors go to standard error. `exits` lists the exit codes; `app` is the one place
that turns errors into them.

click and rich come with the extra `cli`. Without them the command says what to install.
"""

from __future__ import annotations

import sys

from kappa.errors import MissingExtra

__all__ = ["main"]


def main() -> None:
    """The entry point of the command; never returns."""
    try:
        from kappa.cli.app import run  # here, so that a missing extra is one line
    except ModuleNotFoundError as error:
        if error.name not in ("click", "rich"):
            raise
        sys.stderr.write(f"kappa: {MissingExtra.of(error.name, extra='cli')}\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(run())
