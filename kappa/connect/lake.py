"""A table of files as those see it who look after it: history, snapshots, the way back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from kappa.connect.listing import Shown, shown_at
from kappa.connect.places import is_url
from kappa.connect.tables.generations import Generation, generations, roll_back
from kappa.connect.tables.replacing import KEPT_GENERATIONS, forget, settle
from kappa.connect.tables.table import Table
from kappa.errors import ConfigError, SinkError
from kappa.log import Log
from kappa.sinks import lock_of

WAIT = "10m"
"""How long a change waits for a writer that makes its work visible."""

_NUMBERS = count()


class Lake:
    """A table that kappa wrote.

    Args:
        path: its folder, or the URL of one in an object store.

    Raises:
        ConfigError: there is no table.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        text = os.fspath(path)
        self._root = text.rstrip("/") if is_url(text) else os.path.abspath(text)  # noqa: PTH100
        self._shown()

    def _shown(self) -> Shown:
        shown = shown_at(self._root)
        if shown is None:
            raise ConfigError(f"{self._root} is no table that kappa wrote: it has no ledger")
        return shown

    @property
    def _table(self) -> Table:
        return Table(self._root)

    def files(self) -> list[str]:
        """Where the files of the newest commit lie now, by the time of their rows.

        One that is replaced later moves away; `snapshot` holds them.
        """
        shown = self._shown()
        return [shown.lies(file.path) for file in shown.files]

    @contextmanager
    def snapshot(self) -> Iterator[Path]:
        """A folder with the files of the newest commit, for any reader, while the block runs.

        It has the table's partitions, and stays as it is whatever is replaced meanwhile.

        Raises:
            ConfigError: the table is in an object store; read the places in `files()` there.

        Cost: a second name for each file, and no space.
        """
        if is_url(self._root):
            raise ConfigError(f"{self._root} is in an object store, where files have one name")
        table = self._table
        aside = f"{table.control}/read/{os.getpid()}.{next(_NUMBERS)}"
        try:
            self._link(table, aside)
            yield Path(table.store.where(aside))
        finally:
            for name in table.store.names(aside):
                table.store.remove(f"{aside}/{name}")

    def _link(self, table: Table, aside: str) -> None:
        shown = self._shown()
        root = Path(table.store.where())
        for file in shown.files:
            while True:
                at = shown.lies(file.path)
                try:
                    table.store.copy(str(Path(at).relative_to(root)), f"{aside}/{file.path}")
                    break
                except FileNotFoundError:
                    if shown.lies(file.path) == at:
                        raise  # else it was put aside between the look and the link

    def history(self) -> list[Generation]:
        """Every commit, from the first: what it did, and whether the table can go back to it."""
        return generations(self._table)

    def rollback(self, log: Log, number: int) -> Generation:
        """Makes the partitions that were replaced after a commit what they were at it.

        What was added beside them since stays. It can itself be taken back.

        Args:
            log: that the table's rows rest on; its writers are kept out meanwhile.
            number: of the commit, as `history` tells.

        Raises:
            SinkError: files of that time are gone, or rows were taken back since; or the table
                rests on another log.
            LogLocked: a writer holds the table.
        """
        with log.lock(lock_of(self._root, 0), timeout=WAIT):
            state = settle(self._table)
            marks = [mark for mark in state.marks.values() if mark.lsn]
            if any(m.lsn > log.end_lsn or log.chain_crc(m.lsn) != m.chain_crc for m in marks):
                raise SinkError(f"{self._root} rests on another log than this one", path=self._root)
            roll_back(self._table, number)
        return self.history()[-1]

    def collect(self, log: Log, *, keep: int = KEPT_GENERATIONS) -> int:
        """Removes files of replaced generations, and what readers that died have left.

        Args:
            log: as for `rollback`.
            keep: so many replacements can be taken back still.

        Returns:
            The number of files removed.
        """
        if keep < 0:
            raise ConfigError(f"keep is {keep}: give a number from 0 on")
        with log.lock(lock_of(self._root, 0), timeout=WAIT):
            table = self._table
            settle(table)
            for name in table.store.names(f"{table.control}/read"):
                if not _runs(int(name.partition(".")[0])):
                    table.store.remove(f"{table.control}/read/{name}")
            return forget(table, keep)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
