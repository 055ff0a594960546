"""Where a table's files lie: one small set of verbs, over a folder or an object store.

What the rest of a table rests on:

- `write` and `move` are atomic and durable: a file is there whole, or as it was before;
- `create` makes a file only if there is none, so that of two writers one knows it lost;
- names are relative to the store, with "/" between folders.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from kappa.errors import ConfigError
from kappa.log.files import OsFiles, read_whole, write_whole
from kappa.log.query.places import Here

SCHEME = "://"


class Store(Protocol):
    """The verbs; see the module for what is promised."""

    def read(self, name: str) -> bytes:
        """The bytes of a file; FileNotFoundError if it is missing."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Writes a file, replacing one of that name."""
        ...

    def create(self, name: str, data: bytes) -> bool:
        """Writes a file unless there is one; says whether it did."""
        ...

    def exists(self, name: str) -> bool:
        """Whether there is a file of that name."""
        ...

    def names(self, folder: str, *, below: bool = True) -> list[str]:
        """The names of the files in a folder, sorted, relative to it.

        Args:
            below: also those in all folders below it.
        """
        ...

    def move(self, old: str, new: str) -> None:
        """Renames a file, replacing one of the new name."""
        ...

    def copy(self, old: str, new: str) -> None:
        """Gives a file a second name, replacing one of that name; costs no space where it can."""
        ...

    def remove(self, name: str) -> None:
        """Removes a file; does nothing if it is missing."""
        ...

    def swap(self, new: str, old: str) -> None:
        """Exchanges two folders, so that a reader of `old` sees either; one may be missing."""
        ...

    def set_aside(self, folder: str, kept: str) -> None:
        """Moves what a swap has taken out of view, from where the new folder had been.

        Where it can, as a whole: who began to list the old folder lists it to the end.
        """
        ...

    def where(self, name: str = "") -> str:
        """The name as a person would look for it."""
        ...


class FolderStore:
    """A folder of a POSIX file system.

    Args:
        root: the folder; made on demand.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self._files = OsFiles(root)

    def read(self, name: str) -> bytes:
        return read_whole(self._files, name) if self.exists(name) else _missing(self.where(name))

    def write(self, name: str, data: bytes) -> None:
        self._make_folder(_folder(name))
        write_whole(self._files, name, data)

    def create(self, name: str, data: bytes) -> bool:
        aside = f"{name}.{os.getpid()}.new"
        self.write(aside, data)
        try:
            Path(self.where(name)).hardlink_to(self.where(aside))
        except FileExistsError:
            return False
        finally:
            self._files.remove(aside)
        self._files.sync_folder(_folder(name))
        return True

    def exists(self, name: str) -> bool:
        return Path(self.where(name)).is_file()

    def names(self, folder: str, *, below: bool = True) -> list[str]:
        return sorted(Here(Path(self.where())).names(folder, below=below))

    def move(self, old: str, new: str) -> None:
        self._make_folder(_folder(new))
        self._files.rename(old, new)
        self._files.sync_folder(_folder(new))
        self._files.sync_folder(_folder(old))

    def copy(self, old: str, new: str) -> None:
        aside = f"{new}.{os.getpid()}.new"
        self._make_folder(_folder(new))
        self._files.remove(aside)
        try:
            Path(self.where(aside)).hardlink_to(self.where(old))
        except OSError:  # a file system without second names
            self.write(aside, self.read(old))
        self._files.rename(aside, new)
        self._files.remove(aside)  # a rename between two names of one file leaves both
        self._files.sync_folder(_folder(new))

    def remove(self, name: str) -> None:
        self._files.remove(name)
        folder = _folder(name)
        while folder:  # a folder without files says nothing to anyone
            with suppress(OSError):
                self._files.remove_folder(folder)
            if Path(self.where(folder)).exists():
                return
            folder = _folder(folder)

    def swap(self, new: str, old: str) -> None:
        one, other = Path(self.where(new)), Path(self.where(old))
        if one.is_dir() and other.is_dir():
            self._files.exchange(new, old)
        elif one.is_dir() or other.is_dir():
            source, target = (new, old) if one.is_dir() else (old, new)
            self._make_folder(_folder(target))
            self._files.rename(source, target)
        for name in {_folder(new), _folder(old)}:
            if Path(self.where(name)).is_dir():
                self._files.sync_folder(name)

    def set_aside(self, folder: str, kept: str) -> None:
        if Path(self.where(folder)).is_dir() and not Path(self.where(kept)).exists():
            self._make_folder(_folder(kept))
            self._files.rename(folder, kept)
            for name in {_folder(folder), _folder(kept)}:
                self._files.sync_folder(name)

    def where(self, name: str = "") -> str:
        return self._files.path(name)

    def _make_folder(self, name: str) -> None:
        """Makes a folder whose name lasts: every folder above a new one is synced."""
        if Path(self.where(name)).is_dir():
            return
        above = _folder(name)
        if name:
            self._make_folder(above)
        self._files.make_folder(name)
        if name:
            self._files.sync_folder(above)


def store_of(path: str | os.PathLike[str]) -> tuple[Store, str]:
    """The store that holds a table, and the table's name in it.

    Args:
        path: a folder, or the URL of one in an object store, such as "s3://bucket/delays".

    Raises:
        ConfigError: it names no folder within something that can hold its control files.
    """
    text = os.fspath(path)
    if text.startswith("file://"):
        text = text.removeprefix("file://")
    if SCHEME in text:
        from kappa.connect.tables.objects import object_store

        return object_store(text)
    folder = Path(text).absolute()
    if not folder.name:
        raise ConfigError(f"{text!r} cannot hold a table: give a folder below it")
    return FolderStore(folder.parent), folder.name


def _folder(name: str) -> str:
    return name.rpartition("/")[0]


def _missing(where: str) -> bytes:
    raise FileNotFoundError(where)
