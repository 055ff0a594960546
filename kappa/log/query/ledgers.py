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
from pathlib import Path
from typing import Any

from kappa.errors import SourceError

_COMMIT = re.compile(r"(\d{10})\.json")
_SNAPSHOT = re.compile(r"(\d{10})\.snapshot\.json")


@dataclass(frozen=True)
class Shown:
    """The files of a table at one commit.

    Args:
        number: of the commit.
        files: where they lie now.
    """

    number: int
    files: tuple[Path, ...]


def shown(folder: Path) -> Shown | None:
    """What the ledger of a folder shows; None if it has no ledger.

    Raises:
        SourceError: the ledger is damaged, or a file that it names is gone.
    """
    control = folder.absolute().parent / f".{folder.absolute().name}.kappa"
    if not control.is_dir():
        return None
    for _ in range(10):  # again, if partitions are replaced while it looks
        number, paths = _newest(control)
        found = {path: _lies(folder, control, path) for path in sorted(paths)}
        if None not in found.values():
            files = tuple(file for file in found.values() if file is not None)
            return Shown(number, files) if number else None
        if _newest(control)[0] == number:
            lost = next(path for path, file in found.items() if file is None)
            raise SourceError(
                f"{folder / lost} is gone, and the table's ledger {control} names it: restore it",
                path=str(folder / lost),
            )
    raise SourceError(f"{folder} is replaced all the time: ask again", retryable=True)


def _newest(control: Path) -> tuple[int, set[str]]:
    """The number of the newest commit, and the paths after it."""
    names = [path.name for path in control.iterdir()]
    snapshots = [int(match[1]) for name in names if (match := _SNAPSHOT.fullmatch(name))]
    number = max(snapshots, default=0)
    paths: set[str] = set()
    if number:
        files = _read(control / f"{number:010}.snapshot.json")["files"]
        paths = {file["path"] for file in files}
    later = sorted(int(match[1]) for name in names if (match := _COMMIT.fullmatch(name)))
    for commit in later:
        if commit > number:
            content = _read(control / f"{commit:010}.json")
            paths.difference_update(content["remove"])
            paths.update(file["path"] for file in content["add"])
            number = commit
    return number, paths


def _read(file: Path) -> dict[str, Any]:
    try:
        content = dict(json.loads(file.read_bytes()))
        named = [one["path"] for one in (*content.get("files", ()), *content.get("add", ()))]
        if content["format"] != 1 or any({"", ".."} & set(path.split("/")) for path in named):
            raise ValueError("it is of another release, or names what is no part of the table")
        return {"remove": [], "add": [], **content}
    except (KeyError, TypeError, ValueError) as error:
        raise SourceError(f"{file} does not read back: {error}", path=str(file)) from error


def _lies(folder: Path, control: Path, path: str) -> Path | None:
    if (folder / path).is_file():
        return folder / path
    for aside in ("next", "kept"):
        places = sorted(control.glob(f"{aside}/*"))
        for place in places:
            if (place / path).is_file():
                return place / path
    return None
