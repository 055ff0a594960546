"""The schema registry: a topic of the log, `_schemas`, and what follows from its records.

Every schema that was ever set is one record there, under its topic's name. Nothing else says
which schema a topic has, so the registry replays, and every process that has read as far knows
the same. A schema counts for the appends behind the record's own LSN: a record is always read
with the schema that it was written with. An append that was encoded before a schema was set
and comes to be written after it is encoded again (`RegistryMoved`).

    {"topic", "topic_id", "version", "compatibility", "since", "fingerprint", "schema"}

`since` is the LSN behind which rows are of that version: the record's own, but 0 for a first
version, if the rows that were there before it have been checked. A record that repeats the
newest version changes the mode alone.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from typing import Any, NamedTuple

from kappa.log.catalog import REGISTRY, Topic
from kappa.log.reader import Record, read
from kappa.log.store import Store
from kappa.schemas import Fitting, Resolution, Schema
from kappa.schemas.resolution import as_stored_before

__all__ = ["Registry", "SchemaVersion", "SchemaView", "TopicSchemas"]


@dataclass(frozen=True, slots=True)
class SchemaVersion:
    """One version of a topic's schema.

    Attributes:
        topic: its name.
        version: number from 1.
        schema: what rows look like from then on.
        compatibility: the mode that the next version has to keep.
        lsn: of its record in the registry.
        since: the LSN behind which rows are of this version; 0 where the first one holds for
            rows that had been there before it.
        append_time: when it was set, in milliseconds.
    """

    topic: str
    version: int
    schema: Schema
    compatibility: str
    lsn: int
    since: int
    append_time: int

    @property
    def fingerprint(self) -> str:
        """32 hex digits that tell the schema from any other."""
        return self.schema.fingerprint


class SchemaView:
    """How rows of each LSN are seen through one schema.

    Args:
        schemas: the topic's.
        through: the version that older rows are seen through.
        newer: whether rows of later versions are seen through it too, else as they are.
        known: the topic's schemas as of now, for who reads on while others are set: a row is
            of the version that its LSN says, whenever it is read.
    """

    def __init__(
        self,
        schemas: TopicSchemas,
        through: SchemaVersion,
        *,
        newer: bool,
        known: Callable[[], TopicSchemas | None] | None = None,
    ) -> None:
        self._schemas = schemas
        self._known = known
        self.through = through
        self._newer = newer
        self._made: dict[tuple[int, bool], Resolution | None] = {}

    @property
    def schemas(self) -> TopicSchemas:
        """The topic's."""
        if self._known is not None:
            self._schemas = self._known() or self._schemas
        return self._schemas

    def runs(self, lsns: Sequence[int]) -> list[tuple[Resolution | None, int]]:
        """How the rows of appends are seen, and how many neighbours are seen so.

        Args:
            lsns: at least one, in any order.

        Cost: 1 µs where one version wrote them all; else as much for each.
        """
        low, high = min(lsns), max(lsns)
        schemas = self.schemas
        first, last = schemas.at(low), schemas.at(high)
        if first is last and (first is None or (low < first.lsn) is (high < first.lsn)):
            return [(self.at(low), len(lsns))]
        return [(seen, sum(1 for _ in some)) for seen, some in groupby(lsns, self.at)]

    def at(self, lsn: int) -> Resolution | None:
        """How rows of an append are seen; None if they are as they should be."""
        writer = self.schemas.at(lsn)
        if writer is None or (writer.version > self.through.version and not self._newer):
            return None
        before = lsn < writer.lsn
        key = (writer.version, before)
        if key not in self._made:
            schema = as_stored_before(writer.schema) if before else writer.schema
            made = Resolution(schema, self.through.schema)
            self._made[key] = None if made.same or not made.possible else made
        return self._made[key]


class TopicSchemas:
    """The schemas of one topic, oldest first, at least one."""

    def __init__(self, versions: Sequence[SchemaVersion]) -> None:
        self.versions = tuple(versions)
        self._since = [one.since for one in self.versions]

    @property
    def newest(self) -> SchemaVersion:
        """The version that rows have to fit now."""
        return self.versions[-1]

    @cached_property
    def fitting(self) -> Fitting:
        """What makes rows fit the newest version."""
        return Fitting(self.newest.schema)

    def at(self, lsn: int) -> SchemaVersion | None:
        """The version that rows of an append were written with; None before the first."""
        found = bisect_left(self._since, lsn)
        return self.versions[found - 1] if found else None

    def get(self, version: int) -> SchemaVersion | None:
        """The version of that number."""
        return self.versions[version - 1] if 0 < version <= len(self.versions) else None

    def view(
        self,
        version: int | None = None,
        *,
        newer: bool = False,
        known: Callable[[], TopicSchemas | None] | None = None,
    ) -> SchemaView:
        """Rows through one version, the newest by default."""
        through = self.newest if version is None else self.versions[version - 1]
        return SchemaView(self, through, newer=newer, known=known)

    def as_of(self, lsn: int) -> SchemaView | None:
        """Rows through the newest version that an LSN knows; None before the first."""
        known = [one.version for one in self.versions if one.lsn <= lsn]
        return self.view(known[-1]) if known else None

    def with_record(self, record: Record) -> TopicSchemas:
        """These and what one more record of the registry says."""
        made = version_of(record)
        if made.version == len(self.versions):  # the same one again: the mode alone is new
            newest = replace(self.newest, compatibility=made.compatibility)
            return TopicSchemas((*self.versions[:-1], newest))
        return TopicSchemas((*self.versions, made))


def version_of(record: Record) -> SchemaVersion:
    """What a record of the registry says."""
    value = record.value
    return SchemaVersion(
        value["topic"],
        value["version"],
        Schema.from_dict(value["schema"]),
        value["compatibility"],
        record.lsn,
        record.lsn if value["since"] is None else value["since"],
        record.time,
    )


def row_of(
    topic: Topic, version: int, schema: Schema, compatibility: str, since: int | None
) -> dict[str, Any]:
    """The record of a version; a `since` of None is its own LSN."""
    return {
        "topic": topic.full_name,
        "topic_id": topic.id,
        "version": version,
        "compatibility": compatibility,
        "since": since,
        "fingerprint": schema.fingerprint,
        "schema": schema.to_dict(),
    }


class _Known(NamedTuple):
    """What has been read of the registry, up to an offset."""

    end: int
    topics: dict[int, TopicSchemas]


class Registry:
    """The schemas of a log's topics; reads on in the topic `_schemas` when that has grown.

    Args:
        store: the log's.

    Cost: 0.2 µs to see that nothing is new.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known = _Known(0, {})
        self._mutex = threading.Lock()

    def of(self, topic_id: int) -> TopicSchemas | None:
        """The schemas of a topic; None if it has none."""
        return self.known().topics.get(topic_id)

    def known(self) -> _Known:
        """All there is by now."""
        end = self._store.ledger.registered
        if end != self._known.end:
            with self._mutex:
                self._read_on(end)
        return self._known

    def _read_on(self, end: int) -> None:
        known = self._known
        topics = dict(known.topics) if end > known.end else {}  # else the log lost its end
        start = known.end if end > known.end else 0
        for record in self._records(start, end):
            topic_id = record.value["topic_id"]
            before = topics.get(topic_id)
            if before is None:
                topics[topic_id] = TopicSchemas((version_of(record),))
            else:
                topics[topic_id] = before.with_record(record)
        self._known = _Known(end, topics)

    def _records(self, start: int, end: int) -> Iterator[Record]:
        topic = self._store.ledger.catalog.topic((REGISTRY, None))
        yield from read(self._store, topic, partition=0, start=start, stop=end)
