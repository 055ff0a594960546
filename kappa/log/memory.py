"""Files in memory: the same verbs as on disk, for `Log.memory` and for tests."""

from __future__ import annotations

from kappa.log.files import File, Lock

__all__ = ["MemoryFile", "MemoryFiles"]


class MemoryFile:
    """The bytes of one file; every open handle is the same object."""

    __slots__ = ("data",)

    def __init__(self) -> None:
        self.data = bytearray()

    def read_at(self, position: int, length: int) -> bytes:
        return bytes(self.data[position : position + length])

    def write_at(self, position: int, data: bytes) -> None:
        if position > len(self.data):
            self.data.extend(bytes(position - len(self.data)))
        self.data[position : position + len(data)] = data

    def size(self) -> int:
        return len(self.data)

    def truncate(self, size: int) -> None:
        del self.data[size:]

    def sync(self) -> None:
        """Memory has no power cut."""


class MemoryLock:
    """One hold on a name: many shared ones or a single exclusive one."""

    def __init__(self, holds: dict[MemoryLock, bool], notes: dict[str, str], name: str) -> None:
        self._holds = holds
        self._notes = notes
        self._name = name

    def try_acquire(self, *, shared: bool = False) -> bool:
        others = [kind for lock, kind in self._holds.items() if lock is not self]
        if others and not (shared and all(others)):
            return False
        self._holds[self] = shared
        return True

    def release(self) -> None:
        self._holds.pop(self, None)

    def describe(self, text: str) -> None:
        self._notes[self._name] = text

    def described(self) -> str:
        return self._notes.get(self._name, "")

    def close(self) -> None:
        self.release()


class MemoryFiles:
    """A folder of files that lives as long as the object.

    >>> files = MemoryFiles()
    >>> files.make_folder("a")
    >>> files.open("a/b", create=True).write_at(0, b"hello")
    >>> files.names("a"), files.open("a/b").read_at(1, 3)
    (['b'], b'ell')
    """

    def __init__(self) -> None:
        self.files: dict[str, MemoryFile] = {}
        self.folders: set[str] = {""}
        self._holds: dict[str, dict[MemoryLock, bool]] = {}
        self._notes: dict[str, str] = {}

    def path(self, name: str = "") -> str:
        return f"memory:{name}"

    def open(self, name: str, *, create: bool = False) -> File:
        file = self.files.get(name)
        if file is None:
            if not create or name.rpartition("/")[0] not in self.folders:
                raise FileNotFoundError(2, "No such file or directory", self.path(name))
            file = self.files[name] = MemoryFile()
        return file

    def exists(self, name: str) -> bool:
        return name in self.files or name in self.folders

    def names(self, folder: str = "") -> list[str]:
        found = [*self.files, *(name for name in self.folders if name)]
        return sorted(
            name.rpartition("/")[2] for name in found if name.rpartition("/")[0] == folder
        )

    def make_folder(self, name: str) -> None:
        while name not in self.folders:
            self.folders.add(name)
            name = name.rpartition("/")[0]

    def rename(self, old: str, new: str) -> None:
        self.files[new] = self.files.pop(old)

    def remove(self, name: str) -> None:
        self.files.pop(name, None)

    def remove_folder(self, name: str) -> None:
        if any(True for _ in self.names(name)):
            raise OSError(39, "Directory not empty", self.path(name))
        self.folders.discard(name)

    def sync_folder(self, name: str = "") -> None:
        """Memory has no power cut."""

    def lock(self, name: str) -> Lock:
        return MemoryLock(self._holds.setdefault(name, {}), self._notes, name)
