"""A pipeline over rows in memory: what a unit test of a pipeline needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from kappa.errors import ConfigError
from kappa.log import Log
from kappa.pipeline import Pipeline
from kappa.time import ManualClock, instant_ms

TIME_FIELDS = ("ts", "time", "timestamp", "event_time", "dateTime")


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """An append without records that claims a watermark: what follows at or before is late.

    Args:
        until: an instant.
    """

    until: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "until", instant_ms(self.until, name="Heartbeat"))


Input: TypeAlias = "Mapping[str, Any] | list[Mapping[str, Any]] | Heartbeat"


def run(
    pipeline: Pipeline,
    inputs: Mapping[str, Iterable[Input]],
    *,
    time: str | None = None,
    partitions: int = 1,
    key: str | None = None,
    params: Mapping[str, Any] | None = None,
    read_records: int = 4096,
) -> dict[str, list[Any]]:
    """Runs a pipeline over rows, on a log in memory, and closes all windows at the end.

    Args:
        pipeline: to run.
        inputs: rows per topic. A row is one append, a list of rows is one append, a
            `Heartbeat` claims a watermark. Several topics are merged by time.
        time: the field with the event time; by default the first of ts, time, timestamp,
            event_time and dateTime that the rows have.
        partitions: of each topic.
        key: the field that picks a record's partition.
        params: values of the pipeline's parameters.
        read_records: how many records to take in at once.

    Returns:
        The rows of each output, in the order in which they were appended.

    >>> from kappa import Pipeline, Tumbling, agg
    >>> p = Pipeline("test")
    >>> _ = p.source("bids").key_by("auction").window(Tumbling("10s")).aggregate(
    ...     n=agg.count()).to("counts")
    >>> run(p, {"bids": [{"auction": 1, "ts": 5}, {"auction": 1, "ts": 6}]})
    {'counts': [{'auction': 1, 'window_start': 0, 'window_end': 10000, 'n': 2}]}
    """
    clock = ManualClock(0)
    with Log.memory(clock=clock) as log:
        for topic, items in inputs.items():
            _check_inputs(topic, items)
            log.create_topic(
                topic, time=_time_field(topic, items, time), partitions=partitions, key=key
            )
        fill(log, inputs, clock=clock)
        result = pipeline.run(
            log, drain=True, params=params, read_records=read_records, checkpoint_every=None
        )
        return {
            name: [record.value for record in log.read(f"{name}@{result.version}")]
            for name in pipeline.plan().outputs
        }


def fill(log: Log, inputs: Mapping[str, Iterable[Input]], *, clock: ManualClock) -> None:
    """Appends inputs in the order of their times; the clock stands at each one's time.

    Args:
        log: with the topics.
        inputs: as in `run`.
        clock: the log's.
    """
    appends = []
    for topic, items in inputs.items():
        reached = 0
        field = log.topic(topic).time
        for item in items:
            # An append never overtakes the one before it in its topic.
            reached = max(reached, _time_of(item, field))
            appends.append((reached, topic, item))
    appends.sort(key=lambda append: append[0])
    for moment, topic, item in appends:
        clock.advance(max(0, moment - clock.now_ms()))
        if isinstance(item, Heartbeat):
            log.heartbeat(topic, item.until)
        else:
            log.append(topic, item if isinstance(item, list) else [item])


def _check_inputs(topic: str, items: object) -> None:
    if not isinstance(items, list | tuple):
        raise ConfigError(f"inputs of topic {topic!r}: give a list of rows, not {type(items)}")


def _time_field(topic: str, items: Iterable[Input], given: str | None) -> str | None:
    if given is not None:
        return given
    for item in items:
        if isinstance(item, Heartbeat) or not item:
            continue
        row = item[0] if isinstance(item, list) else item
        for field in TIME_FIELDS:
            if field in row:
                return field
        raise ConfigError(
            f"the rows of topic {topic!r} have none of {', '.join(TIME_FIELDS)}: say which field"
            " holds the event time, time=..."
        )
    return None


def _time_of(item: Input, field: str | None) -> int:
    if isinstance(item, Heartbeat):
        return item.until
    rows = item if isinstance(item, list) else [item]
    if not rows or field is None:
        return 0
    return max(0, min(instant_ms(row[field]) for row in rows))
