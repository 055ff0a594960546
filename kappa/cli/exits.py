"""Exit codes, for schedulers and scripts. docs/cli.md repeats this list; a test compares."""

from __future__ import annotations

from kappa.errors import ConfigError, KappaError, LogLocked, MissingExtra

OK = 0  # done
FAILED = 1  # it was tried and failed; the message says why
USAGE = 2  # wrong arguments, configuration or pipeline; nothing was read or written
DIFFERENT = 3  # `diff`, `verify` or a `check` found something, `log verify` found damage
BUSY = 4  # another process holds what is asked for; try again later
INTERRUPTED = 130  # Ctrl-C; a run has stopped at a checkpoint
TERMINATED = 143  # SIGTERM; likewise


def exit_code(error: KappaError) -> int:
    """The exit code for an error.

    >>> from kappa.errors import CorruptBatch
    >>> exit_code(LogLocked("held")), exit_code(ConfigError("no")), exit_code(CorruptBatch("bad"))
    (4, 2, 1)
    """
    if isinstance(error, LogLocked):
        return BUSY
    if isinstance(error, ConfigError):
        return USAGE
    if isinstance(error, MissingExtra):
        return FAILED
    return FAILED
