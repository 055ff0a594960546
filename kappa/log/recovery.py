"""Opening a log: what is there, what a crash left, and what must be refused.

The rule (R2): opening yields a prefix of the appends that holds everything acknowledged.
The journal says up to which LSN it had been synced. At or below that, damage is an error
and nothing is cut. Above it the first record that is not whole, or whose bodies are not,
ends the log: what lies behind is copied to `aside/`, cut off, and reported, and the log's
epoch rises, so that a checkpoint of the future that was lost is refused.

Only who holds the log alone may do this; whoever opens a log that others have open reads
on from where they are.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field

from kappa.errors import CorruptBatch, LogError
from kappa.log.cutting import Cut
from kappa.log.damage import later_records
from kappa.log.files import File, Files, write_whole
from kappa.log.heads import segment_name
from kappa.log.history import journal_files
from kappa.log.journal import (
    FORMAT,
    Entry,
    Scan,
    head_frame,
    journal_name,
    read_head,
)
from kappa.log.ledger import Dirty, Ledger
from kappa.log.segments import Segments

__all__ = [
    "FORMAT_FILE",
    "Opened",
    "RecoveryReport",
    "create",
    "finish_creation",
    "load",
    "recover",
]

FORMAT_FILE = "format"
FORMAT_TEXT = f"kappa log format {FORMAT}\n"
MANY = 4096
FOLDERS = ("journal", "topics", "locks")
OWN_NAMES = {*FOLDERS, "aside", "pipelines", FORMAT_FILE, FORMAT_FILE + ".tmp"}


@dataclass(frozen=True, slots=True)
class RecoveryReport:
    """What opening the log found.

    Attributes:
        lsn: the last LSN that was there and is kept.
        synced: up to where the log was known to be durable when it was opened.
        verified: how many appends above that were read and compared.
        cut_bytes: bytes behind the end that were set aside; 0 after a clean close.
        aside: the files they were set aside in.
        reason: why the log ends there, "" if it was whole.
        epoch: the log's epoch now.
    """

    lsn: int = 0
    synced: int = 0
    verified: int = 0
    cut_bytes: int = 0
    aside: tuple[str, ...] = ()
    reason: str = ""
    epoch: int = 1


@dataclass(slots=True)
class Opened:
    """A ledger at the end of the log, and how it came about."""

    ledger: Ledger
    synced: int
    report: RecoveryReport = field(default_factory=RecoveryReport)


def create(files: Files) -> None:
    """Makes the folders of an empty log, if they are not there, and checks what is.

    The format file comes last, so a folder without it holds no append.

    Raises:
        LogError: the folder holds something else, or a log of a newer format.
    """
    files.make_folder("")
    names = set(files.names())
    if FORMAT_FILE in names:
        _check_format(files)
        return
    if names - OWN_NAMES:
        raise LogError(
            f"{files.path()} is not a kappa log: it holds {', '.join(sorted(names)[:5])}; give"
            " a new or empty folder",
            path=files.path(),
        )
    for folder in FOLDERS:
        files.make_folder(folder)


def finish_creation(files: Files) -> None:
    """Writes the first journal file and the format file; who calls holds the log alone."""
    if files.exists(FORMAT_FILE):
        return
    file = files.open(journal_name(1), create=True)
    file.truncate(0)
    file.write_at(0, head_frame(Ledger().saved()))
    file.sync()
    files.sync_folder("journal")
    files.sync_folder("")
    write_whole(files, FORMAT_FILE, FORMAT_TEXT.encode())


def _check_format(files: Files) -> None:
    file = files.open(FORMAT_FILE)
    text = file.read_at(0, 100).decode(errors="replace")
    if text == FORMAT_TEXT:
        return
    if text.startswith("kappa log format "):
        raise LogError(
            f"{files.path()} has {text.strip()!r}, and this kappa reads format {FORMAT}: use a"
            " newer kappa",
            path=files.path(),
        )
    raise LogError(f"{files.path(FORMAT_FILE)} is not a kappa log's", path=files.path())


def load(files: Files) -> Opened:
    """The ledger at the newest valid record, while others have the log open; cuts nothing.

    Cost: reads the newest journal file.
    """
    firsts = journal_files(files)
    for first in reversed(firsts):
        found = read_head(files.open(journal_name(first)))
        if found is not None:
            ledger = Ledger.restored(*found)
            for _ in _replay(files, ledger):
                pass
            _settle(ledger, ledger.synced, firsts)
            lsn, epoch = ledger.lsn, ledger.catalog.epoch
            report = RecoveryReport(lsn=lsn, synced=ledger.synced, epoch=epoch)
            return Opened(ledger, ledger.synced, report)
    raise _no_head(files, firsts)


def recover(files: Files, segments: Segments) -> Opened:
    """The ledger of a log that nobody else has open, cut where R2 says.

    Raises:
        CorruptBatch: something that had been made durable does not read back.

    Cost: reads the newest journal file, and the bodies above the synced LSN.
    """
    firsts = journal_files(files)
    ledger, synced, unsure = _read(files, firsts)
    reason = _bad_tail(files, ledger, firsts)
    if ledger.lsn < synced:
        raise _lost(files, ledger, synced, reason)
    verified = 0
    for entry in unsure:
        bad = _bad_bodies(segments, ledger, entry)
        if bad:
            reason, ledger = bad, _before(files, firsts, entry.lsn)
            break
        verified += bool(entry.parts)
    _settle(ledger, synced, firsts)
    end = ledger.lsn
    cut = Cut(files, ledger, firsts) if reason else None
    if cut is not None:
        cut.make(synced=synced, reason=reason)
    report = RecoveryReport(
        lsn=end,
        synced=synced,
        verified=verified,
        cut_bytes=cut.cut_bytes if cut else 0,
        aside=tuple(cut.aside) if cut else (),
        reason=reason,
        epoch=ledger.catalog.epoch,
    )
    return Opened(ledger, synced, report)


def _read(files: Files, firsts: list[int]) -> tuple[Ledger, int, list[Entry]]:
    """The ledger at the journal's end, the highest LSN known to be synced, and what is above.

    Read from the newest head that lies at or below the synced LSN. That LSN may be claimed
    by any record, even one behind damage: a claim that was written is true.
    """
    synced, newest = 0, True
    for first in reversed(firsts):
        file = files.open(journal_name(first))
        found = read_head(file)
        if found is None:
            synced = max(synced, _claimed(file, 0, first - 1))
            continue
        ledger = Ledger.restored(*found)
        synced = max(synced, ledger.synced)
        if newest or synced >= first - 1 or first == firsts[0]:
            # Older files claim no more than the head behind them does.
            newest = False
            synced, unsure = _read_on(files, ledger, synced)
        if synced >= first - 1 or first == firsts[0]:
            return ledger, synced, unsure
    raise _no_head(files, firsts)


def _read_on(files: Files, ledger: Ledger, synced: int) -> tuple[int, list[Entry]]:
    """Moves a ledger to the journal's end; the synced LSN, and the entries above it."""
    unsure: list[Entry] = []
    for entry in _replay(files, ledger):
        synced = max(synced, entry.synced)
        unsure.append(entry)
        if not len(unsure) % MANY:
            unsure = [entry for entry in unsure if entry.lsn > synced]
    end = files.open(ledger.journal)
    synced = max(synced, _claimed(end, ledger.position, ledger.lsn))
    return synced, [entry for entry in unsure if entry.lsn > synced]


def _no_head(files: Files, firsts: list[int]) -> CorruptBatch:
    path = files.path(journal_name(firsts[0]) if firsts else "journal")
    return CorruptBatch(f"{path}: the head does not read back", path=path, position=0, lsn=0)


def _claimed(file: File, position: int, lsn: int) -> int:
    """The highest synced LSN that a record behind damage claims."""
    tail = file.read_at(position, max(0, file.size() - position))
    return max((min(e.synced, e.lsn - 1) for e in later_records(tail, lsn)), default=0)


def _before(files: Files, firsts: list[int], lsn: int) -> Ledger:
    """The ledger as of the record before `lsn`."""
    for first in reversed(firsts):
        found = read_head(files.open(journal_name(first))) if first <= lsn else None
        if found is not None:
            break
    assert found is not None  # `lsn` was read behind a head
    ledger = Ledger.restored(*found)
    replay = _replay(files, ledger)
    for entry in replay:
        if entry.lsn == lsn:
            replay.close()
    return ledger


def _replay(files: Files, ledger: Ledger) -> Generator[Entry]:
    """Yields, then takes in, the valid records behind the ledger's place, file by file."""
    while True:
        scan = Scan(files.open(ledger.journal), ledger.position, ledger.chain, ledger.lsn)
        for entry in scan:
            yield entry
            ledger.apply(entry)
            ledger.position, ledger.chain = scan.position, scan.chain
        if not ledger.rolled or not _enter_next(files, ledger):
            return


def _enter_next(files: Files, ledger: Ledger) -> bool:
    name = journal_name(ledger.lsn + 1)
    found = read_head(files.open(name)) if files.exists(name) else None
    if found is None:
        return False
    head, position = found
    if (head["lsn"], head["chain"]) != (ledger.lsn, ledger.chain):
        return False
    ledger.file_lsn = ledger.lsn + 1
    ledger.position = ledger.start = position
    ledger.rolled = False
    return True


def _bad_bodies(segments: Segments, ledger: Ledger, entry: Entry) -> str:
    """Why an append's bodies are not all there; "" if they are."""
    for part in entry.parts:
        heads = ledger.heads.get(part.topic_id)
        if heads is None or part.base_offset < heads[part.partition].start_offset:
            continue  # deleted, or removed by retention, since
        try:
            segments.read((part,))
        except (CorruptBatch, FileNotFoundError):
            name = segment_name(*part[:3])
            return f"the body of LSN {entry.lsn} in {name} at byte {part.position} is not whole"
    return ""


def _bad_tail(files: Files, ledger: Ledger, firsts: list[int]) -> str:
    """Why the journal ends where it does, "" if nothing lies behind its end."""
    size = files.open(ledger.journal).size()
    if size > ledger.position:
        return f"the record of LSN {ledger.lsn + 1} in {ledger.journal} is not whole"
    if firsts[-1] > ledger.file_lsn:
        return f"{journal_name(firsts[-1])} does not follow LSN {ledger.lsn}"
    return ""


def _lost(files: Files, ledger: Ledger, synced: int, reason: str) -> CorruptBatch:
    path = files.path(ledger.journal)
    return CorruptBatch(
        f"{path}: {reason or 'the journal ends'} behind LSN {ledger.lsn} (byte"
        f" {ledger.position}), but the log was durable up to LSN {synced}; nothing was changed."
        " `kappa log verify` lists what is damaged, `kappa log repair` gives up what is lost",
        path=path,
        position=ledger.position,
        lsn=ledger.lsn + 1,
    )


def _settle(ledger: Ledger, synced: int, firsts: list[int]) -> None:
    """Marks as dirty what may not be durable: every file with something above `synced`."""
    dirty = ledger.dirty = Dirty()
    if ledger.lsn <= synced:
        return
    dirty.new_journal = dirty.new_topic = True
    own = [first for first in firsts if first <= ledger.file_lsn]
    ends = [*(first - 1 for first in own[1:]), ledger.lsn]
    dirty.journals |= {first for first, end in zip(own, ends, strict=True) if end > synced}
    for topic_id, heads in ledger.heads.items():
        for partition, head in enumerate(heads):
            written = [*head.sealed, head.current()] if head.segment >= 0 else []
            for segment in reversed(written):
                if segment.last_lsn <= synced:
                    break
                dirty.segments.add((topic_id, partition, segment.segment))
                dirty.topics.add(topic_id)
