"""Delivery into topics, exactly once (R7).

All rows that one LSN causes, over all sinks, are one append of the run's committer, named
by that LSN: origin = LSN, sequence = (LSN, part) in monotone mode. Made again after a
crash, the log recognises it: equal content is a repeat and changes nothing, other content
raises `OutputDiffers`. The append also claims how far each output's watermark has come.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kappa.batch import Batch
from kappa.codec import stable_hash
from kappa.errors import OutputDiffers
from kappa.expressions import Selector
from kappa.log import (
    CLOSING,
    AppendResult,
    Body,
    Draft,
    Log,
    ProducerHandle,
    encode_body,
    encode_columns,
)
from kappa.operators.signs import own_keys, signs_of
from kappa.runtime.executor import Output
from kappa.time import MINUS_INFINITY, PLUS_INFINITY

PARTS_PER_LSN = 256
CLOSING_PART = PARTS_PER_LSN - 2
FINAL_PART = PARTS_PER_LSN - 1
"""What draining gives comes after what a replay's closing gave and a run voided."""


@dataclass(frozen=True, slots=True)
class Target:
    """A topic that the run writes.

    Args:
        topic: its name without a version.
        topic_id: its number in the log.
        partitions: of the topic.
        key: what picks the partition; None where nothing does.
        stores_key: the key is not a field of the row, so it is stored beside it.
        codec: compression of its blocks.
        upsert: the rows are a table's: one record per key that changed.
    """

    topic: str
    topic_id: int
    partitions: int
    key: Selector | None
    stores_key: bool
    codec: str = "none"
    upsert: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """R8: only rows with since <= event time < until are written."""

    since: int = MINUS_INFINITY
    until: int = PLUS_INFINITY

    def cut(self, batch: Batch) -> Batch:
        """The rows of a batch that lie in the span."""
        if self.since == MINUS_INFINITY and self.until == PLUS_INFINITY:
            return batch
        if batch.min_time >= self.since and batch.max_time < self.until:
            return batch
        return batch.compress([self.since <= time < self.until for time in batch.times])


def by_lsn(batches: Sequence[Batch], span: Span) -> list[tuple[int, Batch]]:
    """The rows of each LSN that lie in a span, for the LSNs that have any."""
    pieces: dict[int, list[Batch]] = defaultdict(list)
    for whole in batches:
        batch = span.cut(whole)
        runs = batch.runs or []
        if len(runs) == 1:
            pieces[runs[0][0]].append(batch)
            continue
        start = 0
        for lsn, stop in runs:
            if stop > start:
                pieces[lsn].append(batch.slice(start, stop))
            start = stop
    return [(lsn, Batch.concat(found)) for lsn, found in pieces.items() if found[0].count]


class Delivery:
    """The committer of one (pipeline, version).

    Args:
        log: where the topics are.
        producer: the committer's producer, opened for this run.
        targets: by topic name without a version.
        params: values of the pipeline's parameters, for key expressions.
        span: the rows to write.
        claimed: watermarks claimed so far, by topic name (from a checkpoint).
    """

    def __init__(
        self,
        log: Log,
        producer: ProducerHandle,
        targets: Mapping[str, Target],
        *,
        params: Mapping[str, Any],
        span: Span,
        claimed: Mapping[str, int] | None = None,
    ) -> None:
        self.log = log
        self.producer = producer
        self.targets = targets
        self.span = span
        self.claimed: dict[str, int] = dict(claimed or {})
        self.rows = 0
        self.keys = {
            name: target.key.bind(params)
            for name, target in targets.items()
            if target.key is not None
        }

    def deliver(
        self, lsns: Sequence[int], append_times: Sequence[int], outputs: Sequence[Output]
    ) -> None:
        """Appends what a unit caused, one append per LSN.

        Raises:
            OutputDiffers: an append of this name exists with other content.
        """
        bodies = self._bodies(outputs)
        claims = self._claims(lsns, outputs)
        if not bodies and not claims:
            return
        drafts: list[Draft] = []
        for lsn, append_time in zip(lsns, append_times, strict=True):
            found = bodies.get(lsn)
            claim = claims.get(lsn)
            if found or claim:
                drafts.append(self._draft(lsn, 0, append_time, found or [], claim or []))
        self._commit(drafts)

    def close(self, lsn: int, append_time: int, outputs: Sequence[Output]) -> int:
        """Appends what closing all windows gave, flagged so that a run may void it."""
        if not self.targets:
            return 0
        bodies = self._bodies(outputs).get(lsn, [])
        draft = self._draft(lsn, CLOSING_PART, append_time, bodies, [], CLOSING)
        return self._commit([draft])[0].lsn

    def claim_end(self, lsn: int, append_time: int, outputs: Sequence[Output]) -> int:
        """Appends what draining gave and claims that nothing will follow."""
        bodies = self._bodies(outputs).get(lsn, [])
        claims: list[tuple[int, int | None]] = [
            (target.topic_id, PLUS_INFINITY) for target in self.targets.values()
        ]
        return self._commit([self._draft(lsn, FINAL_PART, append_time, bodies, claims)])[0].lsn

    def _commit(self, drafts: list[Draft]) -> list[AppendResult]:
        try:
            return self.log.commit(drafts)
        except OutputDiffers as error:
            raise OutputDiffers(
                f"{error.message}: the code has changed since it was written, or it is not"
                " deterministic; replay into a new version",
                lsn=error.lsn,
            ) from None

    def _draft(
        self,
        lsn: int,
        part: int,
        append_time: int,
        bodies: list[tuple[int, int, Body]],
        claims: list[tuple[int, int | None]],
        flags: int = 0,
    ) -> Draft:
        sequence = lsn * PARTS_PER_LSN + part
        return Draft(
            bodies,
            claims,
            self.producer.index,
            self.producer.epoch,
            sequence,
            sequence,
            lsn,
            flags,
            append_time,
        )

    def _claims(
        self, lsns: Sequence[int], outputs: Sequence[Output]
    ) -> dict[int, list[tuple[int, int | None]]]:
        claims: dict[int, list[tuple[int, int | None]]] = defaultdict(list)
        for output in outputs:
            if output.outlet is not None:
                continue
            topic_id = self.targets[output.topic].topic_id
            reached = self.claimed.get(output.topic, MINUS_INFINITY)
            for lsn, mark in zip(lsns, output.marks, strict=True):
                if mark is not None and reached < mark < PLUS_INFINITY:
                    reached = mark
                    claims[lsn].append((topic_id, mark))
            self.claimed[output.topic] = reached
        return claims

    def _bodies(self, outputs: Sequence[Output]) -> dict[int, list[tuple[int, int, Body]]]:
        bodies: dict[int, list[tuple[int, int, Body]]] = defaultdict(list)
        for output in outputs:
            if output.outlet is not None:
                continue
            target = self.targets[output.topic]
            for lsn, batch in by_lsn(output.batches, self.span):
                found = self._encode(target, batch, lsn)
                self.rows += sum(body.count for _, _, body in found)
                bodies[lsn] += found
        return bodies

    def _encode(self, target: Target, batch: Batch, lsn: int) -> list[tuple[int, int, Body]]:
        keys: Sequence[Any] | None = None
        if target.upsert:
            batch, keys = upserts(batch)
        elif target.key is not None:
            keys = self.keys[target.topic](batch)
        if target.partitions == 1 or keys is None:
            partition = 0 if target.partitions == 1 else lsn % target.partitions
            return [(target.topic_id, partition, _body(target, batch, keys))]
        places: dict[int, list[int]] = defaultdict(list)
        cache: dict[Any, int] = {}
        for index, key in enumerate(keys):
            partition = cache.get(key, -1)
            if partition < 0:
                partition = cache[key] = stable_hash(key) % target.partitions
            places[partition].append(index)
        return [
            (
                target.topic_id,
                partition,
                _body(target, batch.take(rows), [keys[row] for row in rows]),
            )
            for partition, rows in sorted(places.items())
        ]


def upserts(batch: Batch) -> tuple[Batch, list[Any]]:
    """What a table's changes in one LSN leave: a row per key, None where it is gone."""
    last: dict[Any, int] = {}
    keys, signs = own_keys(batch), signs_of(batch)
    for index, key in enumerate(keys):
        last.pop(key, None)
        last[key] = index
    kept = list(last.values())
    left = batch.take(kept)
    rows = [row if signs[at] > 0 else None for at, row in zip(kept, left.rows(), strict=True)]
    return left.with_rows(rows), list(last)


def _body(target: Target, batch: Batch, keys: Sequence[Any] | None) -> Body:
    stored = keys if target.stores_key else None
    span = (batch.min_time, batch.max_time) if batch.checked else None
    kind, content = batch.columns_or_rows()
    if kind == "columns":
        return encode_columns(
            batch.times,
            content,
            stored,
            codec=target.codec,
            where=target.topic,
            solid=batch.solid,
            span=span,
        )
    return encode_body(
        batch.times, content, stored, codec=target.codec, where=target.topic, span=span
    )
