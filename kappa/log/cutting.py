"""Ending a log where its ledger ends: what lies behind is set aside, not lost."""

from __future__ import annotations

from collections.abc import Iterator

from kappa.log.files import Files, write_whole
from kappa.log.heads import Head, segment_name, topic_folder
from kappa.log.journal import control_entry, control_frame, head_frame, journal_name
from kappa.log.ledger import Ledger

__all__ = ["Cut"]


class Cut:
    """Ends a log where its ledger ends; what lies behind is set aside.

    In this order, so that a crash in between leaves something to recover from: everything
    is copied to `aside/`; the "recovered" record, with the new epoch, is written over the
    bad tail and synced; only then the rest is cut off.

    Args:
        files: the log's folder.
        ledger: the state at the new end; moved on by the record.
        firsts: first LSNs of all journal files.
    """

    def __init__(self, files: Files, ledger: Ledger, firsts: list[int]) -> None:
        self._files = files
        self._ledger = ledger
        self._prefix = f"aside/after-{ledger.lsn}"
        self._newer = [journal_name(first) for first in firsts if first > ledger.file_lsn]
        self.cut_bytes = 0
        self.aside: list[str] = []

    def make(self, *, synced: int, reason: str) -> None:
        """Makes the cut durable."""
        files, ledger = self._files, self._ledger
        self._copy(ledger.journal, ledger.position)
        tails = list(self._segment_tails())
        for name, position in tails:
            self._copy(name, position)
        for name in self._newer:
            self._copy(name, 0)
        self._record(synced, reason)
        for name, position in tails:
            self._cut(name, position)
        for name in self._newer:
            if name != ledger.journal:
                files.remove(name)
        files.sync_folder("journal")

    def _copy(self, name: str, position: int) -> None:
        file = self._files.open(name)
        rest = file.size() - position
        if rest <= 0:
            return
        if not self.aside:
            self._files.make_folder("aside")
            self._files.sync_folder("")
        base = f"{self._prefix}-{name.replace('/', '-')}"
        target, number = base, 1
        while self._files.exists(target):
            number += 1
            target = f"{base}.{number}"
        write_whole(self._files, target, file.read_at(position, rest))
        self.aside.append(target)
        self.cut_bytes += rest

    def _record(self, synced: int, reason: str) -> None:
        files, ledger = self._files, self._ledger
        if ledger.rolled:
            self._start_file()
        file = files.open(ledger.journal)
        data = {
            "epoch": ledger.catalog.epoch + 1,
            "cut_bytes": self.cut_bytes,
            "aside": self.aside,
            "reason": reason,
        }
        entry = control_entry(ledger.lsn + 1, ledger.append_time, synced, "recovered", data)
        framed, chain = control_frame(*entry[:3], entry.kind, data, ledger.chain)
        file.write_at(ledger.position, framed)
        file.sync()
        ledger.apply(entry)
        ledger.chain = chain
        ledger.position += len(framed)
        file.truncate(ledger.position)
        file.sync()

    def _start_file(self) -> None:
        files, ledger = self._files, self._ledger
        name = journal_name(ledger.lsn + 1)
        head = head_frame(ledger.saved())
        file = files.open(name, create=True)
        file.truncate(0)
        file.write_at(0, head)
        file.sync()
        files.sync_folder("journal")
        ledger.file_lsn = ledger.lsn + 1
        ledger.position = ledger.start = len(head)
        ledger.rolled = False

    def _segment_tails(self) -> Iterator[tuple[str, int]]:
        """Segment files with bytes behind their partition's end, and where that is."""
        for topic_id, heads in self._ledger.heads.items():
            ends = {
                segment_name(topic_id, at, head.segment): head.position
                for at, head in enumerate(heads)
            }
            for name in self._files.names(topic_folder(topic_id)):
                path = f"{topic_folder(topic_id)}/{name}"
                if path in ends:
                    yield path, ends[path]
                elif _is_ahead(name, heads):
                    yield path, 0

    def _cut(self, name: str, position: int) -> None:
        file = self._files.open(name)
        if file.size() > position:
            file.truncate(position)
            file.sync()


def _is_ahead(name: str, heads: list[Head]) -> bool:
    """Whether a segment file starts behind its partition's end."""
    partition, _, rest = name.partition("-")
    segment = rest.partition(".")[0]
    if not (partition.isdigit() and segment.isdigit() and int(partition) < len(heads)):
        return False
    return int(segment) > heads[int(partition)].segment
