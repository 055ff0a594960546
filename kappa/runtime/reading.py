"""Reading: a pure function from a unit's parts to one batch per source.

Bodies are read with their CRC checked and only the fields that the plan uses are decoded.
Columns stay columns where every body has them; else rows are made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, chain, repeat
from typing import Any, NamedTuple, Protocol, TypeAlias

from kappa.batch import Batch
from kappa.log import Catalog, Decoded, Part, SchemaView, decode_seen, keys_of
from kappa.operators.contract import Fields
from kappa.plan import SourceSpec, Step

RECORD = 0

BY_BODY = frozenset({"key"})
"""Facts that a body tells of its records, so that each is decoded for itself."""


Written: TypeAlias = "Callable[[int, Part], int]"


class Bodies(Protocol):
    """What reading asks of a log."""

    def read_parts(self, parts: Sequence[Part]) -> list[bytes]:
        """The bodies of parts, CRC checked."""
        ...

    @property
    def catalog(self) -> Catalog:
        """The topics."""
        ...


def read_source(
    log: Bodies,
    step: Step,
    source: int,
    lsns: Sequence[int],
    append_times: Sequence[int],
    parts: Sequence[tuple[int, Part]],
    view: SchemaView | None = None,
    written: Written | None = None,
) -> list[Batch]:
    """The rows of one source in a unit, in the order (LSN, partition, offset).

    Args:
        log: where the bodies are.
        step: the source's step: which fields and which of the record's own facts.
        source: its place among the sources, which ranks its records.
        lsns: of the unit.
        append_times: of each LSN.
        parts: (index into `lsns`, part), in order.
        view: the schema that rows are seen through; None for as they were written.
        written: the LSN at which a part of an LSN was written, where that is another.
    """
    if not parts:
        return []
    bodies = log.read_parts([part for _, part in parts])
    if not all(bodies):  # compaction left nothing of some
        parts = [part for part, body in zip(parts, bodies, strict=True) if body]
        bodies = [body for body in bodies if body]
        if not parts:
            return []
    counts = [part.count for _, part in parts]
    wrote: Sequence[int] = ()
    if view is not None:
        wrote = [written(lsns[at], p) if written else lsns[at] for at, p in parts]
    joined = decode_seen(bodies, wrote, step.fields, view)
    pieces = None
    if joined.count != sum(counts) or step.meta & BY_BODY or joined.columns is None:
        # Compacted, or of several shapes: each body for itself.
        fields = with_key(log, step, parts[0][1])
        pieces = [
            decode_seen(bodies[at : at + 1], wrote[at : at + 1], fields, view)
            for at in range(len(bodies))
        ]
        counts = [piece.count for piece in pieces]
    runs = _runs(lsns, parts, counts)
    batch = (
        _of_columns(joined, runs) if joined.columns is not None else _of_rows(pieces or (), runs)
    )
    batch.checked = True
    if pieces is None:  # the parts are whole: the journal has the bounds of their times
        batch.bounded(
            min(part.min_time for _, part in parts), max(part.max_time for _, part in parts)
        )
    places = Places(log, step, parts, counts, pieces, append_times)
    assert isinstance(step.part, SourceSpec)
    if step.part.time == "append":
        batch = batch.with_times(_META["append_time"](places))
    if step.meta:
        batch.hidden = {name: _META[name](places) for name in sorted(step.meta)}
    if step.ranked:
        batch.ranks = _ranks(source, parts, counts)
    return [batch]


def _runs(
    lsns: Sequence[int], parts: Sequence[tuple[int, Part]], counts: Sequence[int]
) -> list[tuple[int, int]]:
    if len(parts) == 1:
        return [(lsns[parts[0][0]], counts[0])]
    ends = {lsns[index]: stop for (index, _), stop in zip(parts, accumulate(counts), strict=True)}
    return list(ends.items())


def _of_columns(decoded: Decoded, runs: list[tuple[int, int]]) -> Batch:
    """Columns by name: their order must not depend on which bodies were read together."""
    columns = decoded.columns or {}
    batch = Batch([], {name: columns[name] for name in sorted(columns)}, None, runs)
    batch.later(decoded.count, lambda: decoded.times)
    batch.solid = decoded.solid
    batch.known = decoded.names
    return batch


def _of_rows(pieces: Sequence[Decoded], runs: list[tuple[int, int]]) -> Batch:
    times: list[int] = []
    rows: list[Any] = []
    for piece in pieces:
        times += piece.times
        rows += _of_columns(piece, []).rows() if piece.values is None else piece.values
    return Batch(times, None, rows, runs)


def _ranks(
    source: int, parts: Sequence[tuple[int, Part]], counts: Sequence[int]
) -> list[tuple[Any, ...]]:
    ranks: list[tuple[Any, ...]] = []
    place, first = (-1, -1), 0
    for (index, part), count in zip(parts, counts, strict=True):
        # Mended records lie behind those of their LSN and partition that were never refused.
        first = first if (index, part.partition) == place else 0
        place = (index, part.partition)
        head = (RECORD, source, part.partition)
        ranks += [(*head, row) for row in range(first, first + count)]
        first += count
    return ranks


class Places(NamedTuple):
    """Where the rows of a batch come from, for the record's own facts."""

    log: Bodies
    step: Step
    parts: Sequence[tuple[int, Part]]
    counts: Sequence[int]
    pieces: Sequence[Decoded] | None
    append_times: Sequence[int]

    def repeated(self, values: Iterable[Any]) -> list[Any]:
        """One value per part, as often as the part has rows."""
        pairs = zip(values, self.counts, strict=True)
        return list(chain.from_iterable(repeat(value, count) for value, count in pairs))


def _topic(places: Places) -> list[Any]:
    assert isinstance(places.step.part, SourceSpec)
    return [places.step.part.topic] * sum(places.counts)


def _offset(places: Places) -> list[Any]:
    found: list[int] = []
    if places.pieces is None:  # whole parts
        for _, part in places.parts:
            found += range(part.base_offset, part.base_offset + part.count)
        return found
    for (_, part), piece in zip(places.parts, places.pieces, strict=True):
        own = range(piece.count) if piece.offsets is None else piece.offsets
        found += [part.base_offset + offset for offset in own]
    return found


def _key(places: Places) -> list[Any]:
    topic = places.log.catalog.topics[places.parts[0][1].topic_id]
    return [key for piece in places.pieces or () for key in keys_of(topic, piece)]


def with_key(log: Bodies, step: Step, part: Part) -> Fields:
    """The fields that a source reads, with those of the key where that is asked for."""
    if step.fields is None or "key" not in step.meta:
        return step.fields
    key = log.catalog.topics[part.topic_id].key
    return step.fields.union(() if key is None else (key,) if isinstance(key, str) else key)


_META: dict[str, Callable[[Places], list[Any]]] = {
    "key": _key,
    "offset": _offset,
    "partition": lambda places: places.repeated(part.partition for _, part in places.parts),
    "append_time": lambda places: places.repeated(
        places.append_times[index] for index, _ in places.parts
    ),
    "topic": _topic,
}
