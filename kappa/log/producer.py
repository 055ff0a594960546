"""Producers: appending in batches, each record once (R3)."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Literal, NamedTuple

from kappa.batch import Frame
from kappa.errors import ConfigError, SequenceError
from kappa.log.admission import Admission
from kappa.log.catalog import Topic
from kappa.log.staging import AppendResult, Draft
from kappa.log.store import Store
from kappa.time import Instant, instant_ms

__all__ = ["Mode", "Producer", "ProducerHandle", "open_producer"]

Mode = Literal["monotone", "dense"]


class ProducerHandle(NamedTuple):
    """A producer that was opened: its number, and the epoch that fences earlier ones."""

    id: str
    index: int  # type: ignore[assignment]  # the field's word hides tuple.index
    epoch: int


def open_producer(store: Store, id: str, mode: Mode) -> ProducerHandle:
    """Raises a producer's epoch, which fences whoever had it open.

    Raises:
        ConfigError: no id, or one that was opened in the other mode.
    """
    if mode not in ("monotone", "dense"):
        raise ConfigError(f'mode is {mode!r}: give "monotone" or "dense"')
    if not isinstance(id, str) or not 0 < len(id) <= 500:
        raise ConfigError(f"{id!r} is no producer id: use text of 1 to 500 characters")
    with store.writing() as writing:
        producers = store.ledger.catalog.producers
        if id in producers and producers[id].mode != mode:
            raise ConfigError(f"producer {id!r} was opened as {producers[id].mode}, not {mode}")
        writing.control("producer", {"id": id, "mode": mode})
        return ProducerHandle(id, producers[id].index, producers[id].epoch)


class Producer:
    """Appends records to one topic in batches.

    With an id it is idempotent: its appends carry sequences, the log remembers the last,
    and a record sent again changes nothing. Opening the same id again fences this one.
    A loader takes the position in its source as `sequence`, asks `last_sequence` and
    starts behind it; without sequences of its own the producer counts on. Of sequences at
    or below the last, `send` drops the record and counts it in `repeated`.

    Not for several threads at once. Leaving a `with` block flushes, unless by an error.

    Args:
        store: the log's.
        topic: where to.
        handle: the opened producer; None is one without an id.
        batch: records per append.
        admission: what holds records to contracts and encodes them.

    >>> from kappa.log import Log
    >>> log = Log.memory()
    >>> _ = log.create_topic("bids")
    >>> with log.producer("bids", id="loader") as producer:
    ...     for line, text in enumerate(["a", "b"]):
    ...         producer.send(text, sequence=line)
    >>> log.producer("bids", id="loader").last_sequence
    1
    """

    def __init__(
        self,
        store: Store,
        topic: Topic,
        handle: ProducerHandle | None,
        *,
        batch: int,
        admission: Admission,
    ) -> None:
        if type(batch) is not int or batch < 1:
            raise ConfigError(f"batch is {batch!r}: give a whole number from 1 on")
        self.topic = topic
        self.repeated = 0
        self._store = store
        self._handle = handle
        self._batch = batch
        self._admission = admission
        self._values: list[Any] = []
        self._keys: list[Any] = []
        self._times: list[Instant | None] = []
        self._sequences: list[int] = []
        self._last = self.last_sequence
        self._dense = False
        if handle is not None:
            self._dense = store.ledger.catalog.producers[handle.id].mode == "dense"

    @property
    def last_sequence(self) -> int | None:
        """The last sequence in the log; None before the first append, or without an id."""
        if self._handle is None:
            return None
        self._store.refresh()
        return self._store.ledger.catalog.producers[self._handle.id].last

    def send(
        self,
        value: Any,
        *,
        key: Any = None,
        time: Instant | None = None,
        sequence: int | None = None,
    ) -> None:
        """Adds a record to the batch, and appends the batch when it is full.

        Args:
            value: the record.
            key, time: where the topic has no field for them, or to override it.
            sequence: its position in the source, above the one before; for a producer
                with an id.

        Raises:
            SequenceError: the sequence does not follow the one before.
            ProducerFenced: the id was opened again.
        """
        if self._handle is not None:
            sequence = self._next_sequence(sequence)
            if sequence is None:
                self.repeated += 1
                return
            self._sequences.append(sequence)
        elif sequence is not None:
            raise ConfigError("a sequence needs a producer with an id")
        self._values.append(value)
        self._keys.append(key)
        self._times.append(time)
        if len(self._values) >= self._batch:
            self.flush()

    def _next_sequence(self, sequence: int | None) -> int | None:
        """The record's sequence; None if it was appended before."""
        before = self._sequences[-1] if self._sequences else self._last
        if sequence is None:
            return 0 if before is None else before + 1
        if type(sequence) is not int:
            raise ConfigError(f"sequence is {sequence!r}: give an int")
        if self._last is not None and sequence <= self._last:
            return None
        if before is not None and (sequence <= before or (self._dense and sequence != before + 1)):
            raise SequenceError(f"sequence {sequence} does not follow {before}")
        return sequence

    def flush(self) -> AppendResult | None:
        """Appends what is waiting; None if nothing is.

        After an error the batch is kept: flushing again is safe, a repeat changes nothing.
        """
        if not self._values:
            return None
        first, last = (self._sequences[0], self._sequences[-1]) if self._sequences else (None, None)
        result = self._append(self._values, self._keys, self._times, first, last)
        self._values, self._keys, self._times, self._sequences = [], [], [], []
        return result

    def send_columns(
        self,
        records: Frame,
        *,
        key: Sequence[Any] | None = None,
        time: Sequence[Instant] | None = None,
        sequence: int | None = None,
    ) -> AppendResult | None:
        """Appends records given as columns, at once; None if all were appended before.

        Args:
            records: the columns; what waits goes before them.
            key, time: of each record, where the topic has no field for them.
            sequence: of the first record, for a producer with an id; the others follow.

        Raises:
            ConfigError, SequenceError, ProducerFenced: as `send`.
        """
        self.flush()
        if self._handle is None:
            if sequence is not None:
                raise ConfigError("a sequence needs a producer with an id")
            return self._append(records, key, time, None, None) if len(records) else None
        if sequence is None:
            sequence = 0 if self._last is None else self._last + 1
        known = 0
        if self._last is not None:
            known = min(len(records), max(0, self._last + 1 - sequence))
        self.repeated += known
        if known == len(records):
            return None
        return self._append(
            records[known:],
            None if key is None else key[known:],
            None if time is None else time[known:],
            sequence + known,
            sequence + len(records) - 1,
        )

    def _append(
        self,
        values: Sequence[Any],
        keys: Sequence[Any] | None,
        times: Sequence[Instant | None] | None,
        first: int | None,
        last: int | None,
    ) -> AppendResult:
        def draft(contracts: int, now: int) -> tuple[Draft, int]:
            encoded = self._admission.encode(
                self.topic,
                values,
                now,
                key=self._given(keys, "key", self.topic.key),
                time=self._given(times, "time", self.topic.time, now),
            )
            # Content is not compared: times may be the clock's, and a repeat is one by its
            # number.
            made = Draft(
                encoded.bodies,
                (),
                *self._name(),
                first,
                last,
                checked=False,
                contracts=contracts,
            )
            return made, encoded.dead_letters

        result = self._admission.commit(draft)
        self._last = last
        return result

    def _given(
        self, given: Sequence[Any] | None, what: str, field: object, default: Any = None
    ) -> Any:
        """The given keys or times, None if the topic's field holds them all."""
        if given is None:
            return None
        missing = given.count(None)
        if missing == len(given):
            return None
        if missing and field is not None:
            raise ConfigError(f"send {what}= with all records of {self.topic.full_name}, or none")
        return [default if value is None else value for value in given]

    def _name(self) -> tuple[int | None, int]:
        handle = self._handle
        return (None, 0) if handle is None else (handle.index, handle.epoch)

    def heartbeat(self, until: Instant) -> AppendResult:
        """Flushes, then claims that no record will follow at or before `until`."""
        self.flush()
        claim = (self.topic.id, instant_ms(until, name="until"))
        return self._store.commit((Draft((), (claim,), *self._name()),))[0]

    def close(self) -> None:
        """Flushes."""
        self.flush()

    def __enter__(self) -> Producer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
