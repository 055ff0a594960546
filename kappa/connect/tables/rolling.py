"""Files that are being filled: when one is closed, and what a checkpoint keeps of the rest.

Laws: a file is closed by its rows, by the LSNs and append times in the log, or by the
watermark; never by a checkpoint, a batch or the wall clock. What is open is in the state:
after a restore the same rows lie in the same open files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

from kappa.batch import Batch
from kappa.connect.tables.formats import Format, Piece
from kappa.connect.tables.ledger import DataFile
from kappa.errors import ConfigError
from kappa.state import StepState
from kappa.time import Duration, duration_ms

ROWS = 1_000_000
SIZE = "128MB"
CHUNK = 4096
"""Rows after which the size is looked at, counted within an LSN."""

_UNITS = {"B": 1, "KB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000}


@dataclass(frozen=True, slots=True)
class Roll:
    """When a file is closed, besides the end of its partition; whatever comes first.

    Args:
        rows: at most so many in a file.
        size: the file to aim at, as bytes or text ("64MB"). What rows will take on disk is
            judged by the file of the partition before, so the first one comes out smaller.
        every: closed when so much append time has passed since its first row, so that
            rows show while a partition is open; None for never.

    >>> Roll(size="64KB").max_bytes
    64000
    """

    rows: int = ROWS
    size: int | str = SIZE
    every: Duration | None = None

    def __post_init__(self) -> None:
        if self.rows < 1 or self.max_bytes < 1:
            raise ConfigError(f"{self}: a file needs room for a row")
        if self.every is not None:
            duration_ms(self.every, name="every", minimum=1)

    @property
    def max_bytes(self) -> int:
        """The size as a number."""
        if isinstance(self.size, int):
            return self.size
        text = self.size.strip().upper()
        digits = text.rstrip("KMGB ")
        unit = text[len(digits) :].strip() or "B"
        try:
            return int(float(digits) * _UNITS[unit])
        except (KeyError, ValueError):
            raise ConfigError(f"size is {self.size!r}: write it like 64MB") from None

    @property
    def every_ms(self) -> int | None:
        """The append time after which a file is closed."""
        return None if self.every is None else duration_ms(self.every, name="every")


@dataclass(slots=True)
class OpenFile:
    """One file that is being filled; `head` is what the state keeps of it.

    Args:
        folder: of its partition.
        first: the LSN of its first row.
        number: among the files of the partition that begin in that LSN.
        opened: append time of its first row.
        contents: of its pieces, in order; the first `packed` of them are in the state.
    """

    folder: str
    first: int
    number: int
    opened: int
    last: int = 0
    rows: int = 0
    size: int = 0
    min_time: int = 0
    max_time: int = 0
    blocks: int = 0
    contents: list[Any] = field(default_factory=list)
    packed: int = 0

    def add(self, piece: Piece, lsn: int, batch: Batch) -> None:
        """Takes rows of one LSN."""
        low, high = batch.min_time, batch.max_time
        self.min_time = min(self.min_time, low) if self.rows else low
        self.max_time = max(self.max_time, high) if self.rows else high
        self.contents.append(piece.content)
        self.rows += piece.rows
        self.size += piece.size
        self.last = lsn

    @property
    def head(self) -> list[int]:
        """What the state keeps beside the blocks."""
        return [
            self.first, self.number, self.opened, self.last, self.rows, self.size,
            self.min_time, self.max_time, self.blocks,
        ]  # fmt: skip


class Filling:
    """The open files of a sink, and the closing of them.

    Args:
        format: of the files.
        roll: when one is closed.
        state: where what is open is kept.
        prefix: of the names of files.
    """

    def __init__(self, format: Format, roll: Roll, state: StepState, prefix: str) -> None:
        self.format = self._given = format
        self.max_rows = roll.rows
        self.max_bytes = roll.max_bytes
        self.every = roll.every_ms
        self.prefix = prefix
        self._heads = state.keyed("open")
        self._blocks = state.keyed("blocks")
        self._facts = state.keyed("facts")
        self.files: dict[str, OpenFile] = {}
        self._touched: set[str] = set()
        self._numbers: dict[str, tuple[int, int]] = {}
        self._ratios: dict[str, float] = {}
        """Bytes of a file per counted byte, by the last one of the partition: what a partition
        holds depends on no other, so that it can be made anew alone."""
        self._restore()
        self.bind(())

    def bind(self, columns: Sequence[Any]) -> None:
        """Says which columns the table has; if none, those of the files so far hold."""
        known = columns or self._facts.get("columns")
        self.format = self._given.bound(known) if known else self._given

    def _restore(self) -> None:
        for folder, head in self._heads.items():
            file = OpenFile(folder, *head)
            names = [(folder, number) for number in range(file.blocks)]
            file.contents = [self.format.unpack(self._blocks.get(name)) for name in names]
            file.packed = len(file.contents)
            self.files[folder] = file
        for folder, (lsn, number) in self._facts.get("numbers") or {}:
            self._numbers[folder] = (lsn, number)
        self._ratios = dict(self._facts.get("ratios") or {})

    def write(
        self, folder: str, lsn: int, append_time: int, batch: Batch
    ) -> Iterator[tuple[DataFile, bytes]]:
        """Adds rows of one LSN to a partition; gives the files that are full."""
        start = 0
        while start < batch.count:
            file = self.files.get(folder) or self._open(folder, lsn, append_time)
            stop = min(batch.count, start + CHUNK, start + self.max_rows - file.rows)
            part = batch.slice(start, stop)
            file.add(self.format.piece(part), lsn, part)
            self._touched.add(folder)
            ratio = self._ratios.get(folder, 1.0)
            if file.rows >= self.max_rows or file.size * ratio >= self.max_bytes:
                yield self.close(folder)
            start = stop

    def _open(self, folder: str, lsn: int, append_time: int) -> OpenFile:
        before, number = self._numbers.get(folder, (-1, 0))
        number = number + 1 if before == lsn else 0
        self._numbers[folder] = (lsn, number)
        file = self.files[folder] = OpenFile(folder, lsn, number, append_time)
        return file

    def old(self, append_time: int) -> list[str]:
        """The partitions whose open file has been open long enough."""
        if self.every is None:
            return []
        limit = append_time - self.every
        return sorted(folder for folder, file in self.files.items() if file.opened <= limit)

    def close(self, folder: str) -> tuple[DataFile, bytes]:
        """Closes the open file of a partition: what it is, and its bytes."""
        file = self.files.pop(folder)
        self.format = self.format.settled(file.contents)
        data = self.format.file(file.contents)
        if self._heads.delete(folder):
            for number in range(file.blocks):
                self._blocks.delete((folder, number))
        self._touched.discard(folder)
        if file.size:
            self._ratios[folder] = len(data) / file.size
        mark = f"-{file.number}" if file.number else ""
        crc = crc32(data)
        # The content is in the name: who has listed a folder and opens its files later never
        # gets another one's rows under a name that was replaced in between.
        name = f"{self.prefix}{file.first:012}{mark}-{crc:08x}{self.format.suffix}"
        path = f"{folder}/{name}" if folder else name
        return (
            DataFile(
                path, folder, file.rows, len(data), file.first, file.last, file.min_time,
                file.max_time, crc,
            ),
            data,
        )  # fmt: skip

    def forget(self, folder: str) -> None:
        """Forgets how well the files of a partition that is complete were packed."""
        self._ratios.pop(folder, None)

    def save(self, lsn: int) -> None:
        """Puts what is open into the state; what was there already costs nothing."""
        for folder in sorted(self._touched):
            file = self.files[folder]
            fresh = file.contents[file.packed :]
            packed = self.format.pack(fresh)
            self._blocks.put((folder, file.blocks), packed)
            file.contents[file.packed :] = [self.format.unpack(packed)]
            file.blocks += 1
            file.packed = file.blocks
            self._heads.put(folder, file.head)
        self._touched.clear()
        # Only who begins another file in the very last LSN has to know of the one before.
        self._numbers = {f: pair for f, pair in self._numbers.items() if pair[0] >= lsn}
        self._facts.put("ratios", dict(sorted(self._ratios.items())))
        self._facts.put("columns", list(self.format.columns))
        self._facts.put("numbers", sorted((f, list(pair)) for f, pair in self._numbers.items()))
