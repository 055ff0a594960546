"""Rows into the files of a table, exactly once: the sink that every format shares.

The walk of a row: its folder (`partitions`), the open file of that folder (`rolling`), the
bytes of a closed file (`formats`), staged at once where no one sees it, in place once a
checkpoint is durable (`table`), and in the ledger.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar

from kappa.batch import Batch
from kappa.connect.tables.formats import Format
from kappa.connect.tables.generations import told_again
from kappa.connect.tables.ledger import Commit, DataFile, State
from kappa.connect.tables.partitions import ByField, ByTime, Folders, Partitioning
from kappa.connect.tables.replacing import (
    KEPT_GENERATIONS,
    Generation,
    check_own,
    replace_partitions,
    settle,
)
from kappa.connect.tables.rolling import ROWS, SIZE, Filling, Roll
from kappa.connect.tables.table import PREFIX, Table
from kappa.errors import ConfigError, SinkError
from kappa.sinks import (
    OVERWRITE,
    PLACE,
    WRITE,
    Change,
    Mark,
    Partition,
    Sink,
    SinkContext,
    SinkInstance,
)
from kappa.time import MINUS_INFINITY, PLUS_INFINITY, Duration, duration_ms, shift

Part = str | ByTime | ByField
LATE_DELAY = "1m"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSink(Sink):
    """What the sinks that write files have in common; a subclass adds the format.

    Args:
        path: the folder; "{version}" in it becomes the number of the version that writes.
        by: how rows are dealt to folders: "year", "month", "date", "hour" of their event
            time, or fields; one or several, from the outside in.
        zone: the time zone of these units.
        rows, size, every: when a file is closed; see `Roll`.
        delay: a partition is complete once the watermark has passed its end by this much.
        late_delay: what comes for a partition that is complete goes into files of its own,
            each closed once the watermark has moved on by this much.
        success: a complete partition gets an empty file `_SUCCESS`.
        generations: how many replacements by backfills can be taken back; older files are
            removed at the next one.
    """

    path: str | os.PathLike[str] = field(kw_only=False, metadata=PLACE)
    by: Part | tuple[Part, ...] = ()
    zone: str = "UTC"
    rows: int = ROWS
    size: int | str = SIZE
    every: Duration | None = None
    delay: Duration = 0
    late_delay: Duration = LATE_DELAY
    success: bool = False
    generations: int = field(default=KEPT_GENERATIONS, metadata=PLACE)

    kind: ClassVar[str] = "table"

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", os.fspath(self.path))
        by = (self.by,) if isinstance(self.by, str | ByTime | ByField) else tuple(self.by)
        object.__setattr__(self, "by", by)
        _ = self.partitioning, self.roll, self.format()
        for name in ("delay", "late_delay"):
            duration_ms(getattr(self, name), name=name, minimum=0)
        if self.generations < 0:
            raise ConfigError(f"generations is {self.generations}: give a number from 0 on")

    @property
    def partitioning(self) -> Partitioning:
        """How rows are dealt to folders."""
        by = self.by if isinstance(self.by, tuple) else (self.by,)
        return Partitioning.of(*by, zone=self.zone)

    @property
    def roll(self) -> Roll:
        """When a file is closed."""
        return Roll(self.rows, self.size, self.every)

    @property
    def target(self) -> str:
        """The folder."""
        return str(self.path)

    @property
    def label(self) -> str:
        """The folder's own name."""
        return str(self.path).rstrip("/").rpartition("/")[2]

    def partition_of(self, time: int) -> Partition | None:
        by = self.partitioning
        span = by.span_of(time)
        if span is None:
            return None
        texts = by.texts_of(span[0])
        parts = [f"{part.name}={texts[part.unit]}" for part in by.parts if isinstance(part, ByTime)]
        return Partition("/".join(parts), *span)

    def format(self) -> Format:
        """What the files are."""
        raise NotImplementedError

    def open(self, context: SinkContext) -> SinkInstance:
        return TableSinkInstance(self, context)

    def describe(self) -> str:
        parts = self.partitioning.parts
        dealt = " by " + "/".join(part.name for part in parts) if parts else ""
        return f"files{dealt} in {self.path}, visible at the checkpoint after one is closed"


class TableSinkInstance(SinkInstance):
    """An opened table."""

    def __init__(self, sink: TableSink, context: SinkContext) -> None:
        self.context = context
        version = str(context.target) if context.target else context.owner.rpartition("@")[2]
        self.table = Table(str(sink.path).replace("{version}", version))
        self.format = sink.format().informed(context.schema)
        self.time_names = frozenset(sink.partitioning.time_names)
        self.folders = Folders(sink.partitioning)
        self.filling = Filling(self.format, sink.roll, context.state, PREFIX)
        self.delay = duration_ms(sink.delay, name="delay")
        self.late_delay = duration_ms(sink.late_delay, name="late_delay")
        self.success = sink.success
        self.generations = sink.generations
        self.due = context.state.keyed("due")
        self.facts = context.state.keyed("watermark")
        self.watermark: int = self.facts.get("watermark") or MINUS_INFINITY
        self.lsn = 0
        self.next_due = min((due for _, due in self.due.items()), default=PLUS_INFINITY)
        self.staged: list[DataFile] = []
        self.complete: list[str] = []
        self.covered = 0
        self.swept = False
        self.partitioning = sink.partitioning
        self.overwrites = context.mode == OVERWRITE
        self.made = context.state.keyed("made")
        self.shared = False
        self.changed: list[Change] = []

    # -- rows ----------------------------------------------------------------------------

    def write(self, lsn: int, append_time: int, batch: Batch) -> None:
        self.lsn = lsn
        self._check_names(batch)
        for folder, end, part in self.folders.of(batch):
            if self.due.get(folder) is None:
                self._expect(folder, end)
            for file, data in self.filling.write(folder, lsn, append_time, part):
                self._stage(file, data)

    def _expect(self, folder: str, end: int) -> None:
        due = PLUS_INFINITY if end == PLUS_INFINITY else shift(end - 1, self.delay)
        if due <= self.watermark:
            due = shift(self.watermark, self.late_delay)
        self.due.put(folder, due)
        self.next_due = min(self.next_due, due)

    def _check_names(self, batch: Batch) -> None:
        names = batch.names
        if self.time_names and names is not None:
            twice = self.time_names.intersection(names)
            if twice:
                name = min(twice)
                raise SinkError(
                    f"{self.table.where}: the rows have a field {name!r}, and so has the path:"
                    f' call the folder otherwise, ByTime("{name}", name="event_{name}")',
                    step=self.context.step,
                    field=name,
                )

    def advance(self, lsn: int, append_time: int, watermark: int) -> None:
        self.lsn = lsn
        for folder in self.filling.old(append_time):
            self._close(folder)
        self.watermark = watermark
        if self.next_due <= watermark:
            self._complete(watermark)

    def cut(self, lsn: int, since: int, until: int) -> None:
        self.lsn = lsn
        for folder in sorted(self.filling.files):
            file = self.filling.files[folder]
            if file.max_time >= since and file.min_time < until:
                self._close(folder)

    def _complete(self, watermark: int) -> None:
        ended = sorted(folder for folder, due in self.due.items() if due <= watermark)
        for folder in ended:
            self.due.delete(folder)
            self._close(folder)
            self.filling.forget(folder)
            self.complete.append(folder)
        self.next_due = min((due for _, due in self.due.items()), default=PLUS_INFINITY)

    def _close(self, folder: str) -> None:
        if folder in self.filling.files:
            self._stage(*self.filling.close(folder))

    def _stage(self, file: DataFile, data: bytes) -> None:
        if self.lsn > self.covered:  # else it is visible already
            self.table.stage(self.context.owner, file, data)
            self.staged.append(file)
            if self.overwrites:
                self.made.put(file.path, asdict(file))

    # -- checkpoints ---------------------------------------------------------------------

    def mark(self) -> Mark | None:
        state = settle(self.table)
        owner = state.writer if self.context.mode == WRITE else self.context.owner
        mark = state.marks.get(owner)
        if mark is None and not state.number:
            self.table.check_new(self.format.suffix)
        if mark is not None and mark.owner == self.context.owner and not self.overwrites:
            self.covered = mark.lsn
        if mark is None and state.files and not self.overwrites:
            self._take_over(state)
        self._bind()
        return mark

    def _bind(self) -> None:
        self.filling.bind(self.table.ledger.state.columns)

    def _check_columns(self, state: State, columns: Sequence[Any]) -> None:
        """Refuses files that were made before another writer fixed the table's columns."""
        if columns and state.columns and list(columns) != list(state.columns):
            raise SinkError(
                f"{self.table.where}: {state.writer or 'a backfill'} has written the table's first"
                " file meanwhile, with other columns: run it anew, or give both schema=",
                step=self.context.step,
            )

    def prepare(self) -> Any:
        self.filling.save(self.lsn)
        self.facts.put("watermark", self.watermark)
        return self._taken()

    def finish(self, lsn: int, append_time: int, batch: Batch | None) -> Any:
        self.covered = -1  # what closing gave carries the LSN that came last
        if batch is not None:
            self.write(lsn, append_time, batch)
        for folder in sorted(self.filling.files):
            self._close(folder)
        if self.overwrites:
            return self._generation()
        self.complete += sorted(folder for folder, _ in self.due.items())
        self.staged = [replace(file, closing=True) for file in self.staged]
        return self._taken()

    def _generation(self) -> dict[str, Any]:
        """All that an overwrite has made, less what it leaves to a live run."""
        early = {file.path for file in self.staged}
        files = [DataFile(**file) for _, file in self.made.items()]
        files = [replace(file, closing=file.path in early) for file in files]
        self.staged = []
        return {
            "files": [asdict(file) for file in sorted(files, key=_path)],
            "columns": list(self.filling.format.columns),
            "replace": True,
        }

    def _taken(self) -> dict[str, Any]:
        taken = {
            "files": [asdict(file) for file in self.staged],
            "columns": list(self.filling.format.columns),
            "complete": self.complete if self.success else [],
        }
        self.staged, self.complete = [], []
        return taken

    def check(self, staged: Any) -> None:
        if self.overwrites and staged.get("replace"):
            files = [DataFile(**file) for file in staged["files"]]
            state = settle(self.table)
            self._check_columns(state, staged.get("columns", ()))
            touched = self._touched(state, files)
            for folder in sorted({*touched, *self._lying()}):
                check_own(self.table, folder, self.format.suffix)

    def commit(self, staged: Any, mark: Mark) -> None:
        files = [DataFile(**file) for file in staged["files"]]
        if self.overwrites:
            if staged.get("replace"):
                self._replace(files, staged.get("columns", ()), mark)
            return
        state = settle(self.table)
        self._check_columns(state, staged.get("columns", ()))
        if not state.number:  # a file in place that no ledger knows would look like another's
            begun = replace(mark, lsn=0, chain_crc=0, closed=False)
            first = Commit("begin", begun, times=self.partitioning.time_names)
            self.table.ledger.commit(lambda now: None if now.number else first)
        files = [file for file in files if not floored(state, file)]
        self.table.place(self.context.owner, files)
        self.table.ledger.commit(lambda state: added(state, files, mark, staged.get("columns", ())))
        for folder in staged["complete"]:
            self.table.say_complete(folder)
        if not self.swept:
            self.table.sweep(self.context.owner, but=self.staged)
            self.swept = True

    # -- taking back ---------------------------------------------------------------------

    def _replace(self, files: list[DataFile], columns: Sequence[Any], mark: Mark) -> None:
        folders = self._touched(settle(self.table), files)
        left = [name for name, time in folders.items() if self.shared and self._is_open(time)]
        kept = sorted(set(folders).difference(left))
        made = Generation(
            self.context.owner,
            [file for file in files if file.folder in kept],
            kept,
            self.context.end_lsn,
            frozenset(kept if self.success else ()),
            self.partitioning.time_names,
            columns,
        )
        changes = replace_partitions(
            self.table,
            made,
            mark,
            suffix=self.format.suffix,
            rows=self.format.rows,
            generations=self.generations,
        )
        if not any(change.before or change.after for change in changes):
            changes = told_again(self.table, mark, self.format.rows, changes)
        why = "still open: it is the live run's"
        self.changed = changes + [Change(name, left=why) for name in sorted(left)]
        self.table.sweep(self.context.owner)

    def _touched(self, state: State, files: Sequence[DataFile]) -> dict[str, int]:
        """The partitions of the range that have rows, or had, each with one's event time."""
        folders = {file.folder: file.min_time for file in files}
        for file in state.files.values():
            if self.context.since <= file.min_time < self.context.until:
                folders[file.folder] = file.min_time
        return folders

    def _lying(self) -> set[str]:
        """The folders of the range that are there, whoever made them."""
        names = self.table.store.names(self.table.name)
        times = {
            folder: self.partitioning.time_of(folder)
            for folder in {name.rpartition("/")[0] for name in names}
        }
        return {
            folder
            for folder, time in times.items()
            if time is not None and self.context.since <= time < self.context.until
        }

    def _is_open(self, time: int) -> bool:
        span = self.partitioning.span_of(time)
        return span is None or shift(span[1] - 1, self.delay) > self.watermark

    def writer(self) -> str:
        return self.table.ledger.refresh().writer

    def share(self) -> None:
        self.shared = True

    def changes(self) -> list[Change]:
        return self.changed

    def discard(self) -> None:
        self._take_back("discard", lambda file: True)
        self._bind()
        self.covered = 0

    def reopen(self) -> None:
        state = self.table.ledger.refresh()
        for file in state.files.values():
            if file.closing and file.folder in state.floors:
                raise SinkError(
                    f"{self.table.where}: {file.folder} was backfilled after its windows had been"
                    " closed, so a live run cannot go on from before: replay into a new version",
                    step=self.context.step,
                )
        self._take_back("reopen", lambda file: file.closing)
        self._bind()
        for folder, _ in self.due.items():
            self.table.say_open(folder)

    def _take_over(self, state: State) -> None:
        """Begins where only backfills have written: what they had closed early comes again."""
        early = {file.folder for file in state.files.values() if file.closing}
        files = [file for file in state.files.values() if file.folder in early]
        if not files or state.writer:
            return
        self.table.remove(files)
        for folder in early:
            self.table.say_open(folder)
        (mark, *_) = state.marks.values()
        gone = tuple(file.path for file in files)
        floors = dict.fromkeys(early, 0)
        self.table.ledger.commit(lambda state: Commit("reopen", mark, (), gone, floors))

    def _take_back(self, kind: str, which: Any) -> None:
        state = self.table.ledger.refresh()
        files = [file for file in state.files.values() if which(file)]
        self.table.remove(files)
        if kind == "discard":
            for folder in {file.folder for file in files}:
                self.table.say_open(folder)
        mark = state.marks[state.writer]
        gone = tuple(file.path for file in files)
        self.table.ledger.commit(
            lambda state: Commit(kind, replace(mark, closed=False), remove=gone)
        )


def floored(state: State, file: DataFile) -> bool:
    """Whether a backfill has written the rows of a file already."""
    return file.last <= state.floors.get(file.folder, -1)


def _path(file: DataFile) -> str:
    return file.path


def added(state: State, files: list[DataFile], mark: Mark, columns: Sequence[Any]) -> Commit | None:
    """The commit that adds files; None if nothing is new."""
    files = [file for file in files if not floored(state, file)]
    new = tuple(file for file in files if state.files.get(file.path) != file)
    known = state.marks.get(mark.owner)
    same = known is not None and (known.made, known.closed) == (mark.made, mark.closed)
    if not new and same and state.writer == mark.owner:
        return None
    return Commit("add", mark, add=new, columns=columns if new else ())
