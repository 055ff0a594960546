"""The journal's records: their bytes, their chain, and what they say.

A journal file is `journal/<first lsn, 20 digits>.jnl`:

    file   := head record*
    head   := crc u32 | length u32 | msgpack map      crc over all behind it in the frame
    record := crc u32 | length u32 | msgpack array    crc over all behind it in the frame,
                                                      started from the record before

Integers are little-endian. The chain of CRCs starts at 0 with LSN 1 and runs on from file
to file, so a record left behind by a lost future never joins a new past. Every record has
the LSN one above the record before it. docs/format.md shows the bytes.

An append's array is (lsn, append_time, synced, producer, epoch, first, last, origin, flags,
claims, crc, parts); a control record's is (lsn, append_time, synced, kind, data).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from kappa.codec.plain import pack, unpack
from kappa.errors import CorruptBatch
from kappa.log.files import File

__all__ = [
    "APPEND",
    "CLOSING",
    "FORMAT",
    "FRAME",
    "MAX_RECORD_BYTES",
    "MENDED",
    "Entry",
    "Part",
    "RecordTooLong",
    "Scan",
    "control_entry",
    "control_frame",
    "first_lsn_of",
    "frame",
    "head_frame",
    "journal_name",
    "read_head",
]

FORMAT = 1
CLOSING = 1
MENDED = 2
"""Flag of the append that closes all windows at the end of a bounded replay."""
APPEND = "append"
FRAME = struct.Struct("<II")
MAX_RECORD_BYTES = 16 << 20
"""A longer journal record is never written, and a longer length never believed."""

CHUNK_BYTES = 1 << 20

_U32 = struct.Struct("<I")
_crc32 = zlib.crc32
_new = tuple.__new__


class RecordTooLong(Exception):
    """A journal record that would be longer than `MAX_RECORD_BYTES`."""


class Part(NamedTuple):
    """One block of records of an append: where its body lies and what planning needs.

    `lag` is the largest event time of the partition before this append, minus `min_time`;
    where it is at most the source's bound, no record of the part is late.
    """

    topic_id: int
    partition: int
    segment: int
    position: int
    length: int
    crc: int
    base_offset: int
    count: int  # type: ignore[assignment]  # the field's word hides tuple.count
    min_time: int
    max_time: int
    lag: int


class Entry(NamedTuple):
    """One journal record. `kind` is "append", or a control record's kind with its `data`.

    `claims` holds (topic id, watermark) pairs, None in place of the watermark for a tick.
    """

    lsn: int
    append_time: int
    synced: int
    producer: int | None
    epoch: int
    first: int | None
    last: int | None
    origin: int | None
    flags: int
    claims: tuple[tuple[int, int | None], ...]
    crc: int
    parts: tuple[Part, ...]
    kind: str = APPEND
    data: dict[str, Any] | None = None


def control_entry(
    lsn: int, append_time: int, synced: int, kind: str, data: dict[str, Any]
) -> Entry:
    """The entry of a control record, with nothing where an append has its own."""
    return Entry(lsn, append_time, synced, None, 0, None, None, None, 0, (), 0, (), kind, data)


def journal_name(first_lsn: int) -> str:
    """The file whose first record has this LSN.

    >>> journal_name(1)
    'journal/00000000000000000001.jnl'
    """
    return f"journal/{first_lsn:020d}.jnl"


def first_lsn_of(name: str) -> int | None:
    """The LSN in a journal file's name (without folder); None for any other name."""
    stem, dot, suffix = name.partition(".")
    return int(stem) if dot and suffix == "jnl" and len(stem) == 20 and stem.isdigit() else None


def frame(payload: bytes, chain: int) -> tuple[bytes, int]:
    """A framed record and its CRC, from which the next one starts.

    Raises:
        RecordTooLong: it is longer than a record may be.
    """
    if len(payload) > MAX_RECORD_BYTES:
        raise RecordTooLong(f"{len(payload)} bytes of journal, allowed are {MAX_RECORD_BYTES}")
    body = _U32.pack(len(payload)) + payload
    crc = _crc32(body, chain)
    return _U32.pack(crc) + body, crc


def control_frame(
    lsn: int, append_time: int, synced: int, kind: str, data: dict[str, Any], chain: int
) -> tuple[bytes, int]:
    """The frame of a control record."""
    return frame(pack((lsn, append_time, synced, kind, data)), chain)


def decode(payload: bytes) -> Entry:
    """The entry in a record's payload.

    Raises:
        ValueError: it has not the shape of one; its CRC was right, so a newer kappa wrote it.
    """
    fields = unpack(payload)
    try:
        if type(fields[3]) is str:
            lsn, append_time, synced, kind, data = fields
            return control_entry(lsn, append_time, synced, kind, data)
        parts = fields[11]
        if len(parts) == 1:
            parts = (_new(Part, parts[0]),)
        else:
            parts = tuple([_new(Part, part) for part in parts])
        return _new(Entry, (*fields[:11], parts, APPEND, None))
    except (TypeError, IndexError, ValueError) as error:
        raise ValueError(f"not the shape of a journal record: {error}") from None


def head_frame(head: dict[str, Any]) -> bytes:
    """The frame of a journal file's head; its CRC starts from 0."""
    return frame(pack(head), 0)[0]


def read_head(file: File) -> tuple[dict[str, Any], int] | None:
    """A journal file's head and the position behind it; None if it is not whole.

    Memory is taken only for a length that lies within the file.
    """
    start = file.read_at(0, FRAME.size)
    if len(start) < FRAME.size:
        return None
    crc, length = FRAME.unpack(start)
    if not 0 < length <= file.size() - FRAME.size:
        return None
    payload = file.read_at(FRAME.size, length)
    if _crc32(payload, _crc32(start[4:])) != crc:
        return None
    head = unpack(payload)
    return (head, FRAME.size + length) if isinstance(head, dict) else None


class Scan:
    """Walks the valid records of a journal file from a known place in the chain.

    Iterating yields entries and moves `position`, `chain` and `lsn` behind each; it stops
    at the first record that is not whole and valid, or at a "roll" record, which sets
    `rolled`: the log goes on in the next file. Iterate again to read what came since.

    Args:
        file: the journal file.
        position: where the next record starts.
        chain: CRC of the record before it.
        lsn: LSN of the record before it.

    Cost: 2 to 3 µs per record.
    """

    __slots__ = ("chain", "file", "lsn", "position", "rolled")

    def __init__(self, file: File, position: int, chain: int, lsn: int) -> None:
        self.file = file
        self.position = position
        self.chain = chain
        self.lsn = lsn
        self.rolled = False

    def __iter__(self) -> Iterator[Entry]:
        return self.read(CHUNK_BYTES)

    def read(self, chunk_bytes: int) -> Iterator[Entry]:
        """The entries from here on, read in chunks of about `chunk_bytes`."""
        needed = chunk_bytes
        while not self.rolled:
            data = self.file.read_at(self.position, max(needed, chunk_bytes))
            before = self.position
            yield from self._entries(data)
            if len(data) < chunk_bytes:
                return
            needed = chunk_bytes
            if self.position == before:
                needed = self._longer(data)
                if needed <= len(data):
                    return

    def _entries(self, data: bytes) -> Iterator[Entry]:
        place, end = 0, len(data) - FRAME.size
        unpack_frame, start = FRAME.unpack_from, self.position
        chain = self.chain
        while place <= end:
            crc, length = unpack_frame(data, place)
            behind = place + FRAME.size + length
            if behind > len(data):
                return
            if _crc32(data[place + 4 : behind], chain) != crc:
                return
            try:
                entry = decode(data[place + 8 : behind])
            except ValueError as error:
                raise self._unknown(start + place, error) from None
            if entry.lsn != self.lsn + 1:
                return
            chain = self.chain = crc
            place = behind
            self.position = start + place
            self.lsn = entry.lsn
            self.rolled = entry.kind == "roll"
            yield entry
            if self.rolled:
                return

    def _unknown(self, position: int, error: ValueError) -> CorruptBatch:
        return CorruptBatch(
            f"the journal record of LSN {self.lsn + 1} at byte {position} is whole, but of no"
            f" shape that this kappa knows ({error}); a newer one may have written it",
            position=position,
            lsn=self.lsn + 1,
        )

    def _longer(self, data: bytes) -> int:
        """The bytes to read for a record that one chunk does not hold; 0 if none is there."""
        _, length = FRAME.unpack_from(data)
        whole = FRAME.size + int(length)
        fits = length <= MAX_RECORD_BYTES and self.position + whole <= self.file.size()
        return whole if fits else 0
