"""Opening a log: who is alone recovers it, who is not joins the others."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from kappa.errors import LogError, LogLocked
from kappa.log.files import Files, Lock
from kappa.log.lock import acquire, holder_note
from kappa.log.recovery import Opened, RecoveryReport, create, finish_creation, load, recover
from kappa.log.segments import Segments
from kappa.log.settings import Settings
from kappa.log.store import Store
from kappa.time import Clock

__all__ = ["OpenedStore", "open_store"]

RECOVERING = "recovering"
RETRY_S = 0.002
REMOTE = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "afs", "ceph", "glusterfs")
"""File systems where flock, or a rename over a crash, does not mean what it does locally."""


@dataclass(frozen=True, slots=True)
class OpenedStore:
    """A store, what opening it found, and the hold that says it is open."""

    store: Store
    report: RecoveryReport
    held: Lock


def open_store(files: Files, settings: Settings, clock: Clock) -> OpenedStore:
    """Opens or creates the log in a folder.

    Raises:
        LogError: the folder cannot be used, or holds something else.
        CorruptBatch: what was durable does not read back.
        LogLocked: another process recovers the log for longer than the time-out.
    """
    try:
        _check_local(files.path())
        create(files)
        held = files.lock("locks/open")
    except OSError as error:
        raise _unusable(files, error) from error
    try:
        return _open_held(files, settings, clock, held)
    except OSError as error:
        held.close()
        raise _unusable(files, error) from error
    except BaseException:
        held.close()
        raise


def _open_held(files: Files, settings: Settings, clock: Clock, held: Lock) -> OpenedStore:
    deadline = clock.monotonic() + settings.timeout_s
    while True:
        if held.try_acquire():
            return _alone(files, settings, clock, held)
        left = max(0.0, deadline - clock.monotonic())
        what = f"the log {files.path()}"
        acquire(held, clock, timeout_s=left, what=what, shared=True)
        # Who recovered may have died at it, so that nobody has finished.
        if not held.described().startswith(RECOVERING):
            return _opened(files, load(files), settings, clock, held)
        held.release()
        if clock.monotonic() >= deadline:
            raise LogLocked(f"{what} is being recovered by {held.described()}")
        clock.wait(RETRY_S)


def _alone(files: Files, settings: Settings, clock: Clock, held: Lock) -> OpenedStore:
    held.describe(f"{RECOVERING} {holder_note(clock, '')}")
    finish_creation(files)
    found = recover(files, Segments(files))
    opened = _opened(files, found, settings, clock, held)
    if found.report.reason:
        opened.store.sync()
    held.describe(holder_note(clock, "opened it"))
    acquire(held, clock, timeout_s=settings.timeout_s, what="the log", shared=True)
    return opened


def _opened(
    files: Files, found: Opened, settings: Settings, clock: Clock, held: Lock
) -> OpenedStore:
    store = Store(files, found.ledger, synced=found.synced, settings=settings, clock=clock)
    return OpenedStore(store, found.report, held)


def _unusable(files: Files, error: OSError) -> LogError:
    return LogError(
        f"the log {files.path()} cannot be opened: {error.strerror or error}"
        + (f" ({error.filename})" if error.filename else ""),
        path=files.path(),
    )


def _check_local(path: str) -> None:
    if os.name != "posix":
        raise LogError(f"kappa needs a POSIX file system, not {os.name}")
    if path.startswith("memory:"):
        return
    kind = _file_system(path)
    if kind in REMOTE:
        raise LogError(
            f"{path} is on {kind}: a log needs a local file system, since locks and renames"
            " do not survive there as they must",
            path=path,
        )


def _file_system(path: str) -> str:
    """The kind of file system that a path is on, "" if the system does not say."""
    try:
        mounts = Path("/proc/self/mounts").read_text().splitlines()
    except OSError:
        return ""
    real = os.path.realpath(path)
    best, kind = "", ""
    for mount in mounts:
        fields = mount.split(" ")
        where = fields[1].rstrip("/") + "/" if len(fields) > 2 else ""
        if where and (real + "/").startswith(where) and len(where) >= len(best):
            best, kind = where, fields[2]
    return kind
