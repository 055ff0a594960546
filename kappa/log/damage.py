"""What lies behind a damaged journal record.

A record that is not valid is either the torn end of the log, or damage in its middle. The
chain of CRCs cannot tell, since it is broken from there on; what can are whole records
further on, found by their shape. If one of them says that the damaged LSN had been synced,
the damage is no accident of a crash.
"""

from __future__ import annotations

from collections.abc import Iterator

from kappa.errors import CorruptBatch
from kappa.log.files import File
from kappa.log.journal import FRAME, Entry, decode
from kappa.log.ledger import Ledger

__all__ = ["clear_tail", "later_record", "later_records"]

# The first byte of the msgpack array of a control record (5) and of an append (12).
_STARTS = (b"\x95", b"\x9c")


def later_records(tail: bytes, lsn: int) -> Iterator[Entry]:
    """Entries in `tail` that look whole and have an LSN above `lsn`.

    Args:
        tail: a journal file's bytes from the record of `lsn`, which is damaged, on.

    Cost: about 20 ns per byte.
    """
    for start in _STARTS:
        place = tail.find(start, FRAME.size)
        while place >= 0:
            entry = _record_at(tail, place - FRAME.size)
            if entry is not None and lsn < entry.lsn <= lsn + len(tail):
                yield entry
            place = tail.find(start, place + 1)


def later_record(tail: bytes, lsn: int) -> Entry | None:
    """One such entry, or None."""
    return next(later_records(tail, lsn), None)


def clear_tail(file: File, ledger: Ledger, path: str) -> None:
    """Removes the torn record of a writer that died, before the next one is written.

    Args:
        file: the journal file, whose bytes behind `ledger.position` are not valid.
        ledger: the state up to there.
        path: for the message.

    Raises:
        CorruptBatch: whole records lie behind it, so it was no torn end.
    """
    lsn = ledger.lsn + 1
    tail = file.read_at(ledger.position, file.size() - ledger.position)
    if later_record(tail, lsn) is not None:
        raise CorruptBatch(
            f"{path}: the record of LSN {lsn} at byte {ledger.position} is damaged, and others"
            " follow it; `kappa log verify` says more",
            path=path,
            position=ledger.position,
            lsn=lsn,
        )
    file.truncate(ledger.position)


def _record_at(tail: bytes, place: int) -> Entry | None:
    _, length = FRAME.unpack_from(tail, place)
    start = place + FRAME.size
    if not 0 < length <= len(tail) - start:
        return None
    try:
        entry = decode(tail[start : start + length])
    except ValueError:
        return None
    numbers = (entry.lsn, entry.append_time, entry.synced)
    return entry if all(type(number) is int for number in numbers) else None
