"""An object store (S3 and others, through fsspec) with the verbs of a table's store.

An object is written whole or not at all, which is what `write` needs. There is no rename:
`move` copies and then removes, so a crash in between leaves both, and a second try finds
the same content in place.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from kappa.connect.tables.stores import Store
from kappa.errors import ConfigError, MissingExtra
from kappa.log.query.places import There


def object_store(url: str) -> tuple[Store, str]:
    """The store behind a URL, and the table's name in it.

    Raises:
        MissingExtra: fsspec, or the package for the URL's scheme, is not installed.
        ConfigError: the URL names no folder within a bucket.
    """
    try:
        import fsspec
    except ImportError:
        raise MissingExtra.of("fsspec", extra="lake") from None
    parts = urlsplit(url)
    name = parts.path.strip("/")
    if not name:
        raise ConfigError(f"{url!r} cannot hold a table: give a folder below it")
    try:
        files, root = fsspec.core.url_to_fs(f"{parts.scheme}://{parts.netloc}")
    except ImportError as error:
        raise MissingExtra(f"{url}: {error}") from None
    except ValueError as error:
        raise ConfigError(f"{url}: {error}") from None
    return ObjectStore(files, root, f"{parts.scheme}://{parts.netloc}"), name


class ObjectStore:
    """A bucket.

    Args:
        files: fsspec's file system.
        root: the bucket, as that file system calls it.
        url: the bucket, as people call it.
    """

    def __init__(self, files: Any, root: str, url: str) -> None:
        self._files = files
        self._root = root.rstrip("/")
        self._url = url

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def read(self, name: str) -> bytes:
        self._files.invalidate_cache()
        return bytes(self._files.cat_file(self._path(name)))

    def write(self, name: str, data: bytes) -> None:
        self._files.pipe_file(self._path(name), data)

    def create(self, name: str, data: bytes) -> bool:
        try:
            self._files.pipe_file(self._path(name), data, mode="create")
        except FileExistsError:
            return False
        return True

    def exists(self, name: str) -> bool:
        self._files.invalidate_cache()
        return bool(self._files.isfile(self._path(name)))

    def names(self, folder: str, *, below: bool = True) -> list[str]:
        return sorted(There(self._files, self._root).names(folder, below=below))

    def move(self, old: str, new: str) -> None:
        self.copy(old, new)
        self.remove(old)

    def copy(self, old: str, new: str) -> None:
        self._files.cp_file(self._path(old), self._path(new))

    def remove(self, name: str) -> None:
        try:
            self._files.rm_file(self._path(name))
        except FileNotFoundError:
            return

    def swap(self, new: str, old: str) -> None:
        """Object by object: only readers of the ledger see one or the other."""
        fresh, stale = self.names(new), self.names(old)
        for name in stale:
            self.copy(f"{old}/{name}", f"{new}.old/{name}")
        for name in fresh:
            self.copy(f"{new}/{name}", f"{old}/{name}")
        for name in stale:
            if name not in fresh:
                self.remove(f"{old}/{name}")

    def set_aside(self, folder: str, kept: str) -> None:
        for name in self.names(f"{folder}.old"):
            self.move(f"{folder}.old/{name}", f"{kept}/{name}")
        for name in self.names(folder):
            self.remove(f"{folder}/{name}")

    def where(self, name: str = "") -> str:
        return f"{self._url}/{name}" if name else self._url
