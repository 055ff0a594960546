"""Reading the journal from any LSN, across its files.

Places that a reading passed are remembered, one in 512 records and wherever a reader
stopped, so that to read on costs nothing and to seek costs one file at most the first
time. Reads go through files of their own and need no lock.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator
from operator import itemgetter
from typing import Any, NamedTuple

from kappa.errors import CorruptBatch, OffsetOutOfRange
from kappa.log.catalog import ProducerState
from kappa.log.files import File, Files
from kappa.log.journal import Entry, Scan, first_lsn_of, journal_name, read_head
from kappa.log.ledger import result_of

__all__ = ["History", "Place", "journal_files"]

MARK_EVERY = 512
KEPT_STOPS = 64
KEPT_INDEXES = 4

_last_of = itemgetter(1)


class Place(NamedTuple):
    """The end of one record: its LSN and CRC, and where in which file the next one is."""

    lsn: int
    position: int
    chain: int
    file_lsn: int


def journal_files(files: Files) -> list[int]:
    """The first LSNs of the journal's files, ascending."""
    found = (first_lsn_of(name) for name in files.names("journal"))
    return sorted(lsn for lsn in found if lsn is not None)


class History:
    """The records of a journal that are known to be there.

    Args:
        files: the log's folder.
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self._mutex = threading.Lock()
        self._firsts: list[int] = []
        self._marks: dict[int, list[Place]] = {}
        self._stops: OrderedDict[int, Place] = OrderedDict()
        self._indexes: OrderedDict[int, list[tuple[Any, ...]]] = OrderedDict()

    def entries(self, after_lsn: int, *, end: int) -> Iterator[Entry]:
        """The records above `after_lsn` up to `end`, which must be there.

        Raises:
            CorruptBatch: one of them does not read back.

        Cost: 2 to 3 µs per record.
        """
        if after_lsn >= end:
            return
        place = self._place_at_or_before(after_lsn)
        chunk_bytes = min(1 << 20, 4096 + 256 * (end - place.lsn))
        while True:
            file = self._file(place.file_lsn)
            scan = Scan(file, place.position, place.chain, place.lsn)
            try:
                for entry in scan.read(chunk_bytes):
                    lsn = entry[0]
                    if not lsn % MARK_EVERY:
                        self._mark(scan, place.file_lsn)
                    if lsn > after_lsn:
                        yield entry
                        if lsn >= end:
                            return
            finally:
                place = self._stopped(scan, place.file_lsn)
            if not scan.rolled:
                raise self._damaged(place)
            place = self._next_file(place)

    def entry(self, lsn: int) -> Entry:
        """The record of one LSN, which must be there."""
        return next(self.entries(lsn - 1, end=lsn))

    def chain_crc(self, lsn: int) -> int:
        """The CRC of the record of `lsn`, which stands for everything up to it."""
        place = self._place_at_or_before(lsn)
        if place.lsn == lsn:
            return place.chain
        scan = Scan(self._file(place.file_lsn), place.position, place.chain, place.lsn)
        for entry in scan.read(4096 + 256 * (lsn - place.lsn)):
            if entry.lsn == lsn:
                self._mark(scan, place.file_lsn)
                return scan.chain
        raise self._damaged(Place(scan.lsn, scan.position, scan.chain, place.file_lsn))

    def seek(self, before: Callable[[dict[str, Any]], bool]) -> int:
        """The LSN at the start of the newest file for whose head `before` holds; or 0.

        Args:
            before: true of a head if all that is looked for lies behind it; once false,
                false for all that follow.

        Cost: O(log files) heads.
        """
        firsts = journal_files(self._files)
        low, high = 0, len(firsts)
        while low < high:
            middle = (low + high) // 2
            found = read_head(self._file(firsts[middle]))
            if found is not None and before(found[0]):
                low = middle + 1
            else:
                high = middle
        return firsts[low - 1] - 1 if low else 0

    # Places.

    def _place_at_or_before(self, lsn: int) -> Place:
        stop = self._stops.get(lsn)
        if stop is not None:
            return stop
        at = bisect_right(self._firsts, lsn + 1) - 1
        if at < 0 or at == len(self._firsts) - 1:
            self._firsts = journal_files(self._files)
            at = bisect_right(self._firsts, lsn + 1) - 1
        if at < 0:
            raise OffsetOutOfRange(f"the journal holds no LSN {lsn + 1}", lsn=lsn + 1)
        first = self._firsts[at]
        marks = self._marks.get(first) or self._start_marks(first)
        return marks[bisect_right(marks, (lsn, PAST)) - 1]

    def _start_marks(self, first: int) -> list[Place]:
        found = read_head(self._file(first))
        path = self._files.path(journal_name(first))
        if found is None:
            raise CorruptBatch(f"{path}: the head does not read back", path=path, position=0)
        head, position = found
        with self._mutex:
            place = Place(head["lsn"], position, head["chain"], first)
            return self._marks.setdefault(first, [place])

    def _mark(self, scan: Scan, file_lsn: int) -> None:
        with self._mutex:
            marks = self._marks.get(file_lsn)
            if marks and scan.lsn > marks[-1].lsn:
                marks.append(Place(scan.lsn, scan.position, scan.chain, file_lsn))

    def _stopped(self, scan: Scan, file_lsn: int) -> Place:
        place = Place(scan.lsn, scan.position, scan.chain, file_lsn)
        if not scan.rolled:
            with self._mutex:
                self._stops[place.lsn] = place
                self._stops.move_to_end(place.lsn)
                if len(self._stops) > KEPT_STOPS:
                    self._stops.popitem(last=False)
        return place

    def _next_file(self, place: Place) -> Place:
        first = place.lsn + 1
        start = (self._marks.get(first) or self._start_marks(first))[0]
        if (start.lsn, start.chain) != (place.lsn, place.chain):
            raise self._damaged(start)
        return start

    def _file(self, first: int) -> File:
        try:
            return self._files.open(journal_name(first))
        except FileNotFoundError:
            path = self._files.path(journal_name(first))
            raise CorruptBatch(f"{path} is missing", path=path, lsn=first) from None

    def _damaged(self, place: Place) -> CorruptBatch:
        path = self._files.path(journal_name(place.file_lsn))
        return CorruptBatch(
            f"{path}: the record of LSN {place.lsn + 1} at byte {place.position} is damaged;"
            " `kappa log verify` says more",
            path=path,
            position=place.position,
            lsn=place.lsn + 1,
        )

    # Results of appends long ago.

    def result_of(
        self, producer: ProducerState, last: int, origin: int, *, end: int
    ) -> tuple[Any, ...] | None:
        """The result of the first append of a producer that reaches sequence `last`.

        Args:
            producer: whose.
            last: a sequence at or below the producer's last.
            origin: an LSN that the append lies behind, 0 if none is known.
            end: the newest LSN.

        Cost: one reading of the journal from `origin` on, or from the newest file that
        starts before the append; what it finds is kept for the sequences that follow.
        """
        found = self._indexes.get(producer.index, [])
        at = bisect_left(found, last, key=_last_of)
        if at == len(found) or (at == 0 and found[0][0] != last):
            start = origin or self._start_for(producer.index, last)
            found = self._index(producer.index, start, end)
            at = bisect_left(found, last, key=_last_of)
        return found[at] if at < len(found) else None

    def _index(self, index: int, after_lsn: int, end: int) -> list[tuple[Any, ...]]:
        found = [
            result_of(entry)
            for entry in self.entries(after_lsn, end=end)
            if entry.producer == index and entry.last is not None
        ]
        with self._mutex:
            self._indexes[index] = found
            while len(self._indexes) > KEPT_INDEXES:
                self._indexes.popitem(last=False)
        return found

    def _start_for(self, index: int, last: int) -> int:
        """The LSN before the newest file at whose start `last` was still to come."""
        for first in reversed(journal_files(self._files)):
            found = read_head(self._file(first))
            if found is None:
                continue
            producers = found[0]["catalog"]["producers"]
            if index >= len(producers) or producers[index][4] is None:
                return first - 1
            if producers[index][4] < last:
                return first - 1
        return 0


PAST = 1 << 62
