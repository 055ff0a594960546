"""What is to be read of a place: its files, and of tables those that their ledger shows.

Invariants:
- Of a table, the files of one commit are taken, wherever they lie by now: none that no
  commit has added, and no two generations of a partition.
- A table's files come by the time of their rows, whatever its folders are called; other
  files by name.
- A topic that holds rows of a file which has been replaced since takes no more of that
  table: they would be there twice.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kappa.connect.celltypes import CONVERTERS
from kappa.connect.places import (
    MAGIC,
    NothingThere,
    base_of,
    files_of,
    folder_fields,
    is_url,
    nothing_at,
)
from kappa.connect.sources import Reading
from kappa.connect.tables.ledger import DataFile, State
from kappa.connect.tables.table import Table
from kappa.errors import ConfigError, SourceError
from kappa.log import Log

_LOADED = re.compile(r"(.+):[0-9a-f]{8}(\|.*)?", re.DOTALL)


@dataclass(frozen=True)
class Listed:
    """One file to read.

    Args:
        name: where it is, as people and the log know it.
        told: the fields that its folders tell.
        table: that it belongs to, or None.
        path: in the table.
    """

    name: str
    told: Mapping[str, Any] = field(default_factory=dict)
    table: Shown | None = None
    path: str = ""

    def lies(self) -> str:
        """Where to read it: of a table, also where it lies since it was replaced.

        Raises:
            SourceError: it was replaced so long ago that it is gone.
        """
        return self.name if self.table is None else self.table.lies(self.path)


@dataclass(frozen=True)
class Shown:
    """A table at one commit.

    Args:
        root: its folder: a URL or a full path.
        table: the folder and its ledger.
        state: what the ledger said.
    """

    root: str
    table: Table
    state: State

    @property
    def files(self) -> list[DataFile]:
        """All its files, by the time of their rows."""
        return sorted(self.state.files.values(), key=lambda file: (file.min_time, file.path))

    def lies(self, path: str) -> str:
        """Where a file of this commit is now."""
        store, control = self.table.store, self.table.control
        if store.exists(f"{self.table.name}/{path}"):
            return f"{self.root}/{path}"
        for aside in ("next", "kept"):  # of a swap that goes on, or is done
            for found in sorted(store.names(f"{control}/{aside}")):
                # An object store puts the old files of a folder under `folder.old` meanwhile.
                if found.endswith(f"/{path}") or found.replace(".old/", "/").endswith(f"/{path}"):
                    return store.where(f"{control}/{aside}/{found}")
        raise SourceError(
            f"{self.root}/{path} is gone: lost, or replaced while the table was read. Restore"
            " it, or load the table as it is now into a new topic",
            path=f"{self.root}/{path}",
        )

    def check_loaded(self, log: Log, topic: str) -> None:
        """Refuses a topic that holds rows which the table has replaced since.

        Raises:
            SourceError: naming a file.
        """
        target = log.topic(topic)
        begin = f"load:{target.full_name}.{target.id}:file:"
        top = self.root if is_url(self.root) else str(Path(self.root).resolve())
        for name, producer in log.catalog.producers.items():
            if not name.startswith(f"{begin}{top}/") or producer.last is None:
                continue
            found = _LOADED.fullmatch(name.removeprefix(f"{begin}{top}/"))
            if found is not None and found[1] not in self.state.files:
                raise SourceError(
                    f"{topic} holds {found[1]} of the table {self.root}, which shows other rows in"
                    " its place now: load the table into a new topic",
                    path=f"{self.root}/{found[1]}",
                )


def listed(place: str | Path, reading: Reading) -> list[Listed]:
    """The files of a place, each once.

    Args:
        place: a file, a folder with all below it, or a pattern; a path or a URL.
        reading: whether folders tell fields, of which types, and which files are read.

    Raises:
        NothingThere: it has none.
        SourceError: it cannot be listed, or the ledger of a table is damaged.
    """
    text = str(place)
    try:
        found = files_of(place, every=reading.format is not None)
    except NothingThere:
        found = []
    if text == "-" or found == [text]:
        return [Listed(name, _told(name, text, reading)) for name in found]
    tables = [one for root in _roots(text, found) if (one := shown_at(root)) is not None]
    units = [(one.root, list(_of_table(one, text, reading))) for one in tables]
    for name in found:
        if not any(_full(name).startswith(f"{one.root}/") for one in tables):
            units.append((_full(name), [Listed(name, _told(name, text, reading))]))
    files = [one for _, unit in sorted(units, key=lambda unit: unit[0]) for one in unit]
    if not files:
        raise nothing_at(text)
    return files


def check_loaded(log: Log, topic: str, files: list[Listed]) -> None:
    """See `Shown.check_loaded`; of each table once."""
    for shown in {id(file.table): file.table for file in files}.values():
        if shown is not None:
            shown.check_loaded(log, topic)


def _full(name: str) -> str:
    return name if is_url(name) else os.path.abspath(name)  # noqa: PTH100  # links stay


def _roots(place: str, found: list[str]) -> list[str]:
    """Folders that may be tables: a place, those above it, and those of what was found."""
    base = _full(base_of(place))
    below = {one for name in found for one in _above(_full(name)) if one.startswith(f"{base}/")}
    if not is_url(base) and not _is_pattern(place):
        # While partitions are swapped, a table may show nothing where its files lie.
        for above, folders, _ in os.walk(base):
            hidden = [name for name in folders if name.startswith(".")]
            below.update(f"{above}/{one[1:-6]}" for one in hidden if one.endswith(".kappa"))
            folders[:] = [name for name in folders if not name.startswith(".")]
    return [base, *_above(base), *sorted(below)]


def _above(name: str) -> Iterator[str]:
    """The folders above a name, from the innermost."""
    scheme, sign, rest = name.rpartition("://")
    while "/" in rest.strip("/"):
        rest = rest.rpartition("/")[0]
        yield f"{scheme}{sign}{rest}"


def shown_at(root: str) -> Shown | None:
    """The table in a folder, given by its URL or full path; None if there is none."""
    above, _, last = root.rpartition("/")
    if not is_url(root) and not Path(f"{above}/.{last}.kappa").is_dir():
        return None
    try:
        table = Table(root)
    except ConfigError:
        return None  # the top of a bucket or of all folders, which holds no table
    state = table.ledger.refresh()
    return Shown(root, table, state) if state.number else None


def _of_table(shown: Shown, place: str, reading: Reading) -> Iterator[Listed]:
    full = _full(place).rstrip("/")
    pattern = _pattern(full) if _is_pattern(place) else None
    for file in shown.files:
        name = f"{shown.root}/{file.path}"
        if pattern.fullmatch(name) if pattern is not None else name.startswith(f"{full}/"):
            told = _told(name, shown.root, reading)
            told = {one: value for one, value in told.items() if one not in shown.state.times}
            known = name if is_url(place) or place.startswith("/") else os.path.relpath(name)
            yield Listed(known, told, shown, file.path)


def _told(name: str, root: str, reading: Reading) -> dict[str, Any]:
    """The fields that folders tell, as text, or of the types that the reading names."""
    if not reading.folders:
        return {}
    told: dict[str, Any] = dict(folder_fields(name, root))
    for one, kind in reading.types.types.items():
        if told.get(one) is not None:
            try:
                told[one] = CONVERTERS[kind](told[one])
            except ValueError:
                raise SourceError(
                    f"{name}: its folder says that {one} is {told[one]!r}, which is no {kind}",
                    path=name,
                ) from None
    return told


def _is_pattern(place: str) -> bool:
    return any(sign in place for sign in MAGIC) and (is_url(place) or not Path(place).exists())


def _pattern(place: str) -> re.Pattern[str]:
    """A pattern of paths as a regular expression: `**` is any folders, `*` within one."""
    known = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*/|\*\*|\*|\?|\[[^]]+\])", place)
    return re.compile(
        "".join(
            known.get(part)
            or (part.replace("[!", "[^", 1) if re.match(r"\[.", part) else re.escape(part))
            for part in parts
        )
    )
