"""A table: a folder of files for any reader, and its ledger beside it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from zlib import crc32

from kappa.connect.tables.ledger import DataFile, Ledger
from kappa.connect.tables.stores import Store, store_of
from kappa.errors import SinkError

SUCCESS = "_SUCCESS"
PREFIX = "part-"


class Table:
    """A folder and what is known of it.

    Args:
        path: the folder, or the URL of one in an object store.

    Attributes:
        store: that holds both.
        name: of the folder, in the store.
        control: the folder of the ledger, in the store.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.store: Store
        self.store, self.name = store_of(path)
        above, _, last = self.name.rpartition("/")
        self.control = f"{above}/.{last}.kappa" if above else f".{last}.kappa"
        self.ledger = Ledger(self.store, self.control)

    @property
    def where(self) -> str:
        """The folder as a person would look for it."""
        return self.store.where(self.name)

    # -- staging -------------------------------------------------------------------------

    def staged(self, owner: str, file: DataFile) -> str:
        """Where a file lies before it is visible; no reader takes it for a data file."""
        flat = file.path.replace("/", "!")
        return f"{self.control}/staged/{owner}/{flat}.staged"

    def stage(self, owner: str, file: DataFile, data: bytes) -> None:
        """Writes a file, durably, where no one sees it."""
        self.store.write(self.staged(owner, file), data)

    def place(self, owner: str, files: Iterable[DataFile]) -> None:
        """Makes staged files visible; those that are visible already stay as they are.

        Raises:
            SinkError: one is neither staged nor there as it was written.
        """
        for file in files:
            staged, target = self.staged(owner, file), f"{self.name}/{file.path}"
            if self.store.exists(staged):
                self.store.move(staged, target)
            elif not self.store.exists(target):
                raise self._lost(target, "it is gone")
            elif crc32(self.store.read(target)) != file.crc:
                raise self._lost(target, "another file of that name is there")

    def _lost(self, name: str, what: str) -> SinkError:
        where = self.store.where(name)
        return SinkError(
            f"{where}, which a checkpoint says was written: {what}. Restore the folder and its"
            f" ledger {self.store.where(self.control)}, or write the table anew elsewhere",
            path=where,
        )

    def sweep(self, owner: str, but: Iterable[DataFile] = ()) -> None:
        """Removes what a run that crashed had staged and no checkpoint names."""
        folder = f"{self.control}/staged/{owner}"
        kept = {self.staged(owner, file) for file in but}
        for name in self.store.names(folder):
            if f"{folder}/{name}" not in kept:
                self.store.remove(f"{folder}/{name}")

    def is_whole(self, file: DataFile) -> bool:
        """Whether a visible file is there as it was written."""
        name = f"{self.name}/{file.path}"
        if not self.store.exists(name):
            return False
        data = self.store.read(name)
        return len(data) == file.bytes and crc32(data) == file.crc

    # -- the folder ----------------------------------------------------------------------

    def remove(self, files: Iterable[DataFile]) -> None:
        """Removes files from the folder."""
        for file in files:
            self.store.remove(f"{self.name}/{file.path}")

    def say_complete(self, folder: str) -> None:
        """Leaves the empty file that says of a partition that it is complete."""
        name = self._success(folder)
        if not self.store.exists(name):
            self.store.write(name, b"")

    def is_complete(self, folder: str) -> bool:
        """Whether a partition has been said to be complete."""
        return self.store.exists(self._success(folder))

    def say_open(self, folder: str) -> None:
        """Takes back that a partition is complete."""
        self.store.remove(self._success(folder))

    def _success(self, folder: str) -> str:
        return f"{self.name}/{folder}/{SUCCESS}" if folder else f"{self.name}/{SUCCESS}"

    def check_new(self, suffix: str) -> None:
        """Refuses a folder with files like kappa's own that no ledger tells of.

        Raises:
            SinkError: naming one.
        """
        for name in self.store.names(self.name):
            last = name.rpartition("/")[2]
            if last.startswith(PREFIX) and last.endswith(suffix):
                raise SinkError(
                    f"{self.where} holds {name}, and its ledger {self.store.where(self.control)} is"
                    " gone: rows would be there twice. Restore the ledger, or give an empty folder",
                    path=self.where,
                )
