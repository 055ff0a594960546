"""The door to the file system: nothing else in the log opens, syncs or renames a file.

`Files` is a folder of files behind a handful of verbs, `OsFiles` is one on disk, and
`kappa.log.memory.MemoryFiles` one in memory. Names are relative, with "/" between. What
this layer promises and no more:

- `write_at` writes all bytes or raises; what it wrote survives the process, not the power.
- `sync` makes a file's bytes durable, `sync_folder` the names in a folder. A name that was
  created, renamed or removed is not durable before its folder is synced.
- `lock` is held by an open file description: a dead process holds nothing.

Foreign errors (`OSError`) pass through unchanged; the log maps them at its own edge.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Protocol

__all__ = ["File", "Files", "Lock", "OsFiles", "read_whole", "write_whole"]


class File(Protocol):
    """An open file; reads and writes at positions, from any thread."""

    def read_at(self, position: int, length: int) -> bytes:
        """At most `length` bytes from `position` on; fewer only at the end of the file."""
        ...

    def write_at(self, position: int, data: bytes) -> None:
        """Writes all of `data` at `position`."""
        ...

    def size(self) -> int:
        """Bytes in the file."""
        ...

    def truncate(self, size: int) -> None:
        """Cuts the file to `size` bytes."""
        ...

    def sync(self) -> None:
        """Makes the file's bytes durable."""
        ...


class Lock(Protocol):
    """An advisory lock on a file that is never removed."""

    def try_acquire(self, *, shared: bool = False) -> bool:
        """Takes the lock if nobody holds it; an own hold is converted."""
        ...

    def release(self) -> None:
        """Gives the lock back."""
        ...

    def describe(self, text: str) -> None:
        """Leaves a note on who holds it, for the messages of those who wait."""
        ...

    def described(self) -> str:
        """The note of the last holder, or ""."""
        ...

    def close(self) -> None:
        """Releases the lock for good."""
        ...


class Files(Protocol):
    """A folder of files; see the module for what is promised."""

    def open(self, name: str, *, create: bool = False) -> File:
        """Opens a file for reading and writing; `create` makes it if it is missing."""
        ...

    def exists(self, name: str) -> bool:
        """Whether a file or folder of that name is there."""
        ...

    def names(self, folder: str = "") -> list[str]:
        """The names in a folder, sorted; none if the folder is missing."""
        ...

    def make_folder(self, name: str) -> None:
        """Makes a folder and those above it; does nothing if it is there."""
        ...

    def rename(self, old: str, new: str) -> None:
        """Renames a file, replacing one of the new name."""
        ...

    def remove(self, name: str) -> None:
        """Removes a file; does nothing if it is missing."""
        ...

    def remove_folder(self, name: str) -> None:
        """Removes an empty folder; does nothing if it is missing."""
        ...

    def sync_folder(self, name: str = "") -> None:
        """Makes the names in a folder durable."""
        ...

    def lock(self, name: str) -> Lock:
        """The lock on a file, which is created if it is missing."""
        ...

    def path(self, name: str = "") -> str:
        """The name as a person would look for it, for messages."""
        ...


def read_whole(files: Files, name: str) -> bytes:
    """All bytes of a file.

    Raises:
        FileNotFoundError: there is no such file.
    """
    file = files.open(name)
    return file.read_at(0, file.size())


def write_whole(files: Files, name: str, data: bytes) -> None:
    """Writes a file so that after a crash it is there whole, or not at all.

    Written aside, synced, renamed, and the folder synced; the folder must exist. Two
    syncs.
    """
    aside = name + ".tmp"
    file = files.open(aside, create=True)
    file.truncate(0)
    file.write_at(0, data)
    file.sync()
    files.rename(aside, name)
    files.sync_folder(name.rpartition("/")[0])


class OsFile:
    """A file by its descriptor, which closes with the last reference to the object.

    Readers in other threads keep it open by holding it, so nobody closes it under them.
    """

    __slots__ = ("_descriptor",)

    def __init__(self, path: str, *, create: bool) -> None:
        self._descriptor = -1
        flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if create else 0)
        self._descriptor = os.open(path, flags, 0o666)

    def read_at(self, position: int, length: int) -> bytes:
        data = os.pread(self._descriptor, length, position)
        if len(data) == length or not data:
            return data
        return self._read_on(data, position, length)

    def _read_on(self, data: bytes, position: int, length: int) -> bytes:
        # A short read is the end of the file or a signal; only an empty one is surely the end.
        chunks = [data]
        have = len(data)
        while have < length:
            data = os.pread(self._descriptor, length - have, position + have)
            if not data:
                break
            chunks.append(data)
            have += len(data)
        return b"".join(chunks)

    def write_at(self, position: int, data: bytes) -> None:
        written = os.pwrite(self._descriptor, data, position)
        while written < len(data):
            written += os.pwrite(self._descriptor, data[written:], position + written)

    def size(self) -> int:
        return os.fstat(self._descriptor).st_size

    def truncate(self, size: int) -> None:
        os.ftruncate(self._descriptor, size)

    def sync(self) -> None:
        os.fsync(self._descriptor)

    def __del__(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)


class OsLock:
    """`flock` on a file: unlike `lockf` it is not lost when another descriptor closes."""

    __slots__ = ("_descriptor",)

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)

    def try_acquire(self, *, shared: bool = False) -> bool:
        try:
            kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
            fcntl.flock(self._descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def describe(self, text: str) -> None:
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, text.encode(), 0)

    def described(self) -> str:
        return os.pread(self._descriptor, 4096, 0).decode(errors="replace") or self._by_inode()

    def _by_inode(self) -> str:
        # Linux knows who holds a flock; asking it costs an append nothing.
        inode = f":{os.fstat(self._descriptor).st_ino} "
        try:
            lines = Path("/proc/locks").read_text().splitlines()
        except OSError:
            return ""
        for line in lines:
            if inode in line and "->" not in line:
                return f"pid={line.split()[4]}"
        return ""

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __del__(self) -> None:
        self.close()


def exchange(one: str, other: str) -> None:
    """Exchanges two names of one file system; see `OsFiles.exchange`."""
    if not _exchanged(os.fsencode(one), os.fsencode(other)):
        aside = f"{other}.{os.getpid()}.aside"
        Path(other).rename(aside)
        Path(one).rename(other)
        Path(aside).rename(one)


def _exchanged(one: bytes, other: bytes) -> bool:
    """Whether the system could do it in one step: Linux and macOS can, on most file systems."""
    import ctypes  # costs a millisecond that few pay

    libc = ctypes.CDLL(None, use_errno=True)
    if hasattr(libc, "renameat2"):
        done = libc.renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE)
    elif hasattr(libc, "renamex_np"):
        done = libc.renamex_np(one, other, RENAME_EXCHANGE)
    else:
        return False
    return bool(done == 0)


AT_FDCWD = -100
RENAME_EXCHANGE = 2
"""The flag's value in Linux (RENAME_EXCHANGE) and in macOS (RENAME_SWAP)."""


class OsFiles:
    """Files in a folder of a POSIX file system.

    Args:
        root: the folder; it need not exist before `make_folder("")`.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self._root = str(Path(root).absolute())

    def path(self, name: str = "") -> str:
        return f"{self._root}/{name}" if name else self._root

    def open(self, name: str, *, create: bool = False) -> File:
        return OsFile(self.path(name), create=create)

    def exists(self, name: str) -> bool:
        return Path(self.path(name)).exists()

    def names(self, folder: str = "") -> list[str]:
        try:
            return sorted(os.listdir(self.path(folder)))  # noqa: PTH208 - names, not paths
        except FileNotFoundError:
            return []

    def make_folder(self, name: str) -> None:
        Path(self.path(name)).mkdir(parents=True, exist_ok=True)

    def rename(self, old: str, new: str) -> None:
        Path(self.path(old)).rename(self.path(new))

    def exchange(self, one: str, other: str) -> None:
        """Gives two files or folders each other's name, in one step where the system can.

        Else the second is missing for a moment.
        """
        exchange(self.path(one), self.path(other))

    def remove(self, name: str) -> None:
        Path(self.path(name)).unlink(missing_ok=True)

    def remove_folder(self, name: str) -> None:
        try:
            Path(self.path(name)).rmdir()
        except FileNotFoundError:
            return

    def sync_folder(self, name: str = "") -> None:
        descriptor = os.open(self.path(name), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def lock(self, name: str) -> Lock:
        return OsLock(self.path(name))
