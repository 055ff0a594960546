"""Making and deleting topics."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from kappa.codec.compression import check_codec
from kappa.errors import ConfigError
from kappa.log.catalog import OWNER, REGISTRY, Topic, check_name
from kappa.log.heads import topic_folder
from kappa.log.store import Store, Writing

__all__ = ["DEAD_LETTERS", "TopicOptions", "create_topic", "dead_letters_of", "delete_topic"]

MAX_PARTITIONS = 10_000
DEAD_LETTERS = ".dead_letters"


@dataclass(frozen=True, slots=True)
class TopicOptions:
    """What `Log.create_topic` was asked for; see there."""

    partitions: int = 1
    key: str | tuple[str, ...] | None = None
    time: str | None = None
    codec: str = "none"
    max_future_skew_ms: int | None = None
    retention_ms: int | None = None
    retention_bytes: int | None = None
    compact: bool = False
    owner: str | None = None

    def __post_init__(self) -> None:
        if type(self.partitions) is not int or not 1 <= self.partitions <= MAX_PARTITIONS:
            raise ConfigError(
                f"partitions is {self.partitions!r}: give a whole number from 1 to {MAX_PARTITIONS}"
            )
        names = (self.key,) if isinstance(self.key, str) else self.key
        if names is not None and (not names or not all(n and type(n) is str for n in names)):
            raise ConfigError(f"key is {self.key!r}: give the name of a field, or several")
        if self.time is not None and (type(self.time) is not str or not self.time):
            raise ConfigError(f"time is {self.time!r}: give the name of a field")
        if self.retention_bytes is not None and self.retention_bytes < 0:
            raise ConfigError(f"retention_bytes is {self.retention_bytes}, less than 0")
        check_codec(self.codec)


def create_topic(
    store: Store, name: str, version: int | None, options: TopicOptions, *, if_exists: str
) -> Topic:
    """Makes a topic, and the one for its dead letters if it may have any.

    Raises:
        ConfigError: it exists and may not, or exists with other settings.
    """
    if if_exists not in ("error", "ok"):
        raise ConfigError(f'if_exists is {if_exists!r}: give "error" or "ok"')
    if version is not None and (type(version) is not int or version < 1):
        raise ConfigError(f"version is {version!r}: give a whole number from 1 on")
    if name == REGISTRY and options.owner != OWNER:
        raise ConfigError(f"{name} is the topic of the log's schemas: name yours otherwise")
    if options.max_future_skew_ms is not None:
        check_name(name + DEAD_LETTERS)
    with store.writing() as writing:
        catalog = store.ledger.catalog
        found = catalog.find(name, version)
        if found is not None:
            return _existing(found, options, if_exists)
        if version is None and catalog.versions_of(name):
            raise ConfigError(f"topic {name!r} has versions, so the bare name is an alias")
        if version is not None and catalog.find(name, None) is not None:
            raise ConfigError(f"topic {name!r} has no versions, so {name}@{version} cannot be")
        letters = None
        if options.max_future_skew_ms is not None:
            letters = dead_letters_of(store, writing, name + DEAD_LETTERS, version)
        return _make(store, writing, name, version, asdict(options) | {"dead_letters": letters})


def _existing(found: Topic, options: TopicOptions, if_exists: str) -> Topic:
    if if_exists == "error":
        raise ConfigError(f'topic {found.full_name} exists; if_exists="ok" takes it as it is')
    wanted = asdict(options)
    differ = [name for name, value in wanted.items() if getattr(found, name) != value]
    if differ:
        what = ", ".join(f"{n} is {getattr(found, n)!r}, not {wanted[n]!r}" for n in differ)
        raise ConfigError(f"topic {found.full_name} exists with other settings: {what}")
    return found


def dead_letters_of(store: Store, writing: Writing, name: str, version: int | None) -> int:
    """The id of a topic for dead letters, which is made if it is not there."""
    found = store.ledger.catalog.find(name, version)
    return found.id if found else _make(store, writing, name, version, {}).id


def _make(
    store: Store, writing: Writing, name: str, version: int | None, data: dict[str, Any]
) -> Topic:
    topic_id = store.ledger.catalog.next_topic_id
    folder = topic_folder(topic_id)
    store.files.make_folder(folder)
    whole = asdict(Topic(topic_id, name, version)) | data
    writing.control("topic", {"id": topic_id, "name": name, "version": version, **whole})
    return store.ledger.catalog.topics[topic_id]


def delete_topic(store: Store, topic: Topic) -> None:
    """Removes a topic; its files go once the journal itself says that this is durable.

    Raises:
        ConfigError: it is the schema registry's.
    """
    if topic.name == REGISTRY:
        raise ConfigError(f"{topic.name} holds the schemas of all topics and stays")
    with store.writing() as writing:
        if topic.id not in store.ledger.catalog.topics:
            return
        writing.control("delete_topic", {"topic": topic.id})
    store.note_synced()
    folder = topic_folder(topic.id)
    for name in store.files.names(folder):
        store.files.remove(f"{folder}/{name}")
    store.files.remove_folder(folder)
