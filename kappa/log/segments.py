"""Reading and writing bodies in segment files.

    segment := "kappa segment\\n" 0 format(u8) body*        16 bytes of header

A segment says nothing of its bodies: the journal names each by position, length and CRC.
Files are opened once and kept, the least recently used closed first; a reader holds the
file object, so closing never pulls a file from under it.
"""

from __future__ import annotations

import threading
import zlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import TypeAlias

from kappa.codec.plain import unpack
from kappa.errors import CorruptBatch, OffsetOutOfRange
from kappa.log.body import MAX_BODY_BYTES
from kappa.log.files import File, Files
from kappa.log.heads import SEGMENT_START, segment_name, topic_folder
from kappa.log.journal import FORMAT, FRAME, Part

__all__ = ["SEGMENT_HEADER", "Segments"]

SEGMENT_HEADER = b"kappa segment\n\0" + bytes([FORMAT])
assert len(SEGMENT_HEADER) == SEGMENT_START

KEPT_OPEN = 128
READ_BYTES = 8 << 20
"""Parts that lie side by side are read together up to this many bytes."""

_Key: TypeAlias = tuple[int, int, int]


class Segments:
    """The segment files of a log, by (topic id, partition, first offset).

    Args:
        files: the log's folder.
        generations: the generation of segments that compaction rewrote.
    """

    def __init__(self, files: Files, generations: Mapping[_Key, int] | None = None) -> None:
        self._files = files
        self.generations: Mapping[_Key, int] = {} if generations is None else generations
        self._indexes: dict[tuple[int, ...], dict[int, tuple[int, int, int]]] = {}
        self._open: OrderedDict[tuple[int, ...], File] = OrderedDict()
        self._mutex = threading.Lock()

    def file(self, key: _Key) -> File:
        """The open file of a segment, in its newest generation.

        Raises:
            FileNotFoundError: there is none.
        """
        file = self._open.get(self._place(key))
        return file if file is not None else self._opened(key, create=False)

    def _place(self, key: _Key) -> tuple[int, ...]:
        # By generation too: who has the old file open must not take it for the new one.
        return (*key, self.generations[key]) if key in self.generations else key

    def _opened(self, key: _Key, *, create: bool) -> File:
        file = self._files.open(self.name(key), create=create)
        with self._mutex:
            self._open[self._place(key)] = file
            while len(self._open) > KEPT_OPEN:
                self._open.popitem(last=False)
        return file

    def name(self, key: _Key) -> str:
        """The file of a segment in its newest generation."""
        return segment_name(*key, self.generations.get(key, 0))

    def write(self, key: _Key, position: int, data: bytes) -> None:
        """Writes bodies at `position`; the first of a segment creates it, header first."""
        file = self._open.get(key)
        if file is None:
            try:
                file = self._opened(key, create=True)
            except FileNotFoundError:
                # A power cut may have taken the topic's folder, which no append needed yet.
                self._files.make_folder(topic_folder(key[0]))
                file = self._opened(key, create=True)
        if position == SEGMENT_START:
            file.write_at(0, SEGMENT_HEADER + data)
        else:
            file.write_at(position, data)

    def forget(self, key: _Key) -> None:
        """Closes a segment that was removed or rewritten."""
        with self._mutex:
            for place in [place for place in self._open if place[:3] == key]:
                del self._open[place]

    def read(self, parts: Sequence[Part]) -> list[bytes]:
        """The bodies of parts, in the given order, their CRCs compared.

        Of a part that compaction left nothing of, the body is b"".

        Raises:
            CorruptBatch: a body does not read back as it was written.
            FileNotFoundError: the segment is not there.
        """
        if len(parts) == 1:
            return [self._read_one(parts[0])]
        found: list[bytes] = [b""] * len(parts)
        by_segment: dict[_Key, list[int]] = {}
        for at, part in enumerate(parts):
            by_segment.setdefault(part[:3], []).append(at)
        for key, places in by_segment.items():
            if key in self.generations:
                for at in places:
                    found[at] = self._read_compacted(parts[at])
                continue
            file = self.file(key)
            for run in _runs(parts, places):
                self._read_run(file, parts, run, found)
        return found

    def _read_compacted(self, part: Part) -> bytes:
        place = self._place(part[:3])
        index = self._indexes.get(place)
        if index is None:
            index = self._indexes[place] = self._read_index(part)
        position, length, crc = index.get(part.base_offset, (SEGMENT_START, 0, 0))
        moved = part._replace(position=position, length=length, crc=crc)
        return self._read_place(moved) if length else b""

    def _read_index(self, part: Part) -> dict[int, tuple[int, int, int]]:
        """Where compaction put the bodies of a segment, by base offset."""
        file = self.file(part[:3])
        end = file.size() - FRAME.size
        length, crc = FRAME.unpack(file.read_at(end, FRAME.size)) if end > 0 else (0, 0)
        data = file.read_at(end - length, length) if 0 < length <= end - SEGMENT_START else b""
        if not data or zlib.crc32(data) != crc:
            raise self._damaged(part)
        return {base: (at, size, crc) for base, at, size, crc in unpack(data)}

    def _read_one(self, part: Part) -> bytes:
        if part[:3] in self.generations:
            return self._read_compacted(part)
        return self._read_place(part)

    def _read_place(self, part: Part) -> bytes:
        file = self.file(part[:3])
        self._check_length(file, part, part.position + part.length)
        data = file.read_at(part.position, part.length)
        if len(data) != part.length or zlib.crc32(data) != part.crc:
            raise self._damaged(part)
        return data

    def _read_run(
        self, file: File, parts: Sequence[Part], run: list[int], found: list[bytes]
    ) -> None:
        start, last = parts[run[0]].position, parts[run[-1]]
        end = last.position + last.length
        self._check_length(file, last, end)
        data = file.read_at(start, end - start)
        view = memoryview(data)
        for at in run:
            part = parts[at]
            place = part.position - start
            body = view[place : place + part.length]
            if zlib.crc32(body) != part.crc or len(body) != part.length:
                raise self._damaged(part)
            found[at] = bytes(body)

    def _check_length(self, file: File, part: Part, end: int) -> None:
        # Before memory is taken for it: a long length is believed only if the file has it.
        if part.length > MAX_BODY_BYTES or (part.length > READ_BYTES and end > file.size()):
            raise self._damaged(part)

    def _damaged(self, part: Part) -> CorruptBatch:
        path = self._files.path(self.name(part[:3]))
        return CorruptBatch(
            f"{path}: the body at byte {part.position} (topic id {part.topic_id}, partition"
            f" {part.partition}, offset {part.base_offset}) does not have the CRC that the"
            " journal names; `kappa log verify` lists what is damaged",
            partition=part.partition,
            offset=part.base_offset,
            path=path,
            position=part.position,
        )

    def missing(self, part: Part, start_offset: int) -> OffsetOutOfRange | CorruptBatch:
        """The error for a part whose segment is not there."""
        path = self._files.path(self.name(part[:3]))
        if part.base_offset + part.count <= start_offset:
            return OffsetOutOfRange(
                f"offset {part.base_offset} of partition {part.partition} was removed by"
                f" retention; the partition starts at {start_offset}",
                partition=part.partition,
                offset=part.base_offset,
            )
        return CorruptBatch(
            f"{path} is missing, and retention did not remove it",
            partition=part.partition,
            offset=part.base_offset,
            path=path,
        )


def _runs(parts: Sequence[Part], places: list[int]) -> list[list[int]]:
    """The places of parts of one segment, split where bytes or the read size end."""
    runs = [[places[0]]]
    start = parts[places[0]].position
    end = start + parts[places[0]].length
    for at in islice(places, 1, None):
        part = parts[at]
        if part.position != end or part.position + part.length - start > READ_BYTES:
            runs.append([])
            start = part.position
        runs[-1].append(at)
        end = part.position + part.length
    return runs
