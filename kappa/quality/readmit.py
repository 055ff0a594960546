"""Dead letters back into the log, once.

A mended record is appended to its topic in an append that answers the LSN it was refused in
and is flagged so, together with the note that its letter is resolved: both or neither, so a
replay that is killed and started again appends nothing twice. It is held to the contract in
force; what still breaks it goes on waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from kappa.errors import ConfigError, ContractViolation, RecordRefused
from kappa.log import LSN, MENDED, Draft, Log, Record, Topic
from kappa.quality.letters import DROPPED, REPLAYED, Letter, lock, resolved_topic, waiting

Mend: TypeAlias = "Callable[[Any], Any]"
"""Gets a record, returns it mended; None gives it up."""

Row: TypeAlias = "tuple[Letter, Any, Any, Any]"
"""A letter, its record mended, and key and time where they are no fields."""
BATCH = 256
"""Appends, one for each LSN answered, that are made under one lock."""


@dataclass
class Readmitted:
    """What became of letters.

    Args:
        appended: how many records are back in the log.
        dropped: how many the mending function gave up.
        refused: why records still cannot be taken, by the letter's number.
        times: event times of what was appended, in ms.
        lsn: of the last append; 0 if there was none.
    """

    appended: int = 0
    dropped: int = 0
    refused: dict[int, str] = field(default_factory=dict)
    times: list[int] = field(default_factory=list)
    lsn: int = 0


def readmit(
    log: Log, name: str, *, numbers: Iterable[int] | None = None, mend: Mend | None = None
) -> Readmitted:
    """Appends the records of letters that wait to the topics they were for.

    A letter of a pipeline stands for its record in the source topic, which is appended
    again, mended; the broken one stays where it is, and without `mend` there would be two.

    Args:
        log: where the letters are.
        name: of the topic or pipeline, or of their topic.
        numbers: only these letters.
        mend: changes each record; None appends it as it is.

    Raises:
        ConfigError: a number is no waiting letter, or letters of a pipeline without `mend`.
        LogLocked: another command works on these letters.
    """
    done = Readmitted()
    with lock(log, name) as topic:
        letters = waiting(log, name, numbers)
        inside = [letter for letter in letters if not letter.at_append]
        if inside and mend is None:
            raise ConfigError(
                f"{name}: letter {inside[0].number} is of step {inside[0].step!r}, and its record"
                " is in the log: mend the step and have its results recomputed, or mend the"
                " record with a function"
            )
        texts = [letter for letter in letters if letter.step == "load"]
        if texts and mend is None:
            raise ConfigError(
                f"{name}: letter {texts[0].number} is text that a load could not read: give a"
                " function that makes a record of it"
            )
        resolved = resolved_topic(log, topic)
        groups: dict[tuple[int, str | None], list[Letter]] = {}
        for letter in letters:
            groups.setdefault((letter.lsn, letter.topic), []).append(letter)
        appends = [_Append(log, group, resolved, mend) for group in groups.values()]
        for start in range(0, len(appends), BATCH):
            _commit(log, appends[start : start + BATCH], done)
    return done


def _commit(log: Log, appends: Sequence[_Append], done: Readmitted) -> None:
    results = log._admission.commit_all([one.draft for one in appends])
    made = [one for one in appends if one.made]
    for append, result in zip(made, results, strict=True):
        done.appended += len(append.good)
        done.dropped += len(append.given_up)
        done.lsn = result.lsn
        inside = log.read(append.topic.full_name, start=LSN(result.lsn), stop=LSN(result.lsn + 1))
        done.times += [record.time for record in inside]
    for append in appends:
        done.refused |= append.refused


class _Append:
    """Letters of one LSN and topic on their way back."""

    def __init__(
        self,
        log: Log,
        letters: list[Letter],
        resolved: Topic,
        mend: Mend | None,
    ) -> None:
        self.log = log
        self.letters = letters
        self.resolved = resolved
        self.failed: dict[int, str] = {}
        self.refused: dict[int, str] = {}
        self.good: list[Row] = []
        self.made = False
        self.topic = log.topic(letters[0].topic or "")
        self.rows: list[Row] = []
        self.given_up: list[Letter] = []
        for letter in letters:
            value, key, time = self._source(letter)
            if mend is not None:
                try:
                    value = mend(value)
                except Exception as error:
                    self.failed[letter.number] = f"mending fails: {type(error).__name__}: {error}"
                    continue
            if value is None:
                self.given_up.append(letter)
            else:
                self.rows.append((letter, value, key, time))

    def _source(self, letter: Letter) -> tuple[Any, Any, Any]:
        """The record as it was for its topic, with key and time where they are no fields."""
        if letter.at_append:
            return letter.record, letter.key, letter.time
        if letter.offset is None or letter.partition is None:
            raise ConfigError(
                f"dead letter {letter.number}: the record behind it is not known, since step"
                f" {letter.step!r} lies behind one that keeps state: recompute instead"
            )
        record = next(
            iter(
                self.log.read(
                    self.topic.full_name,
                    partition=letter.partition,
                    start=letter.offset,
                    stop=letter.offset + 1,
                )
            )
        )
        return _given(self.topic, record)

    def draft(self, contracts: int) -> Draft | None:
        """The append: records, and that their letters are resolved."""
        self.refused = dict(self.failed)
        self.good, bodies = self._encoded()
        good = {letter.number for letter, *_ in self.good}
        notes = [
            {"number": letter.number, "outcome": REPLAYED}
            for letter in self.letters
            if letter.number in good
        ]
        notes += [{"number": letter.number, "outcome": DROPPED} for letter in self.given_up]
        self.made = bool(notes)
        if not notes:
            return None
        found = self.log._admission.encode(self.resolved, notes, self.log.clock.now_ms())
        return Draft(
            [*bodies, *found.bodies],
            origin=self.letters[0].lsn,
            flags=MENDED if bodies else 0,
            contracts=contracts,
        )

    def _encoded(self) -> tuple[list[Row], list[Any]]:
        """The records that can be taken, and their bodies; the others are noted."""
        good = self.rows
        try:
            found = self._encode(good)
            if found is not None:
                return good, found
        except (ContractViolation, RecordRefused):
            pass
        kept = []
        for row in good:
            reason = self._refusal(row)
            if reason is None:
                kept.append(row)
            else:
                self.refused[row[0].number] = reason
        return kept, (self._encode(kept) or []) if kept else []

    def _refusal(self, row: Row) -> str | None:
        try:
            if self._encode([row]) is not None:
                return None
        except (ContractViolation, RecordRefused) as error:
            return error.message
        guard = self.log._admission.guard(self.topic)
        reasons = {} if guard is None else guard.aside([row[1]])
        return reasons.get(0, "its time or key cannot be read, or lies in the future")

    def _encode(self, rows: Sequence[Row]) -> list[Any] | None:
        """The bodies; None if some of the records would be set aside again."""
        if not rows:
            return []
        keys, times = [row[2] for row in rows], [row[3] for row in rows]
        now = max(self.log.clock.now_ms(), self.log._store.ledger.append_time)
        found = self.log._admission.encode(
            self.topic,
            [row[1] for row in rows],
            now,
            key=keys if self.topic.key is None and any(k is not None for k in keys) else None,
            time=[now if t is None else t for t in times]
            if self.topic.time is None and any(t is not None for t in times)
            else None,
        )
        return None if found.dead_letters else list(found.bodies)


def _given(topic: Topic, record: Record) -> tuple[Any, Any, Any]:
    key = record.key if topic.key is None else None
    return record.value, key, record.time if topic.time is None else None
