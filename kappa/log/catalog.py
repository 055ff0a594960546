"""What the control records say: topics, aliases, versions, producers, voided appends.

The catalog is a state machine over the journal: `apply` takes each control record in LSN
order, so every process that has read to the same LSN knows the same catalog. Nothing else
changes it. Unknown kinds of record are counted and left alone, so that an older kappa
reads a newer log as long as the file format is the same.

    topic         {"id", "name", "version", "partitions", ...}    see `Topic`
    delete_topic  {"topic": id}
    producer      {"id", "mode"}                 opens it: the epoch rises by one
    alias         {"outputs": {name: version}, "rollback", ...}   switches them all at once; with
                                                  "rollback", back to what stood before
    version       {"pipeline", "version", ...}   merged over what is known of it
    void          {"lsn"}                        readers skip that append
    contract      {"topic": id, "version", "contract", ...}       see `kappa.log.contracts`
    retention     {"topic", "starts": {partition: first offset}}
    compaction    {"topic", "partition", "segments": {segment: generation}}
    recovered     {"epoch", "cut_bytes", "aside"}
    run           {"name", ...}                  history, the newest kept; one with "ended"
                                                  is the end of the one before of that name
    backfill      {"pipeline", "since", "until", "version"}  its tables' files are cut here
    synced, roll  nothing to know
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from kappa.errors import ConfigError, UnknownTopic
from kappa.log.journal import Entry

__all__ = ["OWNER", "REGISTRY", "Catalog", "ProducerState", "Topic", "check_name", "split_name"]

_NAME = re.compile(r"[A-Za-z0-9._-]{1,200}")
KEPT_RUNS = 200
REGISTRY, OWNER = "_schemas", "the schema registry"
"""The topic that holds every schema ever set, and who alone writes it."""
KEPT_RESULTS = 64
"""Results kept per producer to answer repeats without reading the journal."""


def check_name(name: str, *, what: str = "topic") -> str:
    """`name` itself if the log can store it.

    Raises:
        ConfigError: it is not 1 to 200 of the characters A-Z a-z 0-9 . _ -
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name) or set(name) == {"."}:
        raise ConfigError(
            f"{name!r} is no {what} name: use 1 to 200 of the characters A-Z a-z 0-9 . _ -"
        )
    return name


def split_name(name: str) -> tuple[str, int | None]:
    """A topic's name and version as they are written.

    >>> split_name("delays@2"), split_name("bids")
    (('delays', 2), ('bids', None))
    """
    bare, at, version = name.partition("@")
    if not at:
        return bare, None
    if not version.isdecimal():
        raise ConfigError(f"{name!r}: the version behind @ must be a whole number")
    return bare, int(version)


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as it was created; nothing in it ever changes.

    Attributes:
        id: number of the topic in its log, and the name of its folder.
        name, version: `bids`, or `delays` with version 2, written `delays@2`.
        partitions: how many.
        key: the field, or fields, that hold the key; it is not stored a second time.
        time: the field that holds the event time.
        codec: how bodies are compressed: none, zlib or zstd.
        max_future_skew_ms: how far a record may lie ahead of its append time.
        retention_ms, retention_bytes: what `Log.retain` leaves.
        compact: whether `Log.compact` keeps only the last record of each key.
        owner: the pipeline version that alone writes it.
        dead_letters: id of the topic for records that were refused at append.
    """

    id: int
    name: str
    version: int | None = None
    partitions: int = 1
    key: str | tuple[str, ...] | None = None
    time: str | None = None
    codec: str = "none"
    max_future_skew_ms: int | None = None
    retention_ms: int | None = None
    retention_bytes: int | None = None
    compact: bool = False
    owner: str | None = None
    dead_letters: int | None = None

    @property
    def full_name(self) -> str:
        """The name with the version, as `Log.topic` takes it."""
        return self.name if self.version is None else f"{self.name}@{self.version}"


class ProducerState:
    """What the log knows of a producer: its epoch, and where its sequences stand.

    `recent` holds (first, last, lsn, append time, content crc, parts) of its last appends,
    oldest first; parts are (topic id, partition, base offset, count).
    """

    __slots__ = ("epoch", "id", "index", "last", "mode", "recent")

    def __init__(self, id: str, index: int, mode: str) -> None:
        self.id = id
        self.index = index
        self.mode = mode
        self.epoch = 0
        self.last: int | None = None
        self.recent: list[tuple[Any, ...]] = []

    def trim(self) -> None:
        """Drops the oldest results once twice as many as wanted are kept."""
        if len(self.recent) > 2 * KEPT_RESULTS:
            del self.recent[:-KEPT_RESULTS]

    def saved(self) -> tuple[Any, ...]:
        """The state as plain values."""
        recent = tuple(self.recent[-KEPT_RESULTS:])
        return (self.id, self.index, self.mode, self.epoch, self.last, recent)

    @classmethod
    def restored(cls, saved: tuple[Any, ...]) -> ProducerState:
        """The state that `saved` was made of."""
        state = cls(*saved[:3])
        state.epoch, state.last = saved[3:5]
        state.recent = list(saved[5])
        return state


class Catalog:
    """The topics, aliases, versions and producers of a log, as of the LSN it has read.

    Attributes:
        topics: every topic by id; `full_names` their names with versions.
        aliases: version that a bare name stands for.
        earlier: the versions that it stood for before, oldest first; a rollback drops one.
        versions: what is known of (pipeline, version).
        producers: by id; `by_index` the same, by the number that appends carry.
        voided: LSNs of appends that readers skip.
        compacted: generation of a rewritten segment by (topic id, partition, segment).
        contracts: by topic id, the versions of its contract, oldest first.
        contract_changes: how many contracts were set or taken away.
        epoch: raised whenever a recovery cut the log.
        runs: the newest run records.
        unknown: how many control records of unknown kinds were met.
    """

    def __init__(self) -> None:
        self.topics: dict[int, Topic] = {}
        self.aliases: dict[str, int] = {}
        self.earlier: dict[str, list[int]] = {}
        self.versions: dict[tuple[str, int], dict[str, Any]] = {}
        self.producers: dict[str, ProducerState] = {}
        self.by_index: list[ProducerState] = []
        self.voided: set[int] = set()
        self.compacted: dict[tuple[int, int, int], int] = {}
        self.contracts: dict[int, list[dict[str, Any]]] = {}
        self.contract_changes = 0
        self.epoch = 1
        self.runs: list[dict[str, Any]] = []
        self.unknown = 0
        self.next_topic_id = 1
        self.full_names: dict[int, str] = {}
        self._names: dict[tuple[str, int | None], int] = {}
        self._whole: dict[str, Topic] = {}

    # What can be asked.

    def topic(self, name: str | tuple[str, int | None] | int) -> Topic:
        """The topic of an id, a name, "name@version" or (name, version).

        A bare name that only versions have is resolved through its alias.

        Raises:
            UnknownTopic: there is none; the message lists what there is.
        """
        if isinstance(name, int):
            found: int | None = name
        else:
            bare, version = split_name(name) if isinstance(name, str) else name
            found = self._names.get((bare, version))
            if found is None and version is None and bare in self.aliases:
                found = self._names.get((bare, self.aliases[bare]))
        topic = self.topics.get(found) if found is not None else None
        if topic is None:
            raise self._unknown(name)
        return topic

    def find(self, name: str, version: int | None) -> Topic | None:
        """The topic of exactly that name and version; no alias is followed."""
        found = self._names.get((name, version))
        return None if found is None else self.topics[found]

    def known(self, full_name: str) -> Topic | None:
        """The topic of exactly that name, version included; no alias is followed."""
        return self._whole.get(full_name)

    def versions_of(self, name: str) -> list[int]:
        """The versions that a topic name has, ascending."""
        return sorted(v for bare, v in self._names if bare == name and v is not None)

    def _unknown(self, name: object) -> UnknownTopic:
        shown = name if isinstance(name, str) else repr(name)
        bare = split_name(name)[0] if isinstance(name, str) else ""
        versions = self.versions_of(bare)
        if versions:
            hint = f"it has versions {', '.join(f'{bare}@{v}' for v in versions)}"
            hint += "" if bare in self.aliases else ", and none is promoted yet"
        else:
            known = sorted(topic.full_name for topic in self.topics.values())
            hint = f"there are {', '.join(known[:20])}" if known else "the log has no topics yet"
        return UnknownTopic(f"no topic {shown}: {hint}", topic=str(shown))

    def __iter__(self) -> Iterator[Topic]:
        return iter(self.topics.values())

    # How it moves.

    def apply(self, entry: Entry) -> None:
        """Takes in one control record."""
        move = getattr(self, f"_on_{entry.kind}", None)
        if move is None:
            self.unknown += 1
        elif entry.kind == "contract":
            move({**(entry.data or {}), "lsn": entry.lsn, "append_time": entry.append_time})
        else:
            move(entry.data or {})

    def _on_topic(self, data: Mapping[str, Any]) -> None:
        topic = _topic(data)
        self.topics[topic.id] = topic
        self.full_names[topic.id] = topic.full_name
        self._names[topic.name, topic.version] = topic.id
        self._whole[topic.full_name] = topic
        self.next_topic_id = max(self.next_topic_id, topic.id + 1)

    def _on_delete_topic(self, data: Mapping[str, Any]) -> None:
        topic = self.topics.pop(data["topic"], None)
        if topic is not None:
            self._names.pop((topic.name, topic.version), None)
            self._whole.pop(self.full_names.pop(topic.id), None)
            self.contracts.pop(topic.id, None)
            if topic.version is not None and self.aliases.get(topic.name) == topic.version:
                self.aliases.pop(topic.name)

    def _on_producer(self, data: Mapping[str, Any]) -> None:
        state = self.producers.get(data["id"])
        if state is None:
            state = ProducerState(data["id"], len(self.by_index), data["mode"])
            self.producers[state.id] = state
            self.by_index.append(state)
        state.epoch += 1

    def _on_alias(self, data: Mapping[str, Any]) -> None:
        for name, version in data["outputs"].items():
            if version is None:
                self.aliases.pop(name, None)
            else:
                before = self.aliases.get(name)
                stood = self.earlier.setdefault(name, [])
                if data.get("rollback"):
                    del stood[-1:]
                elif before is not None and before != version:
                    stood.append(before)
                self.aliases[name] = version

    def _on_version(self, data: Mapping[str, Any]) -> None:
        key = (data["pipeline"], data["version"])
        self.versions[key] = {**self.versions.get(key, {}), **data}

    def _on_void(self, data: Mapping[str, Any]) -> None:
        self.voided.add(data["lsn"])

    def _on_contract(self, data: Mapping[str, Any]) -> None:
        self.contracts.setdefault(data["topic"], []).append(dict(data))
        self.contract_changes += 1

    def _on_retention(self, data: Mapping[str, Any]) -> None:
        """The heads hold where partitions start."""

    def _on_compaction(self, data: Mapping[str, Any]) -> None:
        for segment, generation in data["segments"].items():
            self.compacted[data["topic"], data["partition"], segment] = generation

    def _on_recovered(self, data: Mapping[str, Any]) -> None:
        self.epoch = data["epoch"]

    def _on_run(self, data: Mapping[str, Any]) -> None:
        if "ended" in data:
            for run in reversed(self.runs):
                if run.get("name") == data["name"] and "ended" not in run:
                    run.update(data)
                    return
        self.runs.append(dict(data))
        del self.runs[:-KEPT_RUNS]

    def _on_backfill(self, data: Mapping[str, Any]) -> None:
        """Runs that pass it close their files there."""

    def _on_synced(self, data: Mapping[str, Any]) -> None:
        """The synced LSN stands in every record."""

    def _on_roll(self, data: Mapping[str, Any]) -> None:
        """The journal goes on in the next file."""

    # As a journal file's head keeps it.

    def saved(self) -> dict[str, Any]:
        """The catalog as plain values."""
        return {
            "topics": [asdict(topic) for topic in self.topics.values()],
            "next_topic_id": self.next_topic_id,
            "aliases": self.aliases,
            "earlier": self.earlier,
            "versions": list(self.versions.values()),
            "producers": [state.saved() for state in self.by_index],
            "voided": sorted(self.voided),
            "compacted": [(*where, at) for where, at in sorted(self.compacted.items())],
            "contracts": [data for known in self.contracts.values() for data in known],
            "contract_changes": self.contract_changes,
            "epoch": self.epoch,
            "runs": self.runs,
            "unknown": self.unknown,
        }

    @classmethod
    def restored(cls, saved: Mapping[str, Any]) -> Catalog:
        """The catalog that `saved` was made of."""
        catalog = cls()
        for data in saved["topics"]:
            catalog._on_topic(data)
        catalog.next_topic_id = saved["next_topic_id"]
        catalog.aliases = dict(saved["aliases"])
        catalog.earlier = {name: list(before) for name, before in saved["earlier"].items()}
        for data in saved["versions"]:
            catalog._on_version(data)
        catalog.by_index = [ProducerState.restored(state) for state in saved["producers"]]
        catalog.producers = {state.id: state for state in catalog.by_index}
        catalog.voided = set(saved["voided"])
        catalog.compacted = {tuple(at[:3]): at[3] for at in saved["compacted"]}
        for data in saved.get("contracts", ()):
            catalog._on_contract(data)
        catalog.contract_changes = saved.get("contract_changes", 0)
        catalog.epoch = saved["epoch"]
        catalog.runs = [dict(run) for run in saved["runs"]]
        catalog.unknown = saved["unknown"]
        return catalog


def _topic(data: Mapping[str, Any]) -> Topic:
    # Fields of a newer kappa are left out; the record itself stays in the journal.
    return Topic(**{name: data[name] for name in Topic.__slots__ if name in data})
