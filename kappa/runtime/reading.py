"""Reading: a pure function from a unit's parts to one batch per source.

Bodies are read with their CRC checked and only the fields that the plan uses are decoded.
Columns stay columns where every body has them; else rows are made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate, repeat
from typing import Any, Protocol

from kappa.batch import Batch
from kappa.log import Decoded, Part, decode_body
from kappa.plan import Step

RECORD = 0


class Bodies(Protocol):
    """What reading asks of a log."""

    def read_parts(self, parts: Sequence[Part]) -> list[bytes]:
        """The bodies of parts, CRC checked."""
        ...


def read_source(
    log: Bodies,
    step: Step,
    source: int,
    lsns: Sequence[int],
    append_times: Sequence[int],
    parts: Sequence[tuple[int, Part]],
) -> list[Batch]:
    """The rows of one source in a unit, in the order (LSN, partition, offset).

    Args:
        log: where the bodies are.
        step: the source's step: which fields and which of the record's own facts.
        source: its place among the sources, which ranks its records.
        lsns: of the unit.
        append_times: of each LSN.
        parts: (index into `lsns`, part), in order.
    """
    if not parts:
        return []
    bodies = log.read_parts([part for _, part in parts])
    fields = step.fields
    pieces = [decode_body(body, fields) for body in bodies]
    runs = _runs(lsns, parts, pieces)
    batch = _one(pieces[0], runs) if len(pieces) == 1 else _several(pieces, runs, fields)
    if step.meta:
        batch.hidden = {name: _META[name](parts, pieces, append_times, step) for name in step.meta}
    if step.ranked:
        batch.ranks = _ranks(source, parts, pieces)
    return [batch]


def _runs(
    lsns: Sequence[int], parts: Sequence[tuple[int, Part]], pieces: Sequence[Decoded]
) -> list[tuple[int, int]]:
    if len(parts) == 1:
        return [(lsns[parts[0][0]], pieces[0].count)]
    stops = accumulate(piece.count for piece in pieces)
    ends = {lsns[index]: stop for (index, _), stop in zip(parts, stops, strict=True)}
    return list(ends.items())


def _one(piece: Decoded, runs: list[tuple[int, int]]) -> Batch:
    batch = Batch(piece.times, piece.columns, piece.values, runs)
    batch.solid = piece.solid
    batch.known = piece.names
    return batch


def _several(
    pieces: Sequence[Decoded], runs: list[tuple[int, int]], fields: frozenset[str] | None
) -> Batch:
    times: list[int] = []
    for piece in pieces:
        times += piece.times
    names = _common(pieces, fields)
    if names is None:
        rows: list[Any] = []
        for piece in pieces:
            rows += _one(piece, []).rows()
        return Batch(times, None, rows, runs)
    columns: dict[str, list[Any]] = {}
    for name in names:
        column: list[Any] = []
        for piece in pieces:
            assert piece.columns is not None
            column += piece.columns[name]
        columns[name] = column
    batch = Batch(times, columns, None, runs)
    batch.solid = _solid(pieces, columns)
    batch.known = pieces[0].names
    return batch


def _common(pieces: Sequence[Decoded], fields: frozenset[str] | None) -> list[str] | None:
    """The fields to read as columns, or None where the pieces differ in shape."""
    first = pieces[0].columns
    if first is None:
        return None
    names = first.keys()
    for piece in pieces:
        if piece.columns is None or piece.columns.keys() != names:
            return None
        if fields is None and len(piece.names) != len(names):
            return None
    return list(first)


def _solid(pieces: Sequence[Decoded], columns: dict[str, list[Any]]) -> frozenset[str]:
    """Columns packed in every piece, as the same type in all of them."""
    common = frozenset.intersection(*(piece.solid for piece in pieces))
    return frozenset(
        name
        for name in common
        if len({type(piece.columns[name][0]) for piece in pieces if piece.columns}) == 1
    )


def _ranks(
    source: int, parts: Sequence[tuple[int, Part]], pieces: Sequence[Decoded]
) -> list[tuple[Any, ...]]:
    ranks: list[tuple[Any, ...]] = []
    for (_, part), piece in zip(parts, pieces, strict=True):
        head = (RECORD, source, part.partition)
        ranks += [(*head, row) for row in range(piece.count)]
    return ranks


def _offsets(part: Part, piece: Decoded) -> Sequence[int]:
    if piece.offsets is None:
        return range(part.base_offset, part.base_offset + piece.count)
    return [part.base_offset + offset for offset in piece.offsets]


_Parts = Sequence["tuple[int, Part]"]
_META: dict[str, Callable[[_Parts, Sequence[Decoded], Sequence[int], Step], list[Any]]] = {
    "offset": lambda parts, pieces, _, __: [
        offset
        for (_, part), piece in zip(parts, pieces, strict=True)
        for offset in _offsets(part, piece)
    ],
    "partition": lambda parts, pieces, _, __: [
        value
        for (_, part), piece in zip(parts, pieces, strict=True)
        for value in repeat(part.partition, piece.count)
    ],
    "append_time": lambda parts, pieces, times, _: [
        value
        for (index, _), piece in zip(parts, pieces, strict=True)
        for value in repeat(times[index], piece.count)
    ],
    "topic": lambda parts, pieces, _, step: [step.part.topic] * sum(p.count for p in pieces),  # type: ignore[union-attr]
}
