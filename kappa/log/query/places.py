"""Where tables of files lie: below a folder here, or in an object store through fsspec."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Protocol

from kappa.errors import ConfigError, MissingExtra

__all__ = ["Place", "place_of"]


class Place(Protocol):
    """A folder, and the names in it; "/" stands between folders.

    Attributes:
        files: fsspec's file system, if it is in an object store.
    """

    files: Any

    def names(self, folder: str, *, below: bool = True) -> list[str]:
        """The files of a folder, relative to it; also those below it."""
        ...

    def read(self, name: str) -> bytes:
        """The bytes of a file."""
        ...

    def is_file(self, name: str) -> bool:
        """Whether there is a file of that name."""
        ...

    def where(self, name: str) -> str:
        """The name as readers take it."""
        ...


class Here:
    """A folder of this machine's."""

    files = None

    def __init__(self, root: Path) -> None:
        self._root = root

    def names(self, folder: str, *, below: bool = True) -> list[str]:
        root, found = self.where(folder), []
        for above, folders, files in os.walk(root):  # passes over what vanishes meanwhile
            at = os.path.relpath(above, root)
            found += files if at == "." else [f"{at}/{name}" for name in files]
            if not below:
                folders.clear()
        return found

    def read(self, name: str) -> bytes:
        return Path(self.where(name)).read_bytes()

    def is_file(self, name: str) -> bool:
        return Path(self.where(name)).is_file()

    def where(self, name: str) -> str:
        return str(self._root / name)


class There:
    """A folder of an object store's."""

    def __init__(self, files: Any, root: str) -> None:
        self.files = files
        self._root = root.rstrip("/")

    def names(self, folder: str, *, below: bool = True) -> list[str]:
        self.files.invalidate_cache()
        above = f"{self._root}/{folder}"
        found = self.files.find(above, maxdepth=None if below else 1)
        return [str(path).removeprefix(f"{above}/") for path in found if str(path) != above]

    def read(self, name: str) -> bytes:
        return bytes(self.files.cat_file(f"{self._root}/{name}"))

    def is_file(self, name: str) -> bool:
        return bool(self.files.isfile(f"{self._root}/{name}"))

    def where(self, name: str) -> str:
        return str(self.files.unstrip_protocol(f"{self._root}/{name}"))


def place_of(path: str | os.PathLike[str]) -> tuple[Place, str]:
    """The place that holds a file or folder, and its name there.

    Raises:
        MissingExtra: fsspec, or what it needs for the scheme, is not installed.
        ConfigError: the URL says nothing to it.
    """
    text = os.fspath(path).rstrip("/")
    if "://" not in text:
        full = Path(text).absolute()
        return Here(full.parent), full.name
    try:
        import fsspec

        files, full_name = fsspec.core.url_to_fs(text)
    except ImportError as error:
        raise MissingExtra.of(error.name or "fsspec", extra="lake") from None
    except ValueError as error:
        raise ConfigError(f"{text}: {error}") from None
    root, _, name = str(full_name).rpartition("/")
    return There(files, root), name
