"""What steps that ask get from a run: answers kept in the log, and calls for the others."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping

from kappa.errors import Stopped
from kappa.log import Log
from kappa.operators.asking import Answer, Answers, Call, Request
from kappa.plan import Plan
from kappa.runtime.answers import AnswerJournal, Lines, Name
from kappa.runtime.calls import Calls
from kappa.time import Clock

KEEP_SECONDS = 0.1
"""How long an answer waits for others to be appended with: a crash loses no more."""

KEEP_BYTES = 4 << 20
"""Answers of this size are appended at once."""


class RunOutside:
    """Answers the requests of one run.

    Args:
        journal: the answers in the log.
        clock: for `KEEP_SECONDS`.
        stop: ends the waiting.
    """

    def __init__(self, journal: AnswerJournal, clock: Clock, stop: threading.Event | None) -> None:
        self.journal = journal
        self._clock = clock
        self._stop = stop
        self._calls = Calls()
        self._first = self._last = 0
        self._closing = False

    def begin(self, first: int, last: int, *, closing: bool = False) -> None:
        self._first, self._last, self._closing = first, last, closing
        self.journal.cover(first, last)

    def ask(
        self, step: str, call: Call, requests: Iterable[Request], *, keep_failures: bool
    ) -> Answers:
        """The answers that the log has, and those of calls for what it has not."""
        found: dict[tuple[int, bytes], Answer] = {}
        missing: list[tuple[Name, Request]] = []
        for request in requests:
            name = Name(request.lsn, self._closing, step, request.digest)
            known = self.journal.find(name, failures=keep_failures)
            if known is None:
                missing.append((name, request))
            else:
                found[request.lsn, request.digest] = known
        if missing:
            called = self._called(step, call, missing, keep_failures)
            found |= {(name.lsn, name.request): answer for name, answer in called.items()}
        return found

    def _called(
        self, step: str, call: Call, missing: list[tuple[Name, Request]], keep_failures: bool
    ) -> dict[Name, Answer]:
        kept: dict[Name, Answer] = {}
        keeping = Keeping(self._clock)
        done = self._calls.run(call, [request.row for _, request in missing], self._stop)
        try:
            for one in done:
                if one is not None:
                    index, answer = one
                    name = missing[index][0]
                    if answer.error is not None and not keep_failures:
                        kept[name] = answer
                        break
                    keeping.add(name, answer)
                elif self._stop is not None and self._stop.is_set():
                    raise Stopped(
                        f"stopped while step {step!r} waited for answers; those that came are"
                        " kept: started again, the run goes on",
                        step=step,
                    )
                if keeping.due():
                    kept |= self._keep(keeping.taken())
        finally:
            done.close()
            kept |= self._keep(keeping.taken())
        return kept

    def _keep(self, answers: Mapping[Name, Answer]) -> Mapping[Name, Answer]:
        if not answers:
            return answers
        return self.journal.keep(answers, first=self._first, last=self._last)

    def close(self) -> None:
        self._calls.close()


class Keeping:
    """Answers that came and are not in the log yet."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._answers: dict[Name, Answer] = {}
        self._size = 0
        self._since = 0.0

    def add(self, name: Name, answer: Answer) -> None:
        """Takes one in."""
        if not self._answers:
            self._since = self._clock.monotonic()
        self._answers[name] = answer
        self._size += answer.size

    def due(self) -> bool:
        """Whether they should wait no longer."""
        if not self._answers:
            return False
        late = self._clock.monotonic() - self._since >= KEEP_SECONDS
        return late or self._size >= KEEP_BYTES

    def taken(self) -> dict[Name, Answer]:
        """All of them, which are then no longer here."""
        answers, self._answers, self._size = self._answers, {}, 0
        return answers


def outside_of(
    plan: Plan,
    log: Log,
    lines: Lines,
    *,
    position: int = 0,
    stop: threading.Event | None = None,
    writes: bool = True,
) -> RunOutside | None:
    """What a run's steps ask; None where none asks.

    Args:
        plan: of the run.
        log: where answers are.
        lines: whose answers each step takes, from the version's record.
        position: the last LSN that the run need not handle.
        stop: ends the waiting.
        writes: False calls without keeping answers.
    """
    if not plan.asking:
        return None
    journal = AnswerJournal(log, plan.pipeline, lines, position=position, writes=writes)
    return RunOutside(journal, log.clock, stop)
