"""From records to bodies: times, keys, partitions and encoding, all before the lock.

A topic says which fields hold a record's event time and key. Where it does not, they come
as arguments, or the time is the append's; a key that is no field is stored beside the
values. Records go to `stable_hash(key) % partitions`; without keys a whole append goes to
the partition that its LSN picks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any, TypeAlias

from kappa.batch import Frame
from kappa.codec import check_key, encode, stable_hash
from kappa.contracts.guard import Guard
from kappa.errors import ConfigError, RecordRefused
from kappa.log.body import Body, encode_body, encode_columns
from kappa.log.catalog import Topic
from kappa.log.fitted import fit_rows, framed, has_tombstones
from kappa.log.refusals import Rows, unreadable
from kappa.log.registry import TopicSchemas
from kappa.schemas.instances import plain_rows
from kappa.time import MAX_TIME, MIN_TIME, Instant, instant_ms

__all__ = ["Bodies", "Limits", "Times", "encode_rows", "listed"]

Times: TypeAlias = "Instant | Sequence[Instant] | Callable[[Any], Instant] | None"
"""One instant for all, a list with one for each, a function of the value, or None."""

_CHEAP_KEYS = frozenset({int, str, bool, type(None)})


@dataclass(frozen=True, slots=True)
class Limits:
    """Largest record and append, in bytes."""

    max_record_bytes: int
    max_append_bytes: int


@dataclass(slots=True)
class Bodies:
    """The bodies of one topic's part of an append, and those of its dead letters."""

    bodies: list[tuple[int, int | None, Body]]
    dead_letters: int = 0


def encode_rows(
    topic: Topic,
    values: Iterable[Any],
    *,
    key: Any = None,
    time: Times = None,
    partition: int | None = None,
    now: int,
    limits: Limits,
    guard: Guard | None = None,
    schemas: TopicSchemas | None = None,
) -> Bodies:
    """Encodes records for a topic.

    Args:
        topic: where they go.
        values: the records.
        key: one key for all, a list with one for each, or a function of the value.
        time: their event times, likewise.
        partition: overrides what the key says.
        now: event time of records that have none.
        limits: sizes that are refused.
        guard: the topic's contract.
        schemas: the topic's: records have to fit the newest.

    Raises:
        SchemaViolation: a record does not fit the topic's schema.
        ContractViolation: a record breaks a promise whose breach refuses the append.
        RecordRefused: a record lacks the topic's time or key field, or cannot be stored.
        ConfigError: wrong arguments.
    """
    rows = Rows(topic, listed(values), key, time, None if guard is None else guard.name)
    if schemas is not None:
        rows.values = plain_rows(rows.values)
    if guard is not None or schemas is not None:
        rows.values = framed(rows.values)
    if guard is not None:
        gone = topic.compact and has_tombstones(rows.values)
        rows.set_aside(guard.aside(rows.values, tombstones=gone))
    if schemas is not None:
        fit_rows(rows, schemas, divert=guard is not None and guard.diverts)
    if guard is not None:
        times, keys, stored = _guarded(rows, guard, now)
    else:
        times, keys, stored = _read(rows, now)
    if not rows.values and not rows.letters:
        return Bodies([])
    if partition is not None and not 0 <= partition < topic.partitions:
        raise ConfigError(
            f"{topic.full_name} has partitions 0 to {topic.partitions - 1}, not {partition}",
            topic=topic.full_name,
        )
    skew = topic.max_future_skew_ms
    if skew is not None and times and max(times) > now + skew:
        times, keys = rows.early(times, keys, now)
    found = _split(topic, rows.values, times, keys, stored=stored, partition=partition)
    _check_sizes(topic, rows.values, found, limits)
    letters = topic.dead_letters if guard is None else guard.dead_letters or topic.dead_letters
    if rows.letters and letters is not None:
        where = f"{topic.full_name}.dead_letters"
        body = encode_body([now] * len(rows.letters), rows.letters, where=where)
        found.append((letters, 0, body))
    return Bodies(found, len(rows.letters))


def listed(values: Iterable[Any]) -> Sequence[Any]:
    """The records as a list.

    Raises:
        ConfigError: it is one record.
    """
    if type(values) is list or isinstance(values, Frame):
        return values
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise ConfigError(
            f"append takes a list of records, not one {type(values).__name__}: put it in a list"
        )
    return list(values)


def _read(rows: Rows, now: int) -> tuple[list[int], list[Any] | None, bool]:
    """Times and keys of records, and whether the keys have to be stored."""
    if not rows.values:
        return [], None, False
    times = _times(rows.topic, rows.values, rows.time, now)
    return times, *_keys(rows.topic, rows.values, rows.key)


def _guarded(rows: Rows, guard: Guard, now: int) -> tuple[list[int], list[Any] | None, bool]:
    """The same; where the contract diverts, records without them are set aside."""
    try:
        return _read(rows, now)
    except RecordRefused:
        if not guard.diverts or callable(rows.time) or callable(rows.key):
            raise
        whole = rows.values

        def read(values: Sequence[Any]) -> None:
            if rows.time is None:
                _times(rows.topic, values, None, now)
            if rows.key is None:
                _keys(rows.topic, values, None)

        rows.set_aside(unreadable(rows, read))
        if rows.values is whole:
            raise
        return _read(rows, now)


# Times.


def _times(topic: Topic, rows: Sequence[Any], given: Times, now: int) -> list[int]:
    if given is not None:
        return _given_times(rows, given)
    if topic.time is None:
        return [now] * len(rows)
    found = _field(topic, rows, topic.time, "time")
    if set(map(type, found)) == {int} and min(found) >= MIN_TIME and max(found) <= MAX_TIME:
        return found
    return [_instant(topic, row, value) for row, value in enumerate(found)]


def _given_times(rows: Sequence[Any], given: Any) -> list[int]:
    if callable(given):
        return [instant_ms(given(row)) for row in rows]
    if isinstance(given, int | str | datetime):
        return [instant_ms(given)] * len(rows)
    if not isinstance(given, Sequence) or len(given) != len(rows):
        raise ConfigError(f"time= must be one instant, a function, or a list of {len(rows)}")
    return [instant_ms(value) for value in given]


def _instant(topic: Topic, row: int, value: Any) -> int:
    try:
        return instant_ms(value, name=f"field {topic.time!r}")
    except ConfigError as error:
        raise RecordRefused(
            f"record {row} for {topic.full_name}: {error.message}",
            topic=topic.full_name,
            field=topic.time,
        ) from None


def _field(topic: Topic, rows: Sequence[Any], name: str, what: str) -> list[Any]:
    if isinstance(rows, Frame) and name in rows.columns:
        return rows.columns[name]
    try:
        return list(map(itemgetter(name), rows))
    except (KeyError, TypeError, IndexError):
        return [_one_field(topic, at, row, name, what) for at, row in enumerate(rows)]


def _one_field(topic: Topic, at: int, row: Any, name: str, what: str) -> Any:
    missing = object()
    found = row.get(name, missing) if isinstance(row, Mapping) else getattr(row, name, missing)
    if found is missing:
        has = ", ".join(map(str, row)) if isinstance(row, Mapping) else type(row).__name__
        raise RecordRefused(
            f"record {at} for {topic.full_name} has no field {name!r}, which is the topic's"
            f" {what}; it has {has or 'none'}",
            topic=topic.full_name,
            field=name,
        )
    return found


# Keys and partitions.


def _keys(topic: Topic, rows: Sequence[Any], given: Any) -> tuple[list[Any] | None, bool]:
    """The records' keys, and whether they have to be stored."""
    if given is not None:
        keys = _given_keys(rows, given)
        stored = True
    elif topic.key is None:
        return None, False
    elif isinstance(topic.key, str):
        keys, stored = _field(topic, rows, topic.key, "key"), False
    else:
        columns = [_field(topic, rows, name, "key") for name in topic.key]
        keys, stored = list(zip(*columns)), False
    if not set(map(type, keys)) <= _CHEAP_KEYS:
        for at, key in enumerate(keys):
            _check_key(topic, at, key)
    return keys, stored


def _given_keys(rows: Sequence[Any], given: Any) -> list[Any]:
    if callable(given):
        return [given(row) for row in rows]
    if isinstance(given, list):
        if len(given) != len(rows):
            raise ConfigError(f"key= has {len(given)} keys for {len(rows)} records")
        return given
    return [given] * len(rows)


def _check_key(topic: Topic, at: int, key: Any) -> None:
    try:
        check_key(key)
    except (ConfigError, RecordRefused) as error:
        raise RecordRefused(
            f"record {at} for {topic.full_name}: {error.message}", topic=topic.full_name
        ) from None


def _split(
    topic: Topic,
    rows: Sequence[Any],
    times: list[int],
    keys: list[Any] | None,
    *,
    stored: bool,
    partition: int | None,
) -> list[tuple[int, int | None, Body]]:
    """A body for each partition that gets records, ascending."""
    kept = keys if stored else None
    if not rows:
        return []
    if partition is None and topic.partitions == 1:
        partition = 0
    if partition is not None or keys is None:
        return [(topic.id, partition, _body(topic, times, rows, kept))]
    found: list[tuple[int, int | None, Body]] = []
    for at, places in sorted(_places(keys, topic.partitions).items()):
        body = _body(
            topic,
            [times[place] for place in places],
            rows.take(places) if isinstance(rows, Frame) else [rows[place] for place in places],
            None if kept is None else [kept[place] for place in places],
        )
        found.append((topic.id, at, body))
    return found


def _body(topic: Topic, times: list[int], rows: Sequence[Any], keys: list[Any] | None) -> Body:
    codec, where = topic.codec, topic.full_name
    if isinstance(rows, Frame) and rows.columns:
        return encode_columns(times, rows.columns, keys, codec=codec, where=where, solid=rows.solid)
    return encode_body(times, list(rows), keys, codec=codec, where=where)


def _places(keys: list[Any], partitions: int) -> dict[int, list[int]]:
    """The places of keys by the partition they hash to."""
    places: dict[int, list[int]] = {}
    seen: dict[Any, list[int]] = {}
    for at, key in enumerate(keys):
        mine = seen.get(key)
        if mine is None:
            mine = seen[key] = places.setdefault(stable_hash(key) % partitions, [])
        mine.append(at)
    return places


# Sizes.


def _check_sizes(
    topic: Topic, rows: Sequence[Any], found: list[tuple[int, int | None, Body]], limits: Limits
) -> None:
    total = len(found[0][2][0]) if len(found) == 1 else sum(len(body[0]) for _, _, body in found)
    if total > limits.max_append_bytes:
        raise RecordRefused(
            f"an append of {total} bytes to {topic.full_name}: at most"
            f" {limits.max_append_bytes} (max_append_bytes); append fewer records at once",
            topic=topic.full_name,
        )
    if total <= limits.max_record_bytes:
        return
    for at, row in enumerate(rows):
        size = len(encode(row))
        if size > limits.max_record_bytes:
            raise RecordRefused(
                f"record {at} for {topic.full_name} has {size} bytes: at most"
                f" {limits.max_record_bytes} (max_record_bytes)",
                topic=topic.full_name,
            )
