"""Reading records back, in LSN order, from any place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import count, repeat
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from kappa.errors import ConfigError, OffsetOutOfRange
from kappa.log.body import Decoded, decode_body
from kappa.log.catalog import Topic
from kappa.log.heads import Head
from kappa.log.journal import Part
from kappa.log.seen import seen_through
from kappa.log.store import Store
from kappa.time import MINUS_INFINITY, PLUS_INFINITY, Instant, instant_ms

if TYPE_CHECKING:  # it reads the registry's records from here
    from kappa.log.registry import SchemaView

__all__ = ["LSN", "Record", "Start", "keys_of", "read"]

READ_BYTES = 1 << 20
READ_PARTS = 1024


class LSN(int):
    """An LSN where a number alone would be an offset: `log.read("bids", start=LSN(7))`."""

    def __repr__(self) -> str:
        return f"LSN({int(self)})"


Start: TypeAlias = "int | LSN | Instant | None"


class Record(NamedTuple):
    """A record as it lies in the log; `time` in milliseconds since the epoch."""

    topic: str
    partition: int
    offset: int
    lsn: int
    time: int
    key: Any
    value: Any


@dataclass(frozen=True, slots=True)
class Range:
    """What to read: LSNs, offsets and event times, each from the first up to the second."""

    lsns: tuple[int, int] = (0, PLUS_INFINITY)
    offsets: tuple[int, int] = (0, PLUS_INFINITY)
    times: tuple[int, int] = (MINUS_INFINITY, PLUS_INFINITY)

    def wants(self, part: Part) -> bool:
        """Whether a part may hold records of the range."""
        first, end = self.offsets
        since, until = self.times
        return (
            part.base_offset < end
            and part.base_offset + part.count > first
            and part.min_time < until
            and part.max_time >= since
        )

    def cuts(self, part: Part) -> bool:
        """Whether only some of a part's records may be of the range."""
        first, end = self.offsets
        since, until = self.times
        return (
            part.base_offset < first
            or part.base_offset + part.count > end
            or part.min_time < since
            or part.max_time >= until
        )


def read(
    store: Store,
    topic: Topic,
    *,
    partition: int | None,
    start: Start,
    stop: Start,
    view: SchemaView | None = None,
) -> Iterator[Record]:
    """The records of a topic; see `Log.read`. Arguments are checked before the first one.

    Args:
        store, topic, partition, start, stop: as there.
        view: how older rows are seen; None: as they are.
    """
    if partition is not None and not 0 <= partition < topic.partitions:
        raise ConfigError(
            f"{topic.full_name} has partitions 0 to {topic.partitions - 1}, not {partition}",
            topic=topic.full_name,
        )
    if partition is None and topic.partitions == 1:
        partition = 0
    store.check()
    end = store.refresh()
    heads = store.ledger.heads[topic.id]
    wanted = _range(topic, partition, start, stop)
    if partition is not None:
        _check_start(topic, partition, heads[partition], wanted, start)
    first = max(wanted.lsns[0], _seek(store, topic, partition, heads, wanted) + 1)
    end = min(end, wanted.lsns[1] - 1)
    return _records(store, topic, partition, wanted, first, end, view)


def _range(topic: Topic, partition: int | None, start: Start, stop: Start) -> Range:
    span: dict[str, tuple[int, int]] = {}
    ends = (MINUS_INFINITY, PLUS_INFINITY)
    for at, bound in enumerate((start, stop)):
        if bound is None:
            continue
        if isinstance(bound, LSN):
            kind, value = "lsns", int(bound)
        elif isinstance(bound, datetime | str):
            kind, value = "times", instant_ms(bound, name="start" if at == 0 else "stop")
        elif type(bound) is int and bound >= 0:
            if partition is None:
                raise ConfigError(
                    f"{topic.full_name} has {topic.partitions} partitions, and each its own"
                    " offsets: say partition=, or start at an LSN(n) or a time",
                    topic=topic.full_name,
                )
            kind, value = "offsets", bound
        else:
            raise ConfigError(
                f"{bound!r}: start and stop take an offset from 0 on, an LSN(n), an aware"
                " datetime or ISO 8601 text"
            )
        before = span.get(kind, ends)
        span[kind] = (value, before[1]) if at == 0 else (before[0], value)
    return Range(**span)


def _check_start(topic: Topic, partition: int, head: Head, wanted: Range, start: Start) -> None:
    if type(start) is int and start < head.start_offset:
        raise OffsetOutOfRange(
            f"offset {start} of {topic.full_name}, partition {partition}, was removed by"
            f" retention; it starts at {head.start_offset}",
            topic=topic.full_name,
            partition=partition,
            offset=start,
        )


def _seek(
    store: Store, topic: Topic, partition: int | None, heads: list[Head], wanted: Range
) -> int:
    """An LSN at or before which no wanted record lies, by the heads of the journal files."""
    first, since = wanted.offsets[0], wanted.times[0]
    if partition is None:
        numbers = list(range(topic.partitions))
    else:
        numbers = [partition]
    if first <= 0 and since <= MINUS_INFINITY and not any(heads[p].start_offset for p in numbers):
        return 0

    def before(head: dict[str, Any]) -> bool:
        saved = head["heads"].get(topic.id)
        if saved is None:
            return True
        found = [Head.restored(saved[p]) for p in numbers]
        return all(
            one.next_offset <= max(first, heads[p].start_offset) or one.max_time < since
            for p, one in zip(numbers, found)
        )

    return store.history.seek(before)


def _records(
    store: Store,
    topic: Topic,
    partition: int | None,
    wanted: Range,
    first: int,
    end: int,
    view: SchemaView | None,
) -> Iterator[Record]:
    whole = wanted == Range(lsns=wanted.lsns)
    for lsns, parts in _planned(store, topic, partition, wanted, first, end):
        for lsn, part, data in zip(lsns, parts, store.read_parts(parts), strict=True):
            if not data:
                continue  # compaction kept nothing of it
            body = decode_body(data)
            keys = keys_of(topic, body)  # as they were written
            seen = None if view is None else view.at(lsn)
            if seen is not None:
                one = body.count == 1  # a row is then cheaper than columns
                body = body.with_rows(seen.rows(body.rows())) if one else seen_through(seen, body)
            records = _decoded(topic, lsn, part, body, keys)
            if not whole and wanted.cuts(part):
                (low, high), (since, until) = wanted.offsets, wanted.times
                records = (r for r in records if low <= r[2] < high and since <= r[4] < until)
            yield from records


def _planned(
    store: Store, topic: Topic, partition: int | None, wanted: Range, first: int, end: int
) -> Iterator[tuple[list[int], list[Part]]]:
    """LSNs and parts, gathered to what is worth one read."""
    voided, topic_id = store.ledger.catalog.voided, topic.id
    starts = [head.start_offset for head in store.ledger.heads[topic_id]]
    lsns: list[int] = []
    parts: list[Part] = []
    size = 0
    for entry in store.history.entries(first - 1, end=end):
        for part in entry.parts:
            if part[0] != topic_id or (partition is not None and part[1] != partition):
                continue
            if part[6] + part[7] <= starts[part[1]] or entry.lsn in voided:
                continue
            if wanted.wants(part):
                lsns.append(entry.lsn)
                parts.append(part)
                size += part.length
        if size > READ_BYTES or len(parts) > READ_PARTS:
            yield lsns, parts
            lsns, parts, size = [], [], 0
    if parts:
        yield lsns, parts


def _decoded(topic: Topic, lsn: int, part: Part, body: Decoded, keys: Any) -> Iterable[Record]:
    if body.count == 1 and body.offsets is None:
        (key,), (value,) = keys, body.rows()
        place = (topic.full_name, part[1], part[6], lsn)
        return (Record(*place, body.times[0], key, value),)
    offsets: Any
    if body.offsets is None:
        offsets = count(part.base_offset)
    else:
        offsets = [part.base_offset + offset for offset in body.offsets]
    rows = body.rows()
    fields = (
        repeat(topic.full_name),
        repeat(part.partition),
        offsets,
        repeat(lsn),
        body.times,
        keys,
        rows,
    )
    return map(Record._make, zip(*fields))


def keys_of(topic: Topic, body: Decoded) -> Any:
    """The key of each record of a body, stored or in the topic's key fields."""
    if body.keys is not None:
        return body.keys
    if topic.key is None:
        return [None] * body.count
    names = (topic.key,) if isinstance(topic.key, str) else topic.key
    if body.columns is not None and all(name in body.columns for name in names):
        columns = [body.columns[name] for name in names]
    else:
        columns = [[_field(row, name) for row in body.rows()] for name in names]
    return columns[0] if isinstance(topic.key, str) else zip(*columns)


def _field(row: Any, name: str) -> Any:
    return row.get(name) if isinstance(row, dict) else getattr(row, name, None)
