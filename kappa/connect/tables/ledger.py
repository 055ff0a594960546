"""What a table holds: a ledger of commits beside its folder, which kappa's readers follow.

    delays/date=2013-03-01/part-000000000123-5d41402a.parquet    the rows, for any reader
    .delays.kappa/0000000042.json                        one commit: files added and removed
    .delays.kappa/0000000100.snapshot.json               all commits up to that one, together
    .delays.kappa/staged/<owner>/...                     files that no one sees yet
    .delays.kappa/kept/...                               files of generations that were replaced

A commit exists once its file does, and its number is one more than the one before. Of two
writers that try the same number one succeeds; the other reads what the first wrote and
decides anew. So a change of any number of partitions is one step.

Everything is JSON, read back field by field; a path in it that leaves the table's folder
is damage.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from kappa.connect.tables.stores import Store
from kappa.errors import SinkError
from kappa.sinks import Mark

FORMAT = 1
SNAPSHOT_EVERY = 100
MAX_TRIES = 100
_COMMIT = re.compile(r"(\d{10})\.json")
_SNAPSHOT = re.compile(r"(\d{10})\.snapshot\.json")


@dataclass(frozen=True, slots=True)
class DataFile:
    """One file of a table.

    Args:
        path: relative to the table's folder.
        folder: of its partition, "date=2013-03-01/hour=05"; "" without partitions.
        rows, bytes: how much is in it.
        first, last: the LSNs of its first and last rows.
        min_time, max_time: the event times of its rows, ms.
        crc: CRC-32 of its bytes.
        closing: it became visible only because all windows were closed.
    """

    path: str
    folder: str
    rows: int
    bytes: int
    first: int
    last: int
    min_time: int
    max_time: int
    crc: int
    closing: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """A table after a commit.

    Args:
        number: of the commit; 0 before the first.
        files: by path.
        marks: by owner.
        writer: the owner whose rows are added to the table; "" if none is.
        floors: LSN by partition through which a backfill has written all there is.
        times: names of the parts of the path that are units of event time, and no fields.
        columns: that all files have, if their format has any, as `Columns.plain` gives them.
    """

    number: int = 0
    files: Mapping[str, DataFile] = field(default_factory=dict)
    marks: Mapping[str, Mark] = field(default_factory=dict)
    writer: str = ""
    floors: Mapping[str, int] = field(default_factory=dict)
    times: tuple[str, ...] = ()
    columns: Sequence[Any] = ()

    def of_folder(self, folder: str) -> list[DataFile]:
        """The files of one partition, by path."""
        return [self.files[path] for path in sorted(self.files) if _in(self.files[path], folder)]


@dataclass(frozen=True, slots=True)
class Commit:
    """One step of a table.

    Args:
        kind: "begin", "add", "replace", "reopen", "discard" or "rollback"; for people.
        mark: how far its owner has come.
        add: files that are in the table from now on.
        remove: paths that are not.
        floors: see `State`; of the partitions that it replaces.
        times: see `State`; said by the commits that may be a table's first.
        columns: see `State`; those of the files that it adds.
    """

    kind: str
    mark: Mark
    add: tuple[DataFile, ...] = ()
    remove: tuple[str, ...] = ()
    floors: Mapping[str, int] = field(default_factory=dict)
    times: tuple[str, ...] = ()
    columns: Sequence[Any] = ()


class Ledger:
    """The commits of one table.

    Args:
        store: that holds the table.
        folder: of the control files, in the store.
    """

    def __init__(self, store: Store, folder: str) -> None:
        self.store = store
        self.folder = folder
        self.state = State()

    def refresh(self) -> State:
        """Reads what was committed since."""
        names = self.store.names(self.folder, below=False)
        snapshots = [int(match[1]) for name in names if (match := _SNAPSHOT.fullmatch(name))]
        commits = sorted(int(match[1]) for name in names if (match := _COMMIT.fullmatch(name)))
        newest = max(snapshots, default=0)
        state = self.state
        if newest > state.number:
            state = self._snapshot(newest)
        for number in commits:
            if number == state.number + 1:
                state = apply(state, self._commit(number))
        if commits and commits[-1] > state.number:
            missing = FileNotFoundError("a commit before the newest is missing")
            raise self._damaged(f"{state.number + 1:010}.json", missing)
        self.state = state
        return state

    def commit(self, decide: Callable[[State], Commit | None]) -> State:
        """Adds the commit that `decide` makes of the newest state; again if another came first.

        Args:
            decide: gets the state; returns None if there is nothing to do.
        """
        for _ in range(MAX_TRIES):
            state = self.refresh()
            wanted = decide(state)
            if wanted is None:
                return state
            number = state.number + 1
            content = {"format": FORMAT, "number": number, **asdict(wanted)}
            if self.store.create(f"{self.folder}/{number:010}.json", _encode(content)):
                self.state = apply(state, wanted)
                if number % SNAPSHOT_EVERY == 0:
                    self._write_snapshot(self.state)
                return self.state
        raise SinkError(
            f"{self.store.where(self.folder)}: {MAX_TRIES} times another writer was faster;"
            " how many are there?",
            retryable=True,
        )

    def history(self) -> Iterator[tuple[Commit, State]]:
        """Every commit, from the first, with the state after it."""
        last, state = self.refresh().number, State()
        for number in range(1, last + 1):
            commit = self._commit(number)
            state = apply(state, commit)
            yield commit, state

    def _write_snapshot(self, state: State) -> None:
        content = {
            "format": FORMAT,
            "number": state.number,
            "files": [asdict(file) for file in state.files.values()],
            "marks": [asdict(mark) for mark in state.marks.values()],
            "writer": state.writer,
            "floors": dict(state.floors),
            "times": list(state.times),
            "columns": list(state.columns),
        }
        self.store.write(f"{self.folder}/{state.number:010}.snapshot.json", _encode(content))

    def _snapshot(self, number: int) -> State:
        content = self._read(f"{number:010}.snapshot.json")
        try:
            files = [_file(one) for one in content["files"]]
            marks = [Mark(**one) for one in content["marks"]]
            return State(
                number,
                {file.path: file for file in files},
                {mark.owner: mark for mark in marks},
                content["writer"],
                {str(folder): int(lsn) for folder, lsn in content["floors"].items()},
                tuple(map(str, content["times"])),
                list(content.get("columns", ())),  # not told by early ledgers
            )
        except (KeyError, TypeError, ValueError) as error:
            raise self._damaged(f"{number:010}.snapshot.json", error) from error

    def _commit(self, number: int) -> Commit:
        content = self._read(f"{number:010}.json")
        try:
            return Commit(
                content["kind"],
                Mark(**content["mark"]),
                tuple(map(_file, content["add"])),
                tuple(map(str, content["remove"])),
                {str(folder): int(lsn) for folder, lsn in content["floors"].items()},
                tuple(map(str, content["times"])),
                list(content.get("columns", ())),  # not told by early ledgers
            )
        except (KeyError, TypeError, ValueError) as error:
            raise self._damaged(f"{number:010}.json", error) from error

    def _read(self, name: str) -> dict[str, Any]:
        try:
            content = json.loads(self.store.read(f"{self.folder}/{name}"))
            if content["format"] != FORMAT:
                raise ValueError(f"its format is {content['format']!r}: another release wrote it")
        except (FileNotFoundError, KeyError, TypeError, ValueError) as error:
            raise self._damaged(name, error) from error
        return dict(content)

    def _damaged(self, name: str, error: Exception) -> SinkError:
        where = self.store.where(f"{self.folder}/{name}")
        return SinkError(
            f"{where} does not read back ({type(error).__name__}: {error}): restore it, or write"
            " the table anew elsewhere",
            path=where,
        )


def apply(state: State, commit: Commit) -> State:
    """The state after one more commit."""
    gone = set(commit.remove)
    files = {path: file for path, file in state.files.items() if path not in gone}
    files.update((file.path, file) for file in commit.add)
    writer = commit.mark.owner if commit.kind == "add" else state.writer
    marks = {**state.marks, commit.mark.owner: commit.mark}
    floors = {} if commit.kind == "discard" else {**state.floors, **commit.floors}
    times = tuple(sorted({*state.times, *commit.times}))
    # A table whose rows were all taken back begins anew: its first file is another one.
    begins = commit.kind in ("discard", "reopen") and not files
    columns = commit.columns or (() if begins else state.columns)
    return State(state.number + 1, files, marks, writer, floors, times, columns)


def _file(content: Mapping[str, Any]) -> DataFile:
    file = DataFile(**content)
    parts = file.path.split("/")
    if not file.path.startswith(file.folder) or {"", "..", "."} & set(parts) or "\\" in file.path:
        raise ValueError(f"{file.path!r} is not a path in the table")
    return file


def _encode(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True).encode()


def _in(file: DataFile, folder: str) -> bool:
    return file.folder == folder


def folders_of(files: Iterable[DataFile]) -> list[str]:
    """The partitions that files belong to, sorted."""
    return sorted({file.folder for file in files})
