"""Dead letters of a log: what is there, why, and what has become of each.

A letter is a record of a topic `<name>.dead_letters`: of a topic whose appends are held to a
contract, of a load, or of a pipeline. What becomes of it stands in the topic
`<name>.dead_letters.resolved`, in the same append as its effect: a letter is resolved
exactly if its effect is in the log.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from kappa.errors import ConfigError
from kappa.log import Log, Topic

SUFFIX = ".dead_letters"
RESOLVED = ".resolved"
REPLAYED, DROPPED, RECOMPUTED = "replayed", "dropped", "recomputed"


@dataclass(frozen=True)
class Letter:
    """A record that was set aside.

    Args:
        number: its own offset: how commands name it.
        error: why.
        step: that refused it: "append", "load", or a pipeline's step.
        record: the record, whole.
        topic: that it was for, or was read from.
        partition, offset: where it lies there; None where it never got in, or nobody knows.
        lsn: of the append that it was part of.
        contract: name and version that it breaks.
        key, time: as they were given, where they are no fields of the record.
        event_time: of the record where a pipeline set it aside, else when that was, in ms.
        outcome: what became of it; None while it waits.
    """

    number: int
    error: str
    step: str
    record: Any
    topic: str | None
    partition: int | None
    offset: int | None
    lsn: int
    contract: str | None
    key: Any
    time: Any
    event_time: int
    outcome: str | None = None

    @property
    def at_append(self) -> bool:
        """Whether it never got into its topic."""
        return self.step in ("append", "load")


@dataclass(frozen=True)
class Cause:
    """Letters of one cause.

    Args:
        error: the reason of the first one.
        step: that refused them.
        contract: that they break.
        count: how many wait.
        first_lsn, last_lsn: of the appends they were part of.
        producer: who appended them; None for many, or one without an id.
        share: which part of that producer's appends, from the first to the last, has such
            records.
        over: that producer has appended others since.
    """

    error: str
    step: str
    contract: str | None
    count: int
    first_lsn: int
    last_lsn: int
    producer: str | None
    share: float | None
    over: bool = False

    def __str__(self) -> str:
        span = f"since LSN {self.first_lsn}"
        if self.over:
            span = f"from LSN {self.first_lsn} to LSN {self.last_lsn}"
        text = f"{self.count:,} x {self.error}, {span}"
        if self.share is not None:
            who = f"of producer {self.producer}" if self.producer else "without a producer id"
            text += f", {self.share:.0%} of the appends {who}".replace("%", " %")
        return text


def letters_topic(log: Log, name: str) -> Topic:
    """The topic of dead letters of a topic or pipeline, or of that very name.

    Raises:
        ConfigError: there is none.
    """
    known = {topic.full_name: topic for topic in log.topics()}
    bare, at, version = name.partition("@")
    tries = [name, f"{name}{SUFFIX}", f"{bare}{SUFFIX}{at}{version}"]
    for one in tries:
        topic = known.get(one)
        if topic is None and one.partition("@")[0] in log.catalog.aliases:
            topic = log.topic(one)
        if topic is not None and topic.name.endswith(SUFFIX):
            return topic
    there = sorted(full for full, topic in known.items() if topic.name.endswith(SUFFIX))
    raise ConfigError(f"{name} has no dead letters; there are {', '.join(there) or 'none'}")


def letters_of(log: Log, name: str) -> list[Letter]:
    """All letters, with what became of each, oldest first."""
    topic = letters_topic(log, name)
    outcomes = _outcomes(log, topic)
    origins = {
        entry.lsn: entry.origin
        for entry in log.entries(0)
        if any(part.topic_id == topic.id for part in entry.parts)
    }
    return list(_letters(log, topic, outcomes, origins))


def _letters(
    log: Log, topic: Topic, outcomes: dict[int, str], origins: dict[int, int | None]
) -> Iterator[Letter]:
    for record in log.read((topic.name, topic.version)):
        value = record.value if isinstance(record.value, dict) else {"record": record.value}
        lsn = value.get("lsn") or origins.get(record.lsn) or record.lsn
        yield Letter(
            number=record.offset,
            error=str(value.get("error", "")),
            step=str(value.get("step", "load" if "source" in value else "append")),
            record=value.get("record"),
            topic=value.get("topic") or topic.name.removesuffix(SUFFIX),
            partition=value.get("partition"),
            offset=value.get("offset"),
            lsn=lsn,
            contract=value.get("contract"),
            key=value.get("key"),
            time=value.get("time"),
            event_time=record.time,
            outcome=outcomes.get(record.offset),
        )


def _outcomes(log: Log, topic: Topic) -> dict[int, str]:
    found = log.catalog.find(topic.name + RESOLVED, topic.version)
    if found is None:
        return {}
    rows = (record.value for record in log.read((found.name, found.version)))
    return {row["number"]: row["outcome"] for row in rows}


def waiting(log: Log, name: str, numbers: Iterable[int] | None = None) -> list[Letter]:
    """The letters that wait, or those of them with these numbers.

    Raises:
        ConfigError: one of the numbers is no letter, or is resolved already.
    """
    every = letters_of(log, name)
    if numbers is None:
        return [letter for letter in every if letter.outcome is None]
    known = {letter.number: letter for letter in every}
    found = []
    for number in dict.fromkeys(numbers):
        letter = known.get(number)
        if letter is None or letter.outcome is not None:
            what = "does not exist" if letter is None else f"is {letter.outcome} already"
            raise ConfigError(f"dead letter {number} of {name} {what}")
        found.append(letter)
    return found


def resolved_topic(log: Log, topic: Topic) -> Topic:
    """The topic of what became of the letters, made if it is not there."""
    name = topic.name + RESOLVED
    return log.create_topic(name, version=topic.version, if_exists="ok")


def drop(log: Log, name: str, numbers: Iterable[int] | None = None) -> int:
    """Gives letters up: they stay in the log, and wait no more. Returns how many."""
    with lock(log, name) as topic:
        letters = waiting(log, name, numbers)
        if letters:
            resolved = resolved_topic(log, topic)
            rows = [{"number": one.number, "outcome": DROPPED} for one in letters]
            log.append(resolved.full_name, rows)
        return len(letters)


class lock:  # used as a function
    """Holds the letters of a topic against other commands; gives their topic."""

    def __init__(self, log: Log, name: str) -> None:
        self._topic = letters_topic(log, name)
        self._lock = log.lock(f"{self._topic.full_name}{RESOLVED}")

    def __enter__(self) -> Topic:
        self._lock.__enter__()
        return self._topic

    def __exit__(self, *error: Any) -> None:
        self._lock.__exit__(*error)


def causes(log: Log, name: str, letters: Sequence[Letter] | None = None) -> list[Cause]:
    """The letters that wait by cause: step, contract, and what the reason begins with.

    With who appended them, and which part of that producer's appends to the topic, from the
    first of them to the last, holds such records.
    """
    topic = letters_topic(log, name)
    groups: dict[tuple[Any, ...], list[Letter]] = {}
    for letter in waiting(log, name) if letters is None else letters:
        head = letter.error.partition(":")[0]
        groups.setdefault((letter.step, letter.contract, letter.topic, head), []).append(letter)
    appends = _appends(log, topic, groups)
    return [_cause(group, appends) for group in groups.values()]


def _appends(log: Log, letters: Topic, groups: Iterable[tuple[Any, ...]]) -> dict[int, str | None]:
    """Who made each append with records for the topics of the letters, or letters themselves."""
    names = {name for _, _, name, _ in groups}
    ids = {topic.id for topic in log.topics() if topic.full_name in names or topic.name in names}
    ids.add(letters.id)
    producers = log.catalog.by_index
    return {
        entry.lsn: None if entry.producer is None else producers[entry.producer].id
        for entry in log.entries(0)
        if entry.kind == "append"
        and entry.origin is None
        and any(part.topic_id in ids for part in entry.parts)
    }


def _cause(group: list[Letter], appends: dict[int, str | None]) -> Cause:
    lsns = {letter.lsn for letter in group}
    first, last = min(lsns), max(lsns)
    over = False
    producers = Counter(appends[lsn] for lsn in lsns if lsn in appends)
    producer, share = None, None
    if len(producers) == 1:
        (producer,) = producers
        theirs = [lsn for lsn, who in appends.items() if who == producer and lsn >= first]
        share = len(lsns) / sum(1 for lsn in theirs if lsn <= last) if theirs else None
        over = bool(theirs) and max(theirs) > last
    return Cause(
        error=group[0].error,
        step=group[0].step,
        contract=group[0].contract,
        count=len(group),
        first_lsn=first,
        last_lsn=last,
        producer=producer,
        share=share,
        over=over,
    )
