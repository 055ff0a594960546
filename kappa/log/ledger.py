"""Everything that follows from the journal up to one LSN.

A `Ledger` is the catalog, the partition heads, and the place in the journal that they
belong to. It moves by `apply`, one record at a time, in every process alike; a journal
file's head holds one whole, so that opening a log reads the newest file only.
"""

from __future__ import annotations

from typing import Any

from kappa.log.catalog import REGISTRY, Catalog, Topic
from kappa.log.heads import SEGMENT_START, Head
from kappa.log.journal import APPEND, FORMAT, Entry, journal_name

__all__ = ["Dirty", "Ledger", "result_of"]


class Dirty:
    """What was written since it was last synced.

    Attributes:
        segments: (topic id, partition, segment) of files with new bytes.
        topics: ids of topics whose folders have new names.
        journals: first LSNs of journal files with new bytes.
        new_journal, new_topic: whether their folders have new names.
    """

    __slots__ = ("journals", "new_journal", "new_topic", "segments", "topics")

    def __init__(self) -> None:
        self.segments: set[tuple[int, int, int]] = set()
        self.topics: set[int] = set()
        self.journals: set[int] = set()
        self.new_journal = False
        self.new_topic = False

    def merge(self, other: Dirty) -> None:
        """Adds what another holds."""
        self.segments |= other.segments
        self.topics |= other.topics
        self.journals |= other.journals
        self.new_journal |= other.new_journal
        self.new_topic |= other.new_topic


class Ledger:
    """The state of a log as of `lsn`.

    Attributes:
        lsn: of the last record taken in.
        chain: its CRC.
        position: where the next record goes in the journal file.
        start: where the file's first record is.
        file_lsn: first LSN of that file.
        rolled: the file is finished, the next one is due.
        append_time: largest append time so far.
        synced: highest synced LSN that a record carries.
        noted: LSN of the last record that says nothing else.
        catalog: what control records say.
        heads: the partitions' heads by topic id.
        dirty: what is not synced yet.
    """

    def __init__(self) -> None:
        self.lsn = 0
        self.chain = 0
        self.position = 0
        self.start = 0
        self.file_lsn = 1
        self.rolled = False
        self.append_time = 0
        self.synced = 0
        self.noted = 0
        self.catalog = Catalog()
        self.heads: dict[int, list[Head]] = {}
        self.dirty = Dirty()

    @property
    def journal(self) -> str:
        """The name of the journal file that is written."""
        return journal_name(self.file_lsn)

    def apply(self, entry: Entry) -> None:
        """Takes in the next record; its place in the file is the caller's to set."""
        if entry.kind == APPEND:
            self._take_append(entry)
        else:
            self._take_control(entry)
        self.lsn = entry.lsn
        if entry.append_time > self.append_time:
            self.append_time = entry.append_time
        if entry.synced > self.synced:
            self.synced = entry.synced
        self.dirty.journals.add(self.file_lsn)

    def _take_append(self, entry: Entry) -> None:
        dirty = self.dirty
        for part in entry.parts:
            heads = self.heads.get(part.topic_id)
            if heads is None:
                continue  # the topic was deleted since, and its segments with it
            heads[part.partition].take(part, entry.lsn, entry.append_time)
            dirty.segments.add(part[:3])
            if part.position == SEGMENT_START:
                dirty.topics.add(part.topic_id)
        if entry.producer is not None and entry.last is not None:
            producer = self.catalog.by_index[entry.producer]
            producer.last = entry.last
            producer.recent.append(result_of(entry))
            producer.trim()

    def _take_control(self, entry: Entry) -> None:
        data = entry.data or {}
        self.catalog.apply(entry)
        if entry.kind == "topic":
            self.heads[data["id"]] = [Head() for _ in range(data["partitions"])]
            self.dirty.new_topic = True
        elif entry.kind == "delete_topic":
            self.heads.pop(data["topic"], None)
            self.dirty.segments = {k for k in self.dirty.segments if k[0] != data["topic"]}
            self.dirty.topics.discard(data["topic"])
        elif entry.kind == "retention":
            for partition, offset in data["starts"].items():
                self._remove(data["topic"], partition, offset)
        elif entry.kind == "roll":
            self.rolled = True
        elif entry.kind == "synced":
            self.noted = entry.lsn

    def _remove(self, topic_id: int, partition: int, offset: int) -> None:
        heads = self.heads.get(topic_id)
        if heads is not None:
            gone = heads[partition].remove_before(offset)
            self.dirty.segments -= {(topic_id, partition, sealed.segment) for sealed in gone}

    @property
    def registered(self) -> int:
        """How many records the schema registry has."""
        found = self.catalog.find(REGISTRY, None)
        return 0 if found is None else self.heads[found.id][0].next_offset

    @property
    def declared(self) -> int:
        """How many contracts and schemas were set: rises when what records are held to changes."""
        return self.catalog.contract_changes + self.registered

    def topic_head(self, topic: Topic, partition: int) -> Head:
        """The head of one partition."""
        return self.heads[topic.id][partition]

    # As a journal file's head keeps it.

    def saved(self) -> dict[str, Any]:
        """The ledger as a journal file's head."""
        return {
            "format": FORMAT,
            "lsn": self.lsn,
            "chain": self.chain,
            "append_time": self.append_time,
            "synced": self.synced,
            "catalog": self.catalog.saved(),
            "heads": {id: [head.saved() for head in heads] for id, heads in self.heads.items()},
        }

    @classmethod
    def restored(cls, head: dict[str, Any], position: int) -> Ledger:
        """The ledger of a journal file's head, which ends at `position`."""
        ledger = cls()
        ledger.lsn = head["lsn"]
        ledger.chain = head["chain"]
        ledger.position = ledger.start = position
        ledger.file_lsn = ledger.lsn + 1
        ledger.append_time = head["append_time"]
        ledger.synced = head["synced"]
        ledger.catalog = Catalog.restored(head["catalog"])
        for topic_id, saved in head["heads"].items():
            ledger.heads[topic_id] = [Head.restored(values) for values in saved]
        return ledger


def result_of(entry: Entry) -> tuple[Any, ...]:
    """What a producer's repeat of this append is answered with; see `ProducerState`."""
    parts = tuple([(part[0], part[1], part[6], part[7]) for part in entry.parts])
    return (entry.first, entry.last, entry.lsn, entry.append_time, entry.crc, parts)
