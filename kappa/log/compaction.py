"""Keeping only the last record of each key, in topics that ask for it.

Sealed, durable segments are rewritten; each body keeps the records that no later one of
the same key replaces, and they keep their offsets. A record whose value is None is a
tombstone: it hides the records before it, and goes itself once it is old. Records without
a key, and those of closing appends, which may still be voided, are kept and hide nothing.

    compacted := segment header, body*, index, length u32, crc u32 of the index
    index     := msgpack [[base_offset, position, length, crc]*]     length 0: nothing kept

The journal is not touched: parts still name their old places, and a reader finds the new
ones by the index of the generation that the catalog names. Counts, event times and lags
in the journal stay those of the appends, so no watermark changes (R5).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kappa.codec.plain import pack
from kappa.log.body import decode_body, keep_rows
from kappa.log.catalog import Topic
from kappa.log.heads import SEGMENT_START, segment_name, topic_folder
from kappa.log.journal import CLOSING, FRAME, Entry, Part
from kappa.log.reader import keys_of
from kappa.log.retention import remove_leftovers
from kappa.log.segments import SEGMENT_HEADER
from kappa.log.store import Store

__all__ = ["Compacted", "compact", "compact_all"]


@dataclass(frozen=True, slots=True)
class Compacted:
    """What compaction did to one topic: segments rewritten, records and bytes gone."""

    topic: str
    segments: int
    records: int
    size: int


def compact_all(
    store: Store, topics: Sequence[Topic], *, tombstones_before: int
) -> list[Compacted]:
    """`compact` for those of `topics` that were made for it."""
    wanted = [topic for topic in topics if topic.compact]
    return [compact(store, topic, tombstones_before=tombstones_before) for topic in wanted]


def compact(store: Store, topic: Topic, *, tombstones_before: int) -> Compacted:
    """Rewrites the sealed segments of a topic.

    Args:
        store: the log's.
        topic: which.
        tombstones_before: tombstones appended before this time go, milliseconds.

    Cost: reads the topic twice; memory for its distinct keys.
    """
    durable = store.sync()
    segments = records = size = 0
    for partition in range(topic.partitions):
        newest = _newest(store, topic, partition)
        rewriting = _Rewriting(store, topic, newest, tombstones_before)
        changed: dict[int, int] = {}
        for sealed in list(store.ledger.heads[topic.id][partition].sealed):
            if sealed.last_lsn > durable:
                break
            span = (sealed.first_lsn, sealed.last_lsn)
            generation = rewriting.segment(partition, sealed.segment, span)
            if generation:
                changed[sealed.segment] = generation
        if changed:
            _publish(store, topic, partition, changed)
        segments += len(changed)
        records += rewriting.records
        size += rewriting.size
    return Compacted(topic.full_name, segments, records, size)


def _publish(store: Store, topic: Topic, partition: int, changed: Mapping[int, int]) -> None:
    store.files.sync_folder(topic_folder(topic.id))
    data = {"topic": topic.id, "partition": partition, "segments": dict(changed)}
    store.control("compaction", data)
    store.sync()
    for segment in changed:
        store.segments.forget((topic.id, partition, segment))
    remove_leftovers(store, topic)


def _parts(
    store: Store, topic: Topic, partition: int, lsns: tuple[int, int]
) -> Iterator[tuple[Entry, Part]]:
    voided = store.ledger.catalog.voided
    for entry in store.history.entries(lsns[0] - 1, end=lsns[1]):
        if entry.lsn in voided:
            continue
        for part in entry.parts:
            if part.topic_id == topic.id and part.partition == partition:
                yield entry, part


def _newest(store: Store, topic: Topic, partition: int) -> dict[Any, int]:
    """The offset of the last record of each key."""
    newest: dict[Any, int] = {}
    start = store.ledger.heads[topic.id][partition].start_offset
    end = store.refresh()
    for entry, part in _parts(store, topic, partition, (1, end)):
        if part.base_offset + part.count <= start or entry.flags & CLOSING:
            continue
        data = store.segments.read((part,))[0]
        if data:
            newest |= zip(*_keys_and_offsets(topic, part, data))
    return newest


def _keys_and_offsets(topic: Topic, part: Part, data: bytes) -> tuple[list[Any], list[int]]:
    body = decode_body(data)
    offsets = body.offsets or range(body.count)
    keys = keys_of(topic, body)
    return list(keys), [part.base_offset + offset for offset in offsets]


class _Rewriting:
    """Rewrites segments of one partition."""

    def __init__(
        self, store: Store, topic: Topic, newest: dict[Any, int], tombstones_before: int
    ) -> None:
        self._store = store
        self._topic = topic
        self._newest = newest
        self._tombstones_before = tombstones_before
        self.records = 0
        self.size = 0

    def segment(self, partition: int, segment: int, lsns: tuple[int, int]) -> int:
        """Writes the next generation of a segment; 0 if nothing in it is to go."""
        kept: list[tuple[int, bytes]] = []
        gone = before = 0
        for entry, part in _parts(self._store, self._topic, partition, lsns):
            if part.segment == segment:
                data = self._store.segments.read((part,))[0]
                body, removed = self._kept(entry, part, data)
                kept.append((part.base_offset, body))
                gone += removed
                before += len(data)
        if not gone:
            return 0
        key = (self._topic.id, partition, segment)
        generation = self._store.ledger.catalog.compacted.get(key, 0) + 1
        self._write(segment_name(*key, generation), kept)
        self.records += gone
        self.size += before - sum(len(body) for _, body in kept)
        return generation

    def _kept(self, entry: Entry, part: Part, data: bytes) -> tuple[bytes, int]:
        """What stays of a body, and how many of its records go."""
        if not data or entry.flags & CLOSING:
            return data, 0
        keys, offsets = _keys_and_offsets(self._topic, part, data)
        old = entry.append_time < self._tombstones_before
        rows = decode_body(data).rows() if old else []
        stay = [
            at
            for at, (key, offset) in enumerate(zip(keys, offsets, strict=True))
            if key is None or (self._newest.get(key) == offset and not (old and rows[at] is None))
        ]
        if len(stay) == len(keys):
            return data, 0
        return (keep_rows(data, stay).data if stay else b""), len(keys) - len(stay)

    def _write(self, name: str, bodies: list[tuple[int, bytes]]) -> None:
        chunks, index, position = [SEGMENT_HEADER], [], SEGMENT_START
        for base_offset, body in bodies:
            index.append((base_offset, position, len(body), zlib.crc32(body)))
            chunks.append(body)
            position += len(body)
        footer = pack(index)
        chunks += (footer, FRAME.pack(len(footer), zlib.crc32(footer)))
        file = self._store.files.open(name, create=True)
        file.truncate(0)
        file.write_at(0, b"".join(chunks))
        file.sync()
