"""Waiting for a lock file, with a time-out that names the holder.

Three kinds of lock file lie in `locks/` and are never removed: `open`, shared by all who
have the log open and exclusive for the one who recovers it; `append`, held while an
append is written; and one for each name that `Log.lock` is asked for, such as a run's
(pipeline, version). A lock belongs to an open file, so a killed process leaves none.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from types import TracebackType

from kappa.errors import ConfigError, LogLocked
from kappa.log.files import Files, Lock
from kappa.time import Clock, format_time

__all__ = ["NamedLock", "acquire", "holder_note"]

FIRST_DELAY_S = 0.0002
LAST_DELAY_S = 0.01


def holder_note(clock: Clock, what: str) -> str:
    """Who holds a lock, for those who find it held."""
    since = format_time(clock.now_ms())
    return f"pid={os.getpid()} host={os.uname().nodename} since={since} {what}".strip()


def acquire(lock: Lock, clock: Clock, *, timeout_s: float, what: str, shared: bool = False) -> None:
    """Takes a lock, waiting at most `timeout_s`.

    Raises:
        LogLocked: somebody else still held it; the message says who.
    """
    if lock.try_acquire(shared=shared):
        return
    deadline = clock.monotonic() + timeout_s
    delay = FIRST_DELAY_S
    while clock.monotonic() < deadline:
        clock.wait(min(delay, LAST_DELAY_S))
        if lock.try_acquire(shared=shared):
            return
        delay *= 2
    holder = lock.described() or "another process, which did not say who it is"
    raise LogLocked(f"{what} is held by {holder}; waited {timeout_s:g} s")


class NamedLock:
    """A lock on a name, held from creation until `release` or the end of a `with`.

    Args:
        files: the log's folder.
        name: any text; it becomes the file's name.
        clock: for waiting and for the holder's note.
        timeout_s: how long to wait for it.

    Raises:
        LogLocked: another run holds it; names the holder.
    """

    def __init__(self, files: Files, name: str, clock: Clock, *, timeout_s: float = 0.0) -> None:
        self.name = name
        self._lock = files.lock(f"locks/name-{_file_name(name)}")
        acquire(self._lock, clock, timeout_s=timeout_s, what=name)
        with suppress(OSError):  # a courtesy to who waits; the lock is held without it
            self._lock.describe(holder_note(clock, name))

    def release(self) -> None:
        """Gives the name back; does nothing the second time."""
        self._lock.close()

    def __enter__(self) -> NamedLock:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def _file_name(name: str) -> str:
    quoted = re.sub("[^A-Za-z0-9._@-]", lambda found: f"%{ord(found[0]):x}", name)
    if not name or len(quoted) > 200:
        raise ConfigError(f"{name!r} is no name for a lock: use 1 to 200 plain characters")
    return quoted
