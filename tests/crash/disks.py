"""Disks that fail: fakes of `Files` for every test that asks what a crash leaves.

- `FaultyFiles` fails the Nth call, once or from then on, writing half of what it was to.
- `PowerFiles` is memory that knows what is durable, and makes every image a power cut may
  leave: of the writes and truncations of a file since its last sync any mixture may be
  lost, a write may be torn or leave zeros, and names that were created, renamed or removed
  since their folder was synced may be as before, folders with all that is in them too.
"""

from __future__ import annotations

import errno
import random
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

from kappa.log.files import File, Files, Lock
from kappa.log.memory import MemoryFile, MemoryFiles

# ---- failing calls


class FaultyFile:
    """A file whose calls are counted by its folder."""

    def __init__(self, files: FaultyFiles, file: File, name: str) -> None:
        self.files, self.file, self.name = files, file, name

    def read_at(self, position: int, length: int) -> bytes:
        self.files.call("read_at", self.name)
        return self.file.read_at(position, length)

    def write_at(self, position: int, data: bytes) -> None:
        try:
            self.files.call("write_at", self.name)
        except OSError:
            if self.files.short:
                self.file.write_at(position, data[: len(data) // 2])
            raise
        self.file.write_at(position, data)

    def size(self) -> int:
        self.files.call("size", self.name)
        return self.file.size()

    def truncate(self, size: int) -> None:
        self.files.call("truncate", self.name)
        self.file.truncate(size)

    def sync(self) -> None:
        self.files.call("sync", self.name)
        self.file.sync()


class FaultyFiles:
    """`inner`, whose call number `fail_at` fails.

    Args:
        inner: where the bytes go.
        fail_at: number of the call that fails, from 1; 0 for none.
        forever: so do all that follow.
        short: a failing write has written half.
        only: count calls of this kind alone.
        code: the errno.
    """

    def __init__(
        self,
        inner: Files,
        fail_at: int = 0,
        *,
        forever: bool = False,
        short: bool = False,
        only: str = "",
        code: int = errno.ENOSPC,
    ) -> None:
        self.inner, self.fail_at, self.forever = inner, fail_at, forever
        self.short, self.only, self.code = short, only, code
        self.calls = 0
        self.failed: list[str] = []

    def call(self, what: str, name: str) -> None:
        if self.only not in ("", what):
            return
        self.calls += 1
        if self.calls == self.fail_at or (self.forever and 0 < self.fail_at < self.calls):
            self.failed.append(f"{what} {name}")
            raise OSError(self.code, f"call {self.calls} fails: {what} {name}")

    def path(self, name: str = "") -> str:
        return self.inner.path(name)

    def open(self, name: str, *, create: bool = False) -> File:
        self.call("open", name)
        return FaultyFile(self, self.inner.open(name, create=create), name)

    def exists(self, name: str) -> bool:
        return self.inner.exists(name)

    def names(self, folder: str = "") -> list[str]:
        self.call("names", folder)
        return self.inner.names(folder)

    def make_folder(self, name: str) -> None:
        self.call("make_folder", name)
        self.inner.make_folder(name)

    def rename(self, old: str, new: str) -> None:
        self.call("rename", old)
        self.inner.rename(old, new)

    def remove(self, name: str) -> None:
        self.call("remove", name)
        self.inner.remove(name)

    def remove_folder(self, name: str) -> None:
        self.call("remove_folder", name)
        self.inner.remove_folder(name)

    def sync_folder(self, name: str = "") -> None:
        self.call("sync_folder", name)
        self.inner.sync_folder(name)

    def lock(self, name: str) -> Lock:
        return self.inner.lock(name)


# ---- power cuts

Pick = Callable[[int], str]
"""What became of pending operation number n: "kept", "lost", "torn" or "zeros"."""


class PowerFile(MemoryFile):
    """A file with the bytes that are durable and what was done to it since."""

    __slots__ = ("disk", "durable", "pending")

    def __init__(self, disk: PowerFiles) -> None:
        super().__init__()
        self.disk = disk
        self.durable = b""
        self.pending: list[tuple[str, int, bytes]] = []

    def write_at(self, position: int, data: bytes) -> None:
        self.disk.moment()
        super().write_at(position, data)
        self.pending.append(("write", position, bytes(data)))

    def truncate(self, size: int) -> None:
        self.disk.moment()
        super().truncate(size)
        self.pending.append(("truncate", size, b""))

    def sync(self) -> None:
        self.disk.moment()
        if self.disk.honest("sync"):
            self.durable = bytes(self.data)
            self.pending = []

    def after(self, fates: list[str]) -> MemoryFile:
        """The file when these fates befall what is pending."""
        image = MemoryFile()
        image.data = bytearray(self.durable)
        for (kind, position, data), fate in zip(self.pending, fates, strict=True):
            if fate == "lost":
                continue
            if kind == "truncate":
                image.truncate(position)
            elif fate == "torn":
                image.write_at(position, data[: len(data) // 2])
            elif fate == "zeros":
                image.write_at(position, bytes(len(data)))
            else:
                image.write_at(position, data)
        return image


class PowerFiles(MemoryFiles):
    """Memory that can lose its power.

    Args:
        lies: kinds of sync that do nothing: "sync", "sync_folder"; for canaries.
    """

    def __init__(self, *, lies: str = "") -> None:
        super().__init__()
        self.durable_files: dict[str, PowerFile] = {}
        self.durable_folders: set[str] = {""}
        self.pending: list[tuple[str, str, Any]] = []
        self.watch: Callable[[], None] | None = None
        self._lies = lies

    def honest(self, kind: str) -> bool:
        return kind != self._lies

    def moment(self) -> None:
        """Called before everything that changes the disk."""
        if self.watch is not None:
            self.watch()

    def open(self, name: str, *, create: bool = False) -> File:
        if create and name not in self.files and name.rpartition("/")[0] in self.folders:
            self.moment()
            self.files[name] = file = PowerFile(self)
            self.pending.append(("link", name, file))
        return super().open(name, create=create)

    def make_folder(self, name: str) -> None:
        missing = []
        while name not in self.folders:
            missing.append(name)
            name = name.rpartition("/")[0]
        for folder in reversed(missing):
            self.moment()
            self.folders.add(folder)
            self.pending.append(("folder", folder, None))

    def rename(self, old: str, new: str) -> None:
        self.moment()
        super().rename(old, new)
        self.pending.append(("rename", new, old))

    def remove(self, name: str) -> None:
        if name in self.files:
            self.moment()
            super().remove(name)
            self.pending.append(("unlink", name, None))

    def remove_folder(self, name: str) -> None:
        self.moment()
        super().remove_folder(name)
        self.pending.append(("unfolder", name, None))

    def sync_folder(self, name: str = "") -> None:
        self.moment()
        if not self.honest("sync_folder"):
            return
        mine = [op for op in self.pending if op[1].rpartition("/")[0] == name]
        self.pending = [op for op in self.pending if op not in mine]
        _apply(self.durable_files, self.durable_folders, mine)

    # Images.

    def images(self, *, seed: int = 0, sampled: int = 12) -> Iterator[MemoryFiles]:
        """Disks that a power cut now may leave: all if they are few, else telling ones."""
        counts = [len(self.pending), *(len(file.pending) for file in self._inodes())]
        total = sum(counts)
        for fates in _fates(total, seed, sampled):
            yield self.image(fates)

    def _inodes(self) -> list[PowerFile]:
        # Also those that only a lost rename or removal would bring back.
        found = {id(file): file for file in self.durable_files.values()}
        found |= {id(op[2]): op[2] for op in self.pending if op[0] == "link"}
        return list(found.values())

    def image(self, fates: list[str]) -> MemoryFiles:
        """The disk when these fates befall what is pending, names first."""
        at = len(self.pending)
        files, folders = dict(self.durable_files), set(self.durable_folders)
        names = [op for op, fate in zip(self.pending, fates[:at], strict=True) if fate != "lost"]
        _apply(files, folders, names)
        contents: dict[int, MemoryFile] = {}
        for file in self._inodes():
            contents[id(file)] = file.after(fates[at : at + len(file.pending)])
            at += len(file.pending)
        image = MemoryFiles()
        image.folders = {folder for folder in folders if _reachable(folder, folders)}
        image.files = {
            name: contents[id(file)]
            for name, file in files.items()
            if name.rpartition("/")[0] in image.folders
        }
        return image


def _apply(files: dict[str, Any], folders: set[str], operations: list[Any]) -> None:
    for kind, name, what in operations:
        if kind == "link":
            files[name] = what
        elif kind == "unlink":
            files.pop(name, None)
        elif kind == "folder":
            folders.add(name)
        elif kind == "unfolder":
            folders.discard(name)
        elif what in files:
            files[name] = files.pop(what)


def _reachable(folder: str, folders: set[str]) -> bool:
    while folder in folders and folder:
        folder = folder.rpartition("/")[0]
    return not folder


def _fates(total: int, seed: int, sampled: int) -> Iterator[list[str]]:
    """Fates of `total` operations: every mixture of few, of many those that tell most."""
    if total <= 4:
        for fates in product(("kept", "lost", "torn"), repeat=total):
            yield list(fates)
        return
    yield ["kept"] * total
    yield ["lost"] * total
    for at in range(total):
        for fate in ("lost", "torn", "zeros"):
            yield ["kept"] * at + [fate] + ["kept"] * (total - at - 1)
        yield ["lost"] * at + ["kept"] + ["lost"] * (total - at - 1)
        yield ["kept"] * at + ["lost"] * (total - at)
    draw = random.Random(seed)
    for _ in range(sampled):
        yield draw.choices(("kept", "lost", "torn", "zeros"), (5, 4, 1, 1), k=total)


def copy_of(files: MemoryFiles) -> MemoryFiles:
    """The same bytes again, held by nobody: what a killed process leaves."""
    image = MemoryFiles()
    image.folders = set(files.folders)
    for name, file in files.files.items():
        image.files[name] = MemoryFile()
        image.files[name].data = bytearray(file.data)
    return image
