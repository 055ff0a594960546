"""Where each partition ends: what the next append to it needs to know.

A head is derived from the journal alone: the parts of every append move it. Segments that
an append left behind are sealed, and only sealed ones are ever removed or compacted.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from kappa.log.journal import Part
from kappa.time import MINUS_INFINITY

__all__ = ["SEGMENT_START", "Head", "Sealed", "segment_name", "topic_folder"]

SEGMENT_START = 16
"""Bytes of a segment file's own header; the first body lies behind it."""


def topic_folder(topic_id: int) -> str:
    """The folder of a topic's segments, by id so that a name may be used again."""
    return f"topics/{topic_id:06d}"


def segment_name(topic_id: int, partition: int, segment: int, generation: int = 0) -> str:
    """The file of a segment, named by its first offset.

    >>> segment_name(3, 0, 4096)
    'topics/000003/00000-00000000000000004096.seg'
    """
    suffix = f".{generation}.seg" if generation else ".seg"
    return f"topics/{topic_id:06d}/{partition:05d}-{segment:020d}{suffix}"


class Sealed(NamedTuple):
    """A segment that nothing is appended to any more."""

    segment: int
    end_offset: int
    end_position: int
    first_lsn: int
    last_lsn: int
    append_time: int
    max_time: int


class Head:
    """The end of one partition.

    Attributes:
        segment: first offset of the segment being written; -1 before the first append.
        position: where the next body goes in it.
        next_offset: the next record's offset.
        start_offset: the first offset that retention left.
        max_time: largest event time so far.
        append_time: of the last append to it.
        sealed: the segments behind, oldest first.
    """

    __slots__ = (
        "append_time",
        "first_lsn",
        "last_lsn",
        "max_time",
        "next_offset",
        "position",
        "sealed",
        "segment",
        "segment_max_time",
        "start_offset",
    )

    def __init__(self) -> None:
        self.segment = -1
        self.position = SEGMENT_START
        self.next_offset = 0
        self.start_offset = 0
        self.max_time = MINUS_INFINITY
        self.append_time = 0
        self.first_lsn = 0
        self.last_lsn = 0
        self.segment_max_time = MINUS_INFINITY
        self.sealed: list[Sealed] = []

    def take(self, part: Part, lsn: int, append_time: int) -> None:
        """Moves on by one part of append `lsn`."""
        if part[2] != self.segment:
            self._seal(part[2], lsn)
        self.position = part[3] + part[4]
        self.next_offset = part[6] + part[7]
        max_time = part[9]
        if max_time > self.segment_max_time:
            self.segment_max_time = max_time
            if max_time > self.max_time:
                self.max_time = max_time
        self.last_lsn = lsn
        if append_time > self.append_time:
            self.append_time = append_time

    def _seal(self, segment: int, lsn: int) -> None:
        if self.segment >= 0:
            self.sealed.append(self.current())
        self.segment = segment
        self.first_lsn = lsn
        self.segment_max_time = MINUS_INFINITY

    def current(self) -> Sealed:
        """The segment being written as if it were sealed now."""
        return Sealed(
            self.segment,
            self.next_offset,
            self.position,
            self.first_lsn,
            self.last_lsn,
            self.append_time,
            self.segment_max_time,
        )

    def remove_before(self, offset: int) -> list[Sealed]:
        """Forgets the sealed segments that end at or before `offset`, and returns them."""
        gone = [sealed for sealed in self.sealed if sealed.end_offset <= offset]
        del self.sealed[: len(gone)]
        self.start_offset = max(self.start_offset, offset)
        return gone

    def mark(self) -> tuple[int, ...]:
        """The head as numbers, for `back_to`; the last is how many segments are sealed."""
        return (
            self.segment,
            self.position,
            self.next_offset,
            self.start_offset,
            self.max_time,
            self.append_time,
            self.first_lsn,
            self.last_lsn,
            self.segment_max_time,
            len(self.sealed),
        )

    def back_to(self, mark: tuple[int, ...]) -> None:
        """Undoes every `take` since `mark`."""
        (
            self.segment,
            self.position,
            self.next_offset,
            self.start_offset,
            self.max_time,
            self.append_time,
            self.first_lsn,
            self.last_lsn,
            self.segment_max_time,
            sealed,
        ) = mark
        del self.sealed[sealed:]

    def saved(self) -> tuple[Any, ...]:
        """The head as plain values, for a journal file's head."""
        return (*self.mark()[:-1], tuple(self.sealed))

    @classmethod
    def restored(cls, saved: tuple[Any, ...]) -> Head:
        """The head that `saved` was made of."""
        head = cls()
        head.back_to((*saved[:-1], 0))
        head.sealed = [Sealed(*sealed) for sealed in saved[-1]]
        return head
