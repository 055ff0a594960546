"""Removing what a topic need not keep any more.

Whole sealed segments go, oldest first, and only such as are durable. The journal keeps
every record of them, so the largest event times, last append times and claims that a
watermark rests on do not change (R5): who replays finds the same times, and an
`OffsetOutOfRange` where the records were.

The order makes it safe at any crash: what is to go is durable; a control record says where
each partition starts now; that is durable; then the files go. Files that a crash left
behind go the next time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kappa.log.catalog import Topic
from kappa.log.heads import Head, Sealed, topic_folder
from kappa.log.store import Store

__all__ = ["Removed", "remove_leftovers", "retain", "retain_all"]


@dataclass(frozen=True, slots=True)
class Removed:
    """What retention removed from one topic.

    Attributes:
        topic: its full name.
        records: how many records are gone.
        size: bytes of their segments.
        starts: the first offset left, by partition, where it moved.
    """

    topic: str
    records: int
    size: int
    starts: dict[int, int]


def retain_all(store: Store, topics: Sequence[Topic], *, now: int) -> list[Removed]:
    """`retain` for those of `topics` that ask for it."""
    wanted = [t for t in topics if (t.retention_ms, t.retention_bytes) != (None, None)]
    return [retain(store, topic, now=now) for topic in wanted]


def retain(store: Store, topic: Topic, *, now: int) -> Removed:
    """Removes what a topic's settings do not ask to keep.

    Args:
        store: the log's.
        topic: with `retention_ms`, `retention_bytes` (of one partition), both or none.
        now: the time that ages are counted from, milliseconds.
    """
    durable = store.sync()
    starts: dict[int, int] = {}
    records = size = 0
    with store.writing() as writing:
        heads = store.ledger.heads.get(topic.id, [])
        for partition, head in enumerate(heads):
            gone = _outdated(topic, head, now, durable)
            if gone:
                starts[partition] = gone[-1].end_offset
                records += gone[-1].end_offset - head.start_offset
                size += sum(sealed.end_position for sealed in gone)
        if starts:
            writing.control("retention", {"topic": topic.id, "starts": starts})
    store.sync()
    remove_leftovers(store, topic)
    return Removed(topic.full_name, records, size, starts)


def _outdated(topic: Topic, head: Head, now: int, durable: int) -> list[Sealed]:
    """The sealed segments of a partition that may go: a prefix of them."""
    total = head.position + sum(sealed.end_position for sealed in head.sealed)
    gone: list[Sealed] = []
    for sealed in head.sealed:
        old = topic.retention_ms is not None and sealed.append_time < now - topic.retention_ms
        large = topic.retention_bytes is not None and total > topic.retention_bytes
        if sealed.last_lsn > durable or not (old or large):
            break
        gone.append(sealed)
        total -= sealed.end_position
    return gone


def remove_leftovers(store: Store, topic: Topic) -> None:
    """Removes files that no record names: before the start, or of an older generation."""
    heads = store.ledger.heads.get(topic.id, [])
    folder = topic_folder(topic.id)
    compacted = store.ledger.catalog.compacted
    for name in store.files.names(folder):
        found = parse_segment_name(name)
        if found is None or found[0] >= len(heads):
            continue
        partition, segment, generation = found
        head, key = heads[partition], (topic.id, partition, segment)
        first = head.sealed[0].segment if head.sealed else head.segment
        removed = segment < first and segment < head.start_offset
        older = generation < compacted.get(key, 0)
        if removed or older:
            store.segments.forget(key)
            store.files.remove(f"{folder}/{name}")


def parse_segment_name(name: str) -> tuple[int, int, int] | None:
    """Partition, first offset and generation of a segment file; None for other names.

    >>> parse_segment_name("00003-00000000000000004096.2.seg")
    (3, 4096, 2)
    """
    stem, dot, suffix = name.rpartition(".")
    stem, _, generation = stem.partition(".")
    partition, dash, segment = stem.partition("-")
    numbers = (partition, segment, generation or "0")
    if suffix != "seg" or not dot or not dash or not all(map(str.isdigit, numbers)):
        return None
    return int(partition), int(segment), int(generation or 0)
