"""Records that an append sets aside: what is kept of them, and parting them from the rest.

They go to `<topic>.dead_letters` in the same append, so that nothing is lost and none of
them moves time. A letter has the shape of those that pipelines write (see
`kappa.operators.letters`); where the record lies is the append itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kappa.errors import RecordRefused
from kappa.log.catalog import Topic
from kappa.time import format_time

__all__ = ["STEP", "Rows"]

STEP = "append"
"""The step that letters of appends name."""


@dataclass
class Rows:
    """Records on their way into a topic, and the letters of those set aside.

    Args:
        topic: where they go.
        values: the records.
        key, time: as they were given: one for all, one for each, a function, or None.
        contract: name and version of the contract that they are held to.
        letters: of the records set aside so far.
    """

    topic: Topic
    values: Sequence[Any]
    key: Any
    time: Any
    contract: str | None = None
    letters: list[dict[str, Any]] = field(default_factory=list)

    def set_aside(self, reasons: Mapping[int, str]) -> None:
        """Parts some records from the rest.

        Args:
            reasons: by the record's place; ascending.
        """
        if not reasons:
            return
        values, count = self.values, len(self.values)
        for at, reason in reasons.items():
            key = _one(self.key, at, values[at], count)
            self.letters.append(self.letter(reason, values[at], key, self._time(at, count)))
        kept = [at for at in range(count) if at not in reasons]
        self.key, self.time = _kept(self.key, kept, count), _kept(self.time, kept, count)
        self.values = [values[at] for at in kept]

    def letter(self, error: str, record: Any, key: Any, time: Any) -> dict[str, Any]:
        """What is kept of a record."""
        return {
            "error": error,
            "step": STEP,
            "record": record,
            "topic": self.topic.full_name,
            "partition": None,
            "offset": None,
            "lsn": None,
            "contract": self.contract,
            "key": key,
            "time": time,
        }

    def early(
        self, times: list[int], keys: list[Any] | None, now: int
    ) -> tuple[list[int], list[Any] | None]:
        """Sets records from the future aside; the times and keys of the others."""
        allowed = self.topic.max_future_skew_ms
        assert allowed is not None
        kept = [at for at, time in enumerate(times) if time <= now + allowed]
        for at, time in enumerate(times):
            if time > now + allowed:
                error = (
                    f"event time {format_time(time)} lies {time - now} ms ahead of the append,"
                    f" more than max_future_skew allows ({allowed} ms)"
                )
                key = None if keys is None else keys[at]
                self.letters.append(self.letter(error, self.values[at], key, time))
        self.values = [self.values[at] for at in kept]
        left = None if keys is None else [keys[at] for at in kept]
        return [times[at] for at in kept], left

    def _time(self, at: int, count: int) -> Any:
        try:
            return _one(self.time, at, self.values[at], count)
        except Exception:  # a function of the user's, on a record that is wrong
            return None


def unreadable(rows: Rows, read: Any) -> dict[int, str]:
    """The records whose time or key cannot be read, with the reason.

    Args:
        rows: the records.
        read: reads time and key of a list of records; raises `RecordRefused`.
    """
    found = {}
    for at, value in enumerate(rows.values):
        try:
            read([value])
        except RecordRefused as error:
            found[at] = error.message.partition(f"for {rows.topic.full_name}")[2].strip(": ")
    return found


def _listed(given: Any, count: int) -> bool:
    """Whether there is one for each record."""
    return isinstance(given, Sequence) and not isinstance(given, str) and len(given) == count


def _one(given: Any, at: int, value: Any, count: int) -> Any:
    if callable(given):
        return given(value)
    return given[at] if _listed(given, count) and isinstance(given, list) else given


def _kept(given: Any, kept: list[int], count: int) -> Any:
    if not callable(given) and _listed(given, count) and isinstance(given, list):
        return [given[at] for at in kept]
    return given
