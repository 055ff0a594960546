"""The part of `Log` that knows schemas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kappa.errors import ConfigError, ContractViolation
from kappa.log.catalog import Topic
from kappa.log.declared import (
    Declared,
    Reads,
    check_schema,
    declare,
    mode_of,
    schema_of_topic,
    set_schema,
)
from kappa.log.reader import Record
from kappa.log.registry import Registry, SchemaVersion, SchemaView, TopicSchemas
from kappa.log.store import Store
from kappa.log.topics import TopicOptions
from kappa.schemas import Schema
from kappa.schemas.classes import kind_of
from kappa.schemas.instances import RowMaker, row_maker

__all__ = ["Schemas", "made_rows"]


def made_rows(records: Iterator[Record], rows: Any) -> Iterator[Record]:
    """Records with values that are instances of a class.

    Raises:
        ConfigError: it is no class with fields.
        ContractViolation: while reading: a record cannot be one; says which.
    """
    if kind_of(rows) is None:
        raise ConfigError(
            f"rows is {rows!r:.80}: give a dataclass, TypedDict, msgspec Struct or pydantic model"
        )
    maker = row_maker(rows)
    return records if maker is None else _made(records, maker)


def _made(records: Iterator[Record], maker: RowMaker) -> Iterator[Record]:
    for record in records:
        try:
            made = record.value if record.value is None else maker.row(record.value)
        except Exception as error:
            raise ContractViolation(
                f"{record.topic}, partition {record.partition}, offset {record.offset}: the record"
                f" is no {maker.rows.__qualname__}: {error}",
                topic=record.topic,
                partition=record.partition,
                offset=record.offset,
                lsn=record.lsn,
            ) from error
        yield record._replace(value=made)


class Schemas:
    """Schemas of a log's topics: see `Log`."""

    _store: Store
    _registry: Registry

    def topic(self, name: str | tuple[str, int | None]) -> Topic:
        """The topic of a name; `Log` has it."""
        raise NotImplementedError

    def set_schema(
        self, topic: str, schema: Any, *, compatibility: str | None = None
    ) -> SchemaVersion:
        """Makes a schema the topic's next version: rows have to fit it from now on.

        Rows that are there stay as they are, and are seen through the newest schema: fields
        that they lack get their defaults, numbers are promoted, renamed fields are found by
        their aliases. The same schema again changes nothing.

        Args:
            topic: its name.
            schema: a `Schema`; a dataclass, TypedDict, msgspec Struct or pydantic model; an
                Avro or JSON Schema document, as a dict or as text; a Protobuf message class
                or descriptor.
            compatibility: what it has to keep: NONE, BACKWARD (it reads what the version
                before wrote), FORWARD (that one reads what it writes), FULL (both), or one of
                these with _TRANSITIVE (all versions before). By default the topic's, at first
                BACKWARD_TRANSITIVE, since a log is replayed from its start.

        Returns:
            the version, which says since which LSN it holds.

        Raises:
            IncompatibleSchema: it breaks what it has to keep, or, being the first, does not
                fit the rows that are there; the error lists what breaks for which version,
                and the pipeline versions that read it.
            ConfigError: no schema, or the topic's key or time is no field of it.

        Cost: the first one reads the rows that are there; others do not.

        >>> from kappa import Log
        >>> log = Log.memory()
        >>> _ = log.create_topic("bids", schema={"type": "record", "name": "Bid", "fields": [
        ...     {"name": "price", "type": "int"}]})
        >>> _ = log.append("bids", [{"price": 7}])
        >>> newer = {"type": "record", "name": "Bid", "fields": [
        ...     {"name": "amount", "type": "double", "aliases": ["price"]},
        ...     {"name": "unit", "type": "string", "default": "EUR"}]}
        >>> log.set_schema("bids", newer).version
        2
        >>> [record.value for record in log.read("bids")]
        [{'amount': 7.0, 'unit': 'EUR'}]
        """
        found = self.topic(topic)
        wanted = schema_of_topic(schema, self._registry.of(found.id))
        return set_schema(self._store, self._registry, found, wanted, compatibility)

    def check_schema(
        self,
        topic: str,
        schema: Any,
        *,
        compatibility: str | None = None,
        others: Mapping[str, Reads] | None = None,
    ) -> Declared:
        """What `set_schema` would say of a schema, without setting it; true if it may be set.

        Args:
            topic, schema, compatibility: as for `set_schema`.
            others: pipelines that have not run on the log, with the fields of each topic that
                they read, as a version records them.
        """
        found = self.topic(topic)
        self._store.refresh()
        known = self._registry.of(found.id)
        wanted = schema_of_topic(schema, known)
        return check_schema(
            self._store, found, known, wanted, mode_of(known, compatibility), others
        )

    def schemas(self, topic: str | tuple[str, int | None]) -> tuple[SchemaVersion, ...]:
        """The versions of a topic's schema, oldest first; none if it has no schema."""
        known = self.topic_schemas(topic)
        return () if known is None else known.versions

    def schema(self, topic: str | tuple[str, int | None]) -> Schema | None:
        """The newest schema of a topic; None if it has none."""
        known = self.topic_schemas(topic)
        return None if known is None else known.newest.schema

    def topic_schemas(self, topic: str | tuple[str, int | None] | int) -> TopicSchemas | None:
        """All of a topic's schemas, for the runtime; a topic may be named by its id."""
        self._store.refresh()
        return self._registry.of(topic if isinstance(topic, int) else self.topic(topic).id)

    def schema_view(self, topic_id: int, version: int) -> SchemaView | None:
        """Rows of a topic through one version, for the runtime; later ones too, where it can."""
        known = self.topic_schemas(topic_id)
        if known is None:
            return None
        return known.view(version, newer=True, known=lambda: self._registry.of(topic_id))

    def _schema_view(self, topic: Topic, schema: str | int) -> SchemaView | None:
        """How rows of a topic are seen; None: as they are."""
        known = self.topic_schemas(topic.id)
        if schema == "written":
            return None

        def now() -> TopicSchemas | None:
            return self._registry.of(topic.id)

        if schema == "newest":
            return None if known is None else known.view(known=now)
        if type(schema) is not int or known is None or known.get(schema) is None:
            count = 0 if known is None else len(known.versions)
            raise ConfigError(
                f'schema is {schema!r}: give "newest", "written" or the number of a version;'
                f" {topic.full_name} has {count}",
                topic=topic.full_name,
            )
        return known.view(schema, newer=True, known=now)

    def _declared(
        self,
        name: str,
        version: int | None,
        options: TopicOptions,
        if_exists: str,
        schema: Any,
        compatibility: str,
    ) -> Topic:
        return declare(
            self._store, self._registry, name, version, options, if_exists, schema, compatibility
        )
