"""Reading a whole log for damage, and giving up what is damaged.

`verify` compares every CRC there is and changes nothing; it works on a log that cannot be
opened. `repair` makes such a log usable, at a price that it names:

- a head of a journal file is rebuilt from the file before it, without loss;
- a damaged record ends the log there, since nothing behind it can be trusted to follow;
  what is cut is set aside and the epoch rises;
- an append with a damaged body is voided: readers skip it whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kappa.errors import CorruptBatch, LogError, LogLocked
from kappa.log.cutting import Cut
from kappa.log.damage import later_records
from kappa.log.files import File, Files
from kappa.log.history import journal_files
from kappa.log.journal import Entry, Part, Scan, head_frame, journal_name, read_head
from kappa.log.ledger import Ledger
from kappa.log.opening import open_store
from kappa.log.recovery import FORMAT_FILE
from kappa.log.segments import Segments
from kappa.log.settings import Settings
from kappa.time import Clock

__all__ = ["Damage", "Repair", "Verification", "repair", "verify"]


@dataclass(frozen=True, slots=True)
class Damage:
    """One place that does not read back.

    Attributes:
        path, position: where.
        lsn: of the record there, or whose body it is.
        what: in words.
        kind: "head", "record" or "body".
    """

    path: str
    position: int
    lsn: int
    what: str
    kind: str

    def __str__(self) -> str:
        return f"{self.path}, byte {self.position}, LSN {self.lsn}: {self.what}"


@dataclass(frozen=True, slots=True)
class Verification:
    """What a whole reading found. True if nothing is damaged.

    Attributes:
        lsn: the last LSN that reads back.
        synced: up to where the log says it was durable.
        records, bodies, size: how many records and bodies were compared, and their bytes.
        damage: what does not read back, in order.
        torn: bytes behind the end, which the next opening sets aside; no damage.
    """

    lsn: int
    synced: int
    records: int
    bodies: int
    size: int
    damage: tuple[Damage, ...]
    torn: int = 0

    def __bool__(self) -> bool:
        return not self.damage

    def __str__(self) -> str:
        lines = [
            f"{self.records:,} records and {self.bodies:,} bodies ({self.size:,} bytes) up to LSN"
            f" {self.lsn}, durable up to {self.synced}: "
            + (f"{len(self.damage)} damaged" if self.damage else "all whole")
        ]
        if self.torn:
            lines.append(f"{self.torn:,} bytes behind the end, which were never synced")
        return "\n".join([*lines, *map(str, self.damage)])


@dataclass(frozen=True, slots=True)
class Repair:
    """What was given up to make a log usable.

    Attributes:
        cut_after: the LSN the log was cut behind; None if it was not.
        voided: LSNs of appends that readers skip now.
        rebuilt: journal files whose heads were rebuilt.
        aside: files that what was cut is kept in.
    """

    cut_after: int | None
    voided: tuple[int, ...]
    rebuilt: tuple[str, ...]
    aside: tuple[str, ...]

    def __bool__(self) -> bool:
        return self.cut_after is not None or bool(self.voided or self.rebuilt)


def verify(files: Files) -> Verification:
    """Reads every record and every body of a log.

    Raises:
        LogError: the folder holds no kappa log.

    Cost: one reading of all that the log holds.
    """
    if not files.exists(FORMAT_FILE):
        raise LogError(f"{files.path()} is not a kappa log: it has no file {FORMAT_FILE!r}")
    return _Reading(files).report()


class _Reading:
    """One pass over the journal, and then over the bodies that its end still knows."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._firsts = journal_files(files)
        self._damage: list[Damage] = []
        self._records = 0
        self._synced = 0
        self._torn = 0
        self.ledger = Ledger()

    def report(self) -> Verification:
        parts = [(entry.lsn, part) for entry in self._journal() for part in entry.parts]
        bodies, size = self._bodies(parts)
        # Above the synced LSN the next opening decides what is there; that is no damage.
        found = [one for one in self._damage if one.lsn <= self._synced or one.kind == "head"]
        return Verification(
            self.ledger.lsn,
            self._synced,
            self._records,
            bodies,
            size,
            tuple(sorted(found, key=lambda one: one.lsn)),
            self._torn,
        )

    def _journal(self) -> Iterator[Entry]:
        """The records that read back, of every file whose head does."""
        for first in self._firsts:
            name = journal_name(first)
            file = self._files.open(name)
            found = read_head(file)
            if found is None:
                self._note(name, 0, first, "the head does not read back", "head")
                self._claims(file, 0, first - 1)
                continue
            head, position = found
            if (head["lsn"], head["chain"]) != (self.ledger.lsn, self.ledger.chain):
                self._note(name, 0, first, "it does not follow the file before it", "record")
            self.ledger = Ledger.restored(head, position)
            self._synced = max(self._synced, head["synced"])
            yield from self._records_of(file, name)

    def _records_of(self, file: File, name: str) -> Iterator[Entry]:
        ledger = self.ledger
        scan = Scan(file, ledger.position, ledger.chain, ledger.lsn)
        for entry in scan:
            ledger.apply(entry)
            ledger.position, ledger.chain = scan.position, scan.chain
            self._synced = max(self._synced, entry.synced)
            self._records += 1
            yield entry
        rest = file.size() - scan.position
        self._torn = max(0, rest)
        if not scan.rolled:
            self._claims(file, scan.position, scan.lsn)
            self._note(name, scan.position, scan.lsn + 1, "the record does not read back", "record")

    def _claims(self, file: File, position: int, lsn: int) -> None:
        """What records behind a damaged one say of how far the log was durable."""
        tail = file.read_at(position, max(0, file.size() - position))
        for entry in later_records(tail, lsn):
            self._synced = max(self._synced, min(entry.synced, entry.lsn - 1))

    def _bodies(self, parts: list[tuple[int, Part]]) -> tuple[int, int]:
        ledger = self.ledger
        segments = Segments(self._files, ledger.catalog.compacted)
        bodies = size = 0
        for lsn, part in parts:
            heads = ledger.heads.get(part.topic_id)
            if heads is None or lsn in ledger.catalog.voided:
                continue
            if part.base_offset + part.count <= heads[part.partition].start_offset:
                continue
            name = segments.name(part[:3])
            try:
                size += len(segments.read((part,))[0])
                bodies += 1
            except FileNotFoundError:
                self._note(name, part.position, lsn, "the segment is missing", "body")
            except CorruptBatch:
                self._note(name, part.position, lsn, "the body does not read back", "body")
        return bodies, size

    def _note(self, name: str, position: int, lsn: int, what: str, kind: str) -> None:
        self._damage.append(Damage(self._files.path(name), position, lsn, what, kind))


# Repair.


def repair(files: Files, settings: Settings, clock: Clock) -> Repair:
    """Makes a damaged log usable; see the module for what is given up.

    Raises:
        LogLocked: somebody has the log open.
        LogError: the folder holds no kappa log.
    """
    held = files.lock("locks/open")
    try:
        if not held.try_acquire():
            raise LogLocked(
                f"{files.path()} is open elsewhere ({held.described()}): close it first"
            )
        rebuilt = _rebuild_heads(files)
        found = verify(files)
        cut = next((one for one in found.damage if one.kind != "body"), None)
        aside = _cut_before(files, cut, found.synced) if cut is not None else ()
    finally:
        held.close()
    end = None if cut is None else cut.lsn - 1
    broken = {one.lsn for one in found.damage if one.kind == "body"}
    voided = tuple(sorted(lsn for lsn in broken if end is None or lsn <= end))
    _void(files, settings, clock, voided)
    return Repair(end, voided, rebuilt, aside)


def _rebuild_heads(files: Files) -> tuple[str, ...]:
    """Writes damaged heads again where the file before them ends whole."""
    rebuilt = []
    before = Ledger()
    for first in journal_files(files):
        name = journal_name(first)
        file = files.open(name)
        found = read_head(file)
        if found is None and before.lsn == first - 1:
            head = head_frame(before.saved())
            scan = Scan(file, len(head), before.chain, before.lsn)
            if next(iter(scan), None) is not None:
                file.write_at(0, head)
                file.sync()
                rebuilt.append(name)
                found = read_head(file)
        if found is not None:
            before = _end_of(file, Ledger.restored(*found))
    return tuple(rebuilt)


def _end_of(file: File, ledger: Ledger) -> Ledger:
    """The ledger behind the last record of its file that reads back."""
    scan = Scan(file, ledger.position, ledger.chain, ledger.lsn)
    for entry in scan:
        ledger.apply(entry)
        ledger.position, ledger.chain = scan.position, scan.chain
    return ledger


def _cut_before(files: Files, damage: Damage, synced: int) -> tuple[str, ...]:
    """Ends the log before the damaged record; what it leaves is a shorter, whole log."""
    firsts = journal_files(files)
    for first in reversed(firsts):
        found = read_head(files.open(journal_name(first)))
        if first <= damage.lsn and found is not None:
            ledger = _end_of(files.open(journal_name(first)), Ledger.restored(*found))
            if ledger.lsn < damage.lsn:
                cut = Cut(files, ledger, firsts)
                cut.make(synced=min(synced, ledger.lsn), reason=f"repaired: {damage.what}")
                return tuple(cut.aside)
    raise LogError(
        f"{files.path(journal_name(firsts[0]))}: the head of the first journal file is lost, and"
        " nothing is left to build it from"
    )


def _void(files: Files, settings: Settings, clock: Clock, lsns: tuple[int, ...]) -> None:
    opened = open_store(files, settings, clock)
    try:
        for lsn in lsns:
            opened.store.control("void", {"lsn": lsn, "reason": "its body is damaged"})
        opened.store.close()
    finally:
        opened.held.close()
