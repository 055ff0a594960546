"""Whole partitions replaced in one step, so that a reader sees the old or the new one.

    staged files ─► next/<n>/date=…/   whole new folders, built where no one looks
    replacing.json                     the intent: from here on it will happen, whoever does it
    date=…/  ◄─exchange─►  next/…      each folder by one rename of the file system
    the ledger's commit                files, floors, mark
    kept/<n>/date=…/                   the old folders, for a while

Invariants:

- Before the intent is there nothing has changed; after it, `settle` finishes what it says,
  again and again until it is done, in whichever process looks first.
- Only files up to LSN L are replaced; files of later LSNs stay. The ledger keeps L as the
  floor of each partition, at or below which nothing is added any more.
- A partition whose files are what they were is not touched: the same backfill again
  changes no byte.
- A file that is gone, or not what was written, is made again.
- A file in a touched folder that is not kappa's is never removed: the backfill says so and
  stops.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import asdict, dataclass
from typing import Any
from zlib import crc32

from kappa.connect.tables.ledger import Commit, DataFile, State
from kappa.connect.tables.table import PREFIX, SUCCESS, Table
from kappa.errors import SinkError
from kappa.sinks import Change, Mark

FORMAT = 1
KEPT_GENERATIONS = 3
"""Replaced generations that are kept, besides the one in view."""

Rows = Callable[[bytes], list[Any]]


@dataclass(frozen=True, slots=True)
class Generation:
    """What a backfill has made of one table.

    Args:
        owner: whose staged files they are.
        files: all of them, of every partition of the range.
        folders: existing partitions of the range that may be replaced, and those of `files`.
        lsn: L, the last LSN that they rest on.
        complete: the partitions that get a `_SUCCESS`.
        times: names of the parts of the path that are units of event time.
        columns: of the files, if the format has any.
    """

    owner: str
    files: Sequence[DataFile]
    folders: Sequence[str]
    lsn: int
    complete: frozenset[str]
    times: tuple[str, ...] = ()
    columns: Sequence[Any] = ()


def replace_partitions(
    table: Table,
    made: Generation,
    mark: Mark,
    *,
    suffix: str,
    rows: Rows,
    generations: int = KEPT_GENERATIONS,
) -> list[Change]:
    """Makes a generation what the table shows; the same again changes nothing.

    Args:
        table: that is changed; the caller holds it against other writers.
        made: the new partitions.
        mark: what the ledger keeps of the owner.
        suffix: of the table's files.
        rows: reads the rows of a file.
        generations: that were replaced, to keep.

    Raises:
        SinkError: somebody else has put a file into one of the partitions.
    """
    state = settle(table)
    changes: list[Change] = []
    replaced: dict[str, list[DataFile]] = {}
    gone: list[DataFile] = []
    for folder in made.folders:
        new = [file for file in made.files if file.folder == folder]
        old = [file for file in state.of_folder(folder) if file.last <= made.lsn]
        check_own(table, folder, suffix)
        if _same(new, old) and all(map(table.is_whole, old)):
            changes.append(Change(folder, same=sum(file.rows for file in old)))
            continue
        changes.append(_compared(table, made.owner, folder, old, new, rows))
        replaced[folder] = new
        gone += old
    floors = dict.fromkeys(made.folders, made.lsn)
    added = tuple(file for files in replaced.values() for file in files)
    paths = {file.path for file in added}
    removed = tuple(file.path for file in gone if file.path not in paths)
    commit = Commit("replace", mark, added, removed, floors, made.times, made.columns)
    if replaced:
        wanted = {}
        for folder, files in replaced.items():
            later = [file for file in state.of_folder(folder) if file.last > made.lsn]
            wanted[folder] = {
                **{file.path: table.staged(made.owner, file) for file in files},
                **{file.path: f"{table.name}/{file.path}" for file in later},
            }
        whole = {folder for folder in made.complete if replaced.get(folder)}
        show(table, state.number, commit, wanted, whole)
        forget(table, generations)
    elif state.marks.get(mark.owner) != mark or any(
        state.floors.get(folder, 0) < made.lsn for folder in floors
    ):
        table.ledger.commit(lambda state: commit)
    return changes


def _same(new: Sequence[DataFile], old: Sequence[DataFile]) -> bool:
    def facts(files: Sequence[DataFile]) -> list[tuple[str, int, int]]:
        return sorted((file.path, file.bytes, file.crc) for file in files)

    return facts(new) == facts(old)


def check_own(table: Table, folder: str, suffix: str) -> None:
    """Refuses a partition with files that no writer of kappa's can have made.

    Raises:
        SinkError: naming one.
    """
    own = re.compile(rf"{re.escape(PREFIX)}\d{{12}}(-\d+)?-[0-9a-f]{{8}}{re.escape(suffix)}")
    for name in table.store.names(_in(table.name, folder)):
        if "/" in name or name == SUCCESS or own.fullmatch(name):
            continue
        where = table.store.where(f"{_in(table.name, folder)}/{name}")
        raise SinkError(
            f"{where} was not written by kappa, and replacing its partition would remove it:"
            " move it out of the table, then run the backfill again",
            path=where,
        )


def _compared(
    table: Table,
    owner: str,
    folder: str,
    old: Sequence[DataFile],
    new: Sequence[DataFile],
    rows: Rows,
) -> Change:
    there = [file for file in old if table.is_whole(file)]  # of others nothing is known
    return compared(
        folder,
        (rows(table.store.read(f"{table.name}/{file.path}")) for file in there),
        (rows(table.store.read(table.staged(owner, file))) for file in new),
    )


def compared(folder: str, old: Iterable[list[Any]], new: Iterable[list[Any]]) -> Change:
    """What is different between the rows of a partition's files before and after."""
    before, after = _counted(old), _counted(new)
    equal = {text: min(count, len(after[text])) for text, count in _lengths(before).items()
             if text in after}  # fmt: skip
    return Change(
        folder,
        before=_left(before, equal),
        after=_left(after, equal),
        same=sum(equal.values()),
    )


def _counted(files: Iterable[list[Any]]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for rows in files:
        for row in rows:
            found.setdefault(json.dumps(row, sort_keys=True, default=str), []).append(row)
    return found


def _lengths(rows: Mapping[str, Sequence[Any]]) -> Counter[str]:
    return Counter({text: len(same) for text, same in rows.items()})


def _left(rows: Mapping[str, Sequence[Any]], equal: Mapping[str, int]) -> list[Any]:
    return [row for text, same in rows.items() for row in same[equal.get(text, 0) :]]


# The swap.


def show(
    table: Table,
    number: int,
    commit: Commit,
    folders: Mapping[str, Mapping[str, str]],
    complete: Set[str],
) -> State:
    """Puts other files into some folders, all in one step for readers of the ledger.

    Args:
        table: that is changed; the caller holds it against other writers.
        number: of its newest commit.
        commit: what the ledger is told.
        folders: the whole new content of each: path in the table, and where to copy it from.
        complete: folders that get a `_SUCCESS`.
    """
    store, root = table.store, _next(table, number)
    for name in store.names(f"{table.control}/next"):
        store.remove(f"{table.control}/next/{name}")  # of an attempt that no intent speaks of
    for folder, files in folders.items():
        for path, source in files.items():
            store.copy(source, f"{root}/{path}")
        if folder in complete:
            store.write(f"{_in(root, folder)}/{SUCCESS}", b"")
    _intend(table, number, commit, folders)
    return settle(table)


def _next(table: Table, number: int) -> str:
    return f"{table.control}/next/{number:010}"


def _intent(table: Table) -> str:
    return f"{table.control}/replacing.json"


def _intend(table: Table, number: int, commit: Commit, folders: Iterable[str]) -> None:
    content = {
        "format": FORMAT,
        "number": number,
        "commit": asdict(commit),
        "folders": {
            folder: _listing(table, f"{_next(table, number)}", folder) for folder in folders
        },
    }
    table.store.write(_intent(table), json.dumps(content, indent=1, sort_keys=True).encode())


def _listing(table: Table, root: str, folder: str) -> dict[str, list[int]]:
    """What lies in a folder: size and CRC of each file by its name."""
    where = _in(root, folder)
    found = {}
    for name in table.store.names(where):
        if "/" not in name:
            data = table.store.read(f"{where}/{name}")
            found[name] = [len(data), crc32(data)]
    return found


def settle(table: Table) -> State:
    """Finishes a replacement that was intended; the table's state.

    Cost: one look for a file if there is none.
    """
    store = table.store
    if not store.exists(_intent(table)):
        return table.ledger.refresh()
    content = _read(table)
    number = content["number"]
    for folder, wanted in sorted(content["folders"].items()):
        if _listing(table, table.name, folder) != wanted:
            store.swap(_in(_next(table, number), folder), _in(table.name, folder))
    commit = _commit(content["commit"])
    state = table.ledger.commit(lambda state: None if state.number > number else commit)
    for folder in sorted(content["folders"]):
        store.set_aside(_in(_next(table, number), folder), _in(_kept(table, number), folder))
    store.remove(_intent(table))
    return state


def _read(table: Table) -> dict[str, Any]:
    where = table.store.where(_intent(table))
    try:
        content = json.loads(table.store.read(_intent(table)))
        if content["format"] != FORMAT:
            raise ValueError(f"its format is {content['format']!r}")
        for folder in content["folders"]:
            if {"..", "."} & set(folder.split("/")) or folder.startswith("/"):
                raise ValueError(f"{folder!r} is not a folder of the table")
    except (KeyError, TypeError, ValueError) as error:
        raise SinkError(
            f"{where} does not read back ({error}): a replacement was cut off there. Restore it,"
            " or remove it and run the backfill again",
            path=where,
        ) from error
    return dict(content)


def _commit(content: Mapping[str, Any]) -> Commit:
    return Commit(
        content["kind"],
        Mark(**content["mark"]),
        tuple(DataFile(**file) for file in content["add"]),
        tuple(content["remove"]),
        dict(content["floors"]),
        tuple(content["times"]),
        content.get("columns", ()),
    )


def _kept(table: Table, number: int) -> str:
    return f"{table.control}/kept/{number:010}"


def forget(table: Table, generations: int) -> int:
    """Removes what was replaced long ago, but for the newest generations; how many files."""
    root = f"{table.control}/kept"
    names = table.store.names(root)
    numbers = sorted({name.partition("/")[0] for name in names})
    old = set(numbers[: max(0, len(numbers) - generations)])
    gone = [name for name in names if name.partition("/")[0] in old]
    for name in gone:
        table.store.remove(f"{root}/{name}")
    return len(gone)


def _in(root: str, folder: str) -> str:
    return f"{root}/{folder}" if folder else root
