"""Slow calls outside, many at once: one row out per row in, in the order of the rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from kappa.batch import Batch
from kappa.batch.rows import fresh_rows
from kappa.errors import ConfigError
from kappa.expressions import Selector
from kappa.operators.asking import (
    JOURNAL,
    Answers,
    Asked,
    Call,
    CallFailed,
    Request,
    digest_of,
)
from kappa.operators.contract import Fields, Instance, Operator, OperatorContext, both
from kappa.operators.failing import bound_then, evaluate
from kappa.operators.keyed import as_mapping, dead_letter


@dataclass(frozen=True, slots=True)
class MapAsync(Operator):
    """What a function outside answers for each row; every answer is kept in the log.

    Args:
        function: what is called; of `call`, and named here for the fingerprint.
        request: what of the row names the request, if not all that the function reads.
        into: the field that the answer becomes; None: the answer becomes the row.
        call: how to call. No row depends on it, so it may change at any time.
        journal: "repeat" takes the answers of earlier versions, "refresh" calls anew.

    Raises:
        ConfigError: no function, or another word for `journal`.
    """

    kind: ClassVar[str] = "map_async"
    asks: ClassVar[bool] = True
    function: Selector
    request: Selector | None
    into: str | None
    call: Call = field(repr=False)
    journal: str = field(default="repeat", repr=False)

    def __post_init__(self) -> None:
        if not callable(self.call.function):
            raise ConfigError(f"map_async: {self.call.function!r} is not a function")
        if self.journal not in JOURNAL:
            raise ConfigError(
                f"map_async: journal is {self.journal!r}: give one of {', '.join(JOURNAL)}"
            )

    def open(self, context: OperatorContext) -> Instance:
        return MapAsyncInstance(self, context)

    def required(self, wanted: Fields) -> Fields:
        kept: Fields = frozenset() if self.into is None else wanted
        asked: Fields = frozenset() if self.request is None else self.request.fields
        return both(both(self.function.fields, asked), kept)

    def describe(self) -> str:
        """How it asks, and what is kept."""
        call = self.call
        wait = "any time" if call.timeout is None else f"{call.timeout}"
        return (
            f"asks outside, {call.concurrency} at once, {wait} each, {call.retries} retries;"
            f" answers are kept in the log ({self.journal})"
        )


class MapAsyncInstance(Instance):
    """Requests of a unit's rows, and their answers put in the rows' places."""

    def __init__(self, operator: MapAsync, context: OperatorContext) -> None:
        if context.outside is None:
            raise ConfigError(
                f"step {context.step!r} asks outside, which only a run can do: use"
                " kappa.testing.run",
                step=context.step,
            )
        self._outside = context.outside
        self._operator = operator
        self._context = context
        asked = operator.request or Selector.of(Asked(operator.function.fields))
        self._parts = [bound_then(asked, digest_of, context)]

    def process(self, batch: Batch) -> Iterable[Batch]:
        return self.process_all([batch])

    def process_all(self, batches: Sequence[Batch]) -> Iterable[Batch]:
        """Asks for the rows of all batches at once."""
        out: list[Batch] = []
        asked: list[tuple[Batch, list[bytes]]] = []
        for batch in batches:
            left, (digests,), dead = evaluate(self._parts, batch, self._context)
            out += dead
            asked.append((left, digests))
        answers = self._outside.ask(
            self._context.step,
            self._operator.call,
            _requests(asked),
            keep_failures=self._context.dead_letters,
        )
        for batch, digests in asked:
            out += self._answered(batch, digests, answers)
        return out

    def _answered(self, batch: Batch, digests: list[bytes], answers: Answers) -> Iterator[Batch]:
        rows: list[Any] = []
        kept: list[int] = []
        into = self._operator.into
        before = None if into is None else batch.rows()
        for index, name in enumerate(zip(batch.lsns(), digests, strict=True)):
            answer = answers.get(name)
            if answer is None:  # another call has failed, whose row comes further on
                continue
            if answer.error is not None:
                error = CallFailed(answer.error)
                error.__cause__ = answer.cause
                yield dead_letter(batch, index, error, self._context)
                continue
            kept.append(index)
            if before is None:
                rows.append(answer.value)
            else:
                rows.append({**as_mapping(before[index]), into: answer.value})
        if kept:
            left = batch if len(kept) == batch.count else batch.take(kept)
            yield left.with_rows(fresh_rows(rows))  # equal requests have one answer


def _requests(asked: Sequence[tuple[Batch, list[bytes]]]) -> Iterator[Request]:
    """Each different request once."""
    seen: set[tuple[int, bytes]] = set()  # only asked `in`
    for batch, digests in asked:
        rows = batch.rows(fresh=True)  # a call that is left behind may still change its row
        for lsn, digest, row in zip(batch.lsns(), digests, rows, strict=True):
            if (lsn, digest) not in seen:
                seen.add((lsn, digest))
                yield Request(lsn, digest, row)
