"""Answers from outside, kept in the log: what a step was told, so that a replay is told the same.

All answers of a pipeline are in one topic, `<pipeline>.answers`, whatever version asked. A
row is an answer: `lsn` of the append that caused the request, `closing` where the closing
of all windows behind that LSN caused it, `step`, `request` (a digest), and `answer`, or
`error` if all attempts failed and the pipeline sets failing records aside. Nothing else
names it: not the row's place, not the code of the function.

The walk of one record x of a live run, with every moment at which the process may be killed:

1.  x is appended as LSN 7. A unit holds LSN 7; the rows of the unit reach the step, which
    names their requests. The journal has none of them: they are called.
    *Killed here*, nothing is known outside of the process. The next run handles LSN 7
    again and calls again. A call is made at least once, and again only if its answer was lost.
2.  The answer comes and is appended to the answers, say as LSN 9; then the row goes on.
    *Killed here*, the next run handles LSN 7 again, finds the answer of LSN 9 and calls
    nothing. What it makes of it is what it would have made.
3.  What rests on the answer is delivered: LSN 10 answers LSN 7. *Killed here*, LSN 7 is
    handled again as in 2, and LSN 10 is recognised as a repeat (R7).

An answer lies in the log before all that rests on it, so whatever prefix of the log a power
cut leaves (R2), no output is there whose answers are not. A failure that sets a record
aside is kept like an answer: the dead letter is output too.

**Versions.** Every version has a writer of its own: a producer, named by the LSN at which
the version was made. It takes its own answers first, then those of the version that was
current when it was made, then those that that one took: its line, fixed in the version's
record. So a replay into version 2 repeats what version 1 was told, request by request; a
request that version 1 never made (a filter let more through) is called. With
`journal="refresh"` the line of a step is its own writer alone. Own answers are repeated
in every case, else a crash would change what had been delivered. Answers of a step belong
to its name, like state: a function that was changed is still told what the old one was.

Who writes holds a lock and first looks whether its line has got the answer meanwhile, so
that within a line no request has two answers, whoever runs at the same time.

**Order.** An append of answers says as its origin the first LSN of the unit that asked, its
floor. All answers of its writer to lower LSNs lie before it, because a unit ends only when
all its answers are kept. So a reader that follows one writer may stop at the first append
with a floor behind its own unit: answers are read once, in order, and no more of them are
held than one unit of the writer.

**Retention.** Answers stay as long as the topic keeps them: make it before the first run
with `retention=` of your own. Those that are gone are called for again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from kappa.log import Draft, Entry, Log, decode_body, encode_columns
from kappa.log.journal import APPEND
from kappa.operators.asking import Answer
from kappa.plan import Plan

LOCK_TIMEOUT = "10s"
COLUMNS = ("lsn", "closing", "step", "request", "answer", "error")


class Name(NamedTuple):
    """What names an answer."""

    lsn: int
    closing: bool
    step: str
    request: bytes


Lines = Mapping[str, Sequence[int]]
"""Writers by step."""


def topic_of(pipeline: str) -> str:
    """The topic of a pipeline's answers."""
    return f"{pipeline}.answers"


def lines_of(
    plan: Plan, made: int, before: Lines, *, journal: str | None = None
) -> dict[str, list[int]]:
    """The lines of a new version's steps.

    Args:
        plan: of the version.
        made: the version's own writer.
        before: the lines of the version that is current as this one is made.
        journal: "repeat" or "refresh" for all steps, or None for what each says.
    """
    found = {}
    for step in plan.asking:
        wanted = journal or getattr(step.part, "journal", None)
        found[step.name] = [made, *(before.get(step.name, ()) if wanted == "repeat" else ())]
    return found


def make_topic(log: Log, pipeline: str) -> None:
    """Makes the topic of a pipeline's answers, unless it is there, as a user may have made it."""
    if log.catalog.find(topic_of(pipeline), None) is None:
        log.create_topic(topic_of(pipeline), owner=pipeline)


class AnswerJournal:
    """The answers that one run reads and writes.

    Args:
        log: where they are.
        pipeline: whose.
        lines: of the version.
        position: the last LSN that the run need not handle.
        writes: False for one who only looks.
    """

    def __init__(
        self, log: Log, pipeline: str, lines: Lines, *, position: int, writes: bool = True
    ) -> None:
        self.log = log
        self.lines = lines
        self._pipeline = pipeline
        self._topic = log.topic(topic_of(pipeline)).id if lines else 0
        own = {writers[0] for writers in lines.values()} if writes else set()
        self._own = min(own, default=None)
        self._producer = None
        end = None
        if self._own is not None:
            self._producer = log.open_producer(writer_id(pipeline, self._own))
            end = log.end_lsn  # what it writes from here on it need not read
        self._readers = {
            writer: Reader(
                log,
                self._topic,
                writer_id(pipeline, writer),
                after=position,
                until=end if writer == self._own else None,
            )
            for writers in lines.values()
            for writer in writers
        }

    def cover(self, first: int, last: int) -> None:
        """Reads the answers to LSNs first..last; those to lower ones are forgotten."""
        for reader in self._readers.values():
            reader.cover(first, last)

    def find(self, name: Name, *, failures: bool) -> Answer | None:
        """The answer that the step's line has; None if it has to be called for.

        Args:
            name: of the answer.
            failures: a call that failed for good counts as an answer.
        """
        for writer in self.lines.get(name.step, ()):
            found = self._readers[writer].held.get(name.lsn, {}).get(name)
            if found is not None and (failures or found.error is None):
                return found
        return None

    def keep(self, answers: Mapping[Name, Answer], *, first: int, last: int) -> dict[Name, Answer]:
        """Makes answers facts; gives those that count.

        They are others only where another version of the line was told meanwhile.

        Args:
            answers: that were called for.
            first, last: LSNs of the unit that asked.
        """
        if self._producer is None:
            return dict(answers)
        with self.log.lock(topic_of(self._pipeline), timeout=LOCK_TIMEOUT):
            self.cover(first, last)
            known = {
                name: self.find(name, failures=answer.error is not None)
                for name, answer in answers.items()
            }
            new = {name: answer for name, answer in answers.items() if known[name] is None}
            if new:
                self._write(new, floor=first)
        return {name: known[name] or answer for name, answer in answers.items()}

    def _write(self, answers: Mapping[Name, Answer], *, floor: int) -> None:
        assert self._producer is not None
        columns: dict[str, list[Any]] = {
            "lsn": [name.lsn for name in answers],
            "closing": [name.closing for name in answers],
            "step": [name.step for name in answers],
            "request": [name.request for name in answers],
            "answer": [answer.value for answer in answers.values()],
            "error": [answer.error for answer in answers.values()],
        }
        times = [self.log.clock.now_ms()] * len(answers)
        body = encode_columns(times, columns, where=topic_of(self._pipeline))
        index, epoch = self._producer.index, self._producer.epoch
        self.log.commit([Draft([(self._topic, 0, body)], (), index, epoch, origin=floor)])


class Reader:
    """Follows the answers of one writer, in the order of its units.

    Args:
        log: where they are.
        topic: id of the topic.
        writer: id of the producer.
        after: answers to LSNs up to this one are not needed; the others lie behind it.
        until: the last LSN to read; None for all there will be.

    Attributes:
        held: answers by LSN, from the LSN asked for last to the end of the writer's unit.
    """

    def __init__(self, log: Log, topic: int, writer: str, *, after: int, until: int | None) -> None:
        self.held: dict[int, dict[Name, Answer]] = {}
        self._log = log
        self._topic = topic
        self._writer = writer
        self._index: int | None = None
        self._seen = after
        self._until = until
        self._next: Entry | None = None
        self._entries: Iterator[Entry] = iter(())

    def cover(self, first: int, last: int) -> None:
        """Reads until no answer to an LSN up to `last` can follow."""
        for lsn in [lsn for lsn in self.held if lsn < first]:
            del self.held[lsn]
        while True:
            entry = self._next or self._following()
            if entry is None:
                return
            if entry.origin is not None and entry.origin > last:
                self._next = entry
                return
            self._next = None
            self._take(entry, first)

    def _following(self) -> Entry | None:
        """The next append of the writer, or None if there is none yet."""
        if self._index is None:
            known = self._log.catalog.producers.get(self._writer)
            if known is None:
                return None
            self._index = known.index
        found = self._search()
        if found is None and (self._until is None or self._seen < self._until):
            self._entries = self._log.entries(self._seen)
            found = self._search()
        return found

    def _search(self) -> Entry | None:
        for entry in self._entries:
            if self._until is not None and entry.lsn > self._until:
                return None
            self._seen = entry.lsn
            if entry.producer == self._index and entry.kind == APPEND:
                return entry
        return None

    def _take(self, entry: Entry, first: int) -> None:
        parts = [part for part in entry.parts if part.topic_id == self._topic]
        for body in self._log.read_parts([part for part in parts if self._log.holds(part)]):
            columns = decode_body(body).columns or {}
            rows = zip(*(columns[name] for name in COLUMNS), strict=True)
            for lsn, closing, step, request, value, error in rows:
                if lsn >= first:
                    name = Name(lsn, closing, step, request)
                    self.held.setdefault(lsn, {})[name] = Answer(value, error)


def writer_id(pipeline: str, made: int) -> str:
    """The producer id of the version that was made at an LSN.

    >>> writer_id("shop", 41)
    'shop.answers.41'
    """
    return f"{topic_of(pipeline)}.{made}"
