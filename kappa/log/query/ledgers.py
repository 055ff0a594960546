"""What the ledger of a table shows: the files of its newest commit, wherever they lie.

A table of kappa's is a folder with a ledger beside it, `.name.kappa/`: numbered commits, and
now and then a snapshot of all before it. Reading needs no more than the paths in them. A file
that a replacement has taken out of the folder lies below `next/` while the swap goes on, and
below `kept/` for a while after it; its name carries its content, so it is the same file.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from kappa.errors import SourceError
from kappa.log.query.places import Place

_COMMIT = re.compile(r"(\d{10})\.json")
_SNAPSHOT = re.compile(r"(\d{10})\.snapshot\.json")
_OLD = ".old"
"""What an object store puts old files under while a swap goes on, behind the folder's name."""


@dataclass(frozen=True)
class Shown:
    """The files of a table at one commit.

    Args:
        number: of the commit.
        files: where they lie now, as names in the place.
    """

    number: int
    files: tuple[str, ...]


def shown(place: Place, name: str) -> Shown | None:
    """What the ledger of a folder shows; None if it has no ledger.

    Args:
        place: the folder above.
        name: of the folder in it.

    Raises:
        SourceError: the ledger is damaged, or a file that it names is gone.
    """
    control = f".{name}.kappa"
    number, paths = _newest(place, control)
    for _ in range(10):  # again, if partitions are replaced while it looks
        if not number:
            return None
        found = _lying(place, name, control)
        lost = sorted(paths - found.keys())
        if not lost:
            return Shown(number, tuple(found[path] for path in sorted(paths)))
        before, (number, paths) = number, _newest(place, control)
        if before == number:
            where = place.where(f"{name}/{lost[0]}")
            raise SourceError(
                f"{where} is gone, and the table's ledger {place.where(control)} names it:"
                " restore it",
                path=where,
            )
    raise SourceError(f"{place.where(name)} is replaced all the time: ask again", retryable=True)


def _newest(place: Place, control: str) -> tuple[int, set[str]]:
    """The number of the newest commit, and the paths after it; 0 if there is none."""
    names = place.names(control, below=False)
    snapshots = [int(match[1]) for name in names if (match := _SNAPSHOT.fullmatch(name))]
    number = max(snapshots, default=0)
    paths: set[str] = set()
    if number:
        files = _read(place, f"{control}/{number:010}.snapshot.json")["files"]
        paths = {file["path"] for file in files}
    later = sorted(int(match[1]) for name in names if (match := _COMMIT.fullmatch(name)))
    for commit in later:
        if commit > number:
            content = _read(place, f"{control}/{commit:010}.json")
            paths.difference_update(content["remove"])
            paths.update(file["path"] for file in content["add"])
            number = commit
    return number, paths


def _read(place: Place, name: str) -> dict[str, Any]:
    try:
        content = dict(json.loads(place.read(name)))
        named = [one["path"] for one in (*content.get("files", ()), *content.get("add", ()))]
        if content["format"] != 1 or any({"", ".."} & set(path.split("/")) for path in named):
            raise ValueError("it is of another release, or names what is no part of the table")
        return {"remove": [], "add": [], **content}
    except (KeyError, TypeError, ValueError) as error:
        where = place.where(name)
        raise SourceError(f"{where} does not read back: {error}", path=where) from error


def _lying(place: Place, name: str, control: str) -> dict[str, str]:
    """Where each file of the table is now, by its path.

    A file moves from the folder to `next/` and on to `kept/`: looked at in this order, none
    is missed.
    """
    found = {path: f"{name}/{path}" for path in place.names(name)}
    for aside in (f"{control}/next", f"{control}/kept"):
        for one in place.names(aside):
            path = one.partition("/")[2]
            folder, sign, last = path.rpartition("/")
            found.setdefault(path, f"{aside}/{one}")
            found.setdefault(f"{folder.removesuffix(_OLD)}{sign}{last}", f"{aside}/{one}")
    return found
