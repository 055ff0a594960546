"""Setting a topic's schema: what is asked of it before it becomes the next version.

A schema takes hold only if the topic's key and time are fields of it, if it goes with the
versions before it as the topic's mode says, and, the first time, if the rows that are there
fit. What it breaks is listed whole: the versions, the fields, and the pipelines that read them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any, TypeAlias

from kappa.errors import ConfigError, IncompatibleSchema
from kappa.log.body import encode_body
from kappa.log.catalog import OWNER, REGISTRY, Topic
from kappa.log.reader import LSN, read
from kappa.log.registry import Registry, SchemaVersion, TopicSchemas, row_of
from kappa.log.staging import Draft
from kappa.log.store import Store
from kappa.log.topics import TopicOptions, create_topic
from kappa.schemas import (
    Break,
    Date,
    Fitting,
    Int,
    Record,
    Schema,
    String,
    Timestamp,
    Union,
    breaks,
    schema_of,
)
from kappa.schemas.compatibility import DEFAULT_MODE, check_mode

__all__ = [
    "Declared",
    "Reads",
    "check_schema",
    "declare",
    "mode_of",
    "readers_of",
    "schema_of_topic",
    "set_schema",
]

Reads: TypeAlias = "Mapping[str, Collection[str] | None]"
"""The fields of each topic, by its name, that a plan reads; None for all."""

CHECK_ROWS = 4096
"""Rows that are checked at once when a topic with rows gets its first schema."""
LISTED = 20


class Declared:
    """What a schema would do to a topic.

    Attributes:
        breaks: what does not go with versions before it, under the mode.
        removed: fields of the newest version that it no longer has.
        readers: pipeline versions that read a field that breaks or is removed, with the fields.
        mode: the mode that it was held against.
    """

    def __init__(
        self,
        mode: str,
        found: list[Break],
        removed: list[str],
        readers: Mapping[str, tuple[str, ...]],
    ) -> None:
        self.mode = mode
        self.breaks = tuple(found)
        self.removed = tuple(removed)
        self.readers = dict(readers)

    def __bool__(self) -> bool:
        """Whether the schema may be set."""
        return not self.breaks

    def text(self) -> str:
        """All of it, one thing a line."""
        lines = [str(one) for one in self.breaks]
        lines += [f"field {name!r} is removed" for name in self.removed]
        lines += [f"{name} reads {', '.join(read)}" for name, read in self.readers.items()]
        return "\n".join(lines)


def schema_of_topic(source: Any, known: TopicSchemas | None) -> Schema:
    """The schema of a source; see `Log.set_schema`.

    A class says nothing of the record's name: a new class is the record that the topic has.
    """
    schema = schema_of(source)
    if known is None or not isinstance(source, type):
        return schema
    before, root = known.newest.schema.root, schema.root
    if not isinstance(root, Record) or not isinstance(before, Record) or root.name in schema.refs:
        return schema
    return Schema(replace(root, name=before.name))


def declare(
    store: Store,
    registry: Registry,
    name: str,
    version: int | None,
    options: TopicOptions,
    if_exists: str,
    source: Any,
    compatibility: str,
) -> Topic:
    """Makes a topic with its schema, or gives one that is there the next version of it."""
    mode = check_mode(compatibility)
    _check_fields(Topic(0, name, version, key=options.key, time=options.time), schema_of(source))
    with store.writing():
        topic = create_topic(store, name, version, options, if_exists=if_exists)
        known = registry.of(topic.id)
        schema = schema_of_topic(source, known)
        if known is None or all(one.schema != schema for one in known.versions):
            set_schema(store, registry, topic, schema, mode if known is None else None)
        return topic


def set_schema(
    store: Store, registry: Registry, topic: Topic, schema: Schema, compatibility: str | None
) -> SchemaVersion:
    """Makes a schema the topic's next version; the same one again changes nothing.

    Raises:
        IncompatibleSchema: it breaks what the mode promises, or rows that are there misfit.
        ConfigError: it lacks the topic's key or time.
    """
    _check_fields(topic, schema)
    checked = 0
    while True:
        store.refresh()
        known = registry.of(topic.id)
        mode = mode_of(known, compatibility)
        if known is None:
            checked = _check_rows(store, topic, schema, mode, after=checked)
        with store.writing():
            # Nobody else can write now: is what was looked at still all there is?
            newer = known is None and _last(store, topic) > checked
            if registry.of(topic.id) is known and not newer:
                return _next(store, registry, topic, schema, mode, known)


def mode_of(known: TopicSchemas | None, compatibility: str | None) -> str:
    """The mode that a new schema is held against."""
    if compatibility is not None:
        return check_mode(compatibility)
    return DEFAULT_MODE if known is None else known.newest.compatibility


def _last(store: Store, topic: Topic) -> int:
    """The LSN of the topic's newest append."""
    return max((head.last_lsn for head in store.ledger.heads[topic.id]), default=0)


def _next(
    store: Store,
    registry: Registry,
    topic: Topic,
    schema: Schema,
    mode: str,
    known: TopicSchemas | None,
) -> SchemaVersion:
    """Writes the record; the append lock is held."""
    if known is None:
        version, since = 1, None if mode == "NONE" else 0
    else:
        version, since = known.newest.version + 1, None
        if known.newest.schema == schema:
            if known.newest.compatibility == mode:
                return known.newest
            version = known.newest.version
        else:
            found = check_schema(store, topic, known, schema, mode)
            if not found:
                raise _refused(topic, found)
    home = _home(store)
    row = row_of(topic, version, schema, mode, since)
    now = max(store.clock.now_ms(), store.ledger.append_time)
    body = encode_body([now], [row], where=REGISTRY)
    store.commit((Draft(((home.id, 0, body),)),))
    made = registry.of(topic.id)
    assert made is not None
    return made.newest


def _home(store: Store) -> Topic:
    """The registry's topic, made when the first schema is set."""
    found = store.ledger.catalog.find(REGISTRY, None)
    if found is not None:
        return found
    options = TopicOptions(key="topic", owner=OWNER)
    return create_topic(store, REGISTRY, None, options, if_exists="ok")


def check_schema(
    store: Store,
    topic: Topic,
    known: TopicSchemas | None,
    schema: Schema,
    mode: str,
    others: Mapping[str, Reads] | None = None,
) -> Declared:
    """What a schema would break, and who reads it; a first one has to fit the rows."""
    _check_fields(topic, schema)
    if known is None:
        return Declared(mode, _misfits(store, topic, schema, mode), [], {})
    found = breaks(schema, [(one.version, one.schema) for one in known.versions], mode)
    removed = _removed(known.newest.schema, schema)
    touched = {one.field.partition(".")[0].partition("[")[0] for one in found} | set(removed)
    for field in schema.fields:  # the reader's name may be new: readers know the old ones
        if field.name in touched:
            touched.update(field.aliases)
    readers = readers_of(store.ledger.catalog.versions, topic, touched)
    for name, reads in (others or {}).items():
        read = _touched(reads, touched)
        if read:
            readers[name] = read
    return Declared(mode, found, removed, readers)


def _removed(old: Schema, new: Schema) -> list[str]:
    if not isinstance(old.root, Record) or not isinstance(new.root, Record):
        return []
    return [field.name for field in old.fields if new.field(field.name) is None]


def readers_of(
    versions: Mapping[tuple[str, int], Mapping[str, Any]], topic: Topic, fields: set[str]
) -> dict[str, tuple[str, ...]]:
    """Pipeline versions that read any of some fields of a topic, with those that they read.

    Args:
        versions: the catalog's records of pipeline versions.
        topic: the topic.
        fields: names; "" stands for the whole row.
    """
    found: dict[str, tuple[str, ...]] = {}
    for (pipeline, version), data in sorted(versions.items()):
        names = [name for name, pin in data.get("pins", {}).items() if pin == topic.id]
        reads = data.get("reads", {})
        read = _touched({name: reads.get(name) for name in names}, fields)
        if read:
            found[f"{pipeline}@{version}"] = read
    return found


def _touched(reads: Reads, fields: set[str]) -> tuple[str, ...]:
    """Of some fields, those that are read by a name of the topic; all where that is not known."""
    found: set[str] = set()
    for names in reads.values():
        found |= fields if names is None or "" in fields else fields.intersection(names)
    return tuple(one or "the row" for one in sorted(found))


def _refused(topic: Topic, found: Declared) -> IncompatibleSchema:
    lines = [f"  {one}" for one in islice(found.breaks, LISTED)]
    if len(found.breaks) > LISTED:
        lines.append(f"  and {len(found.breaks) - LISTED} more")
    lines += [f"  {name} reads {', '.join(read)}" for name, read in found.readers.items()]
    return IncompatibleSchema(
        f"the schema for {topic.full_name} is not {found.mode} compatible:\n"
        + "\n".join(lines)
        + "\ngive new fields a default and renamed ones an alias, or set it with a mode that"
        " allows the change",
        breaks=found.breaks,
        readers=found.readers,
        topic=topic.full_name,
        field=found.breaks[0].field or None,
    )


# The first schema of a topic.


def _check_fields(topic: Topic, schema: Schema) -> None:
    if topic.owner is not None:
        raise ConfigError(
            f"{topic.full_name} is written by {topic.owner}: its rows are what that makes, and"
            " only topics that users append to have a schema",
            topic=topic.full_name,
        )
    root = schema.root
    if not isinstance(root, Record) or root.open:
        return
    keys = (topic.key,) if isinstance(topic.key, str) else topic.key or ()
    for name in keys:
        field = root.field(name)
        if field is None or field.absent:
            raise _lacks(topic, name, "key")
    if topic.time is None:
        return
    field = root.field(topic.time)
    if field is None or field.absent:
        raise _lacks(topic, topic.time, "time")
    branches = field.type.branches if isinstance(field.type, Union) else (field.type,)
    for one in map(schema.resolved, branches):
        if not isinstance(one, Int | String | Timestamp | Date):
            raise ConfigError(
                f"field {topic.time!r} is the event time of {topic.full_name}: it must be an int,"
                f" a timestamp or text, not {field.type}",
                topic=topic.full_name,
                field=topic.time,
            )


def _lacks(topic: Topic, name: str, what: str) -> ConfigError:
    return ConfigError(
        f"the schema has no field {name!r} that every row has, but it is the {what} of"
        f" {topic.full_name}",
        topic=topic.full_name,
        field=name,
    )


def _check_rows(store: Store, topic: Topic, schema: Schema, mode: str, *, after: int) -> int:
    """Checks the rows behind an LSN; the LSN up to which all have been checked."""
    end = store.ledger.lsn
    if mode == "NONE":
        return end
    fitting = Fitting(schema)
    records = read(store, topic, partition=None, start=LSN(after + 1), stop=LSN(end + 1))
    for some in _chunks(records):
        if topic.compact:  # a tombstone is of no shape
            some = [record for record in some if record.value is not None]
        rows = [record.value for record in some]
        if fitting.rows(rows) is not None:
            continue
        problem = fitting.problems(rows)[0]
        record = some[problem.row or 0]
        place = f"partition {record.partition}, offset {record.offset}"
        raise IncompatibleSchema(
            f"a record that {topic.full_name} has already ({place}) does not fit: "
            f"{replace_row(problem)}; mend the schema, or set it with mode NONE, and the rows that"
            " are there stay as they are",
            topic=topic.full_name,
            partition=record.partition,
            offset=record.offset,
            lsn=record.lsn,
            field=problem.field or None,
        )
    return end


def replace_row(problem: Any) -> str:
    """A problem's sentence without the number of the row."""
    what = f"field {problem.field!r}" if problem.field else "the value"
    return f"{what}: expected {problem.expected}, got {problem.got}"


def _misfits(store: Store, topic: Topic, schema: Schema, mode: str) -> list[Break]:
    """The first record that does not fit a first schema, if there is one."""
    try:
        _check_rows(store, topic, schema, mode, after=0)
    except IncompatibleSchema as error:
        return [Break(0, "backward", error.field or "", error.message.partition(";")[0])]
    return []


def _chunks(records: Iterator[Any]) -> Iterator[list[Any]]:
    while some := list(islice(records, CHECK_ROWS)):
        yield some
