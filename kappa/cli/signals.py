"""Ctrl-C: once stops cleanly, twice stops at once.

A run that is stopped cleanly ends the append it is at and writes a checkpoint. Stopping
at once is as safe as pulling the plug: the next run goes on from the last checkpoint.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import click

from kappa.cli import exits

CODES = {signal.SIGINT: exits.INTERRUPTED, signal.SIGTERM: exits.TERMINATED}


class Interrupted(Exception):
    """A run was stopped by a signal, cleanly; `code` is the exit code to end with."""

    def __init__(self, code: int) -> None:
        super().__init__(f"stopped by a signal, exit code {code}")
        self.code = code


class Stopping:
    """What a signal asked for: `code` is None until one came."""

    def __init__(self) -> None:
        self.code: int | None = None

    def raise_if_asked(self) -> None:
        """Ends the command with the signal's exit code, if there was one."""
        if self.code is not None:
            raise Interrupted(self.code)


ON_STOP = "kappa: stopping at a checkpoint; Ctrl-C again stops at once"


@contextmanager
def stop_on_signals(stop: Callable[[], object], *, message: str = ON_STOP) -> Iterator[Stopping]:
    """Calls `stop` at the first Ctrl-C or SIGTERM and leaves at once at the second."""
    state = Stopping()

    def handle(number: int, frame: FrameType | None) -> None:
        code = CODES[signal.Signals(number)]
        if state.code is not None:
            # Not sys.exit: that would wait for what the user no longer waits for.
            os._exit(code)
        state.code = code
        if message:
            click.echo(message, err=True)
        stop()

    before: dict[signal.Signals, Any] = {number: signal.signal(number, handle) for number in CODES}
    try:
        yield state
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
