"""Small pipelines and logs that the runtime's tests share."""

from __future__ import annotations

from typing import Any

from kappa import Log, ManualClock, Pipeline, Tumbling, agg, col


def new_log(partitions: int = 1) -> Log:
    """A log in memory with a topic `bids`, keyed by `k`, event time in `ts`."""
    log = Log.memory(clock=ManualClock(1_000))
    log.create_topic("bids", partitions=partitions, key="k", time="ts")
    return log


def bids(*times: int, k: int = 1) -> list[dict[str, int]]:
    """One row per event time."""
    return [{"k": k, "price": time % 7, "ts": time} for time in times]


def counts(name: str = "counts", *, doubled: bool = False, **source: Any) -> Pipeline:
    """Counts per key and window of 10 ms; `doubled` is other code of the same shape."""
    pipeline = Pipeline(name)
    stream = pipeline.source("bids", **source)
    if doubled:
        stream = stream.map(lambda row: {**row, "price": row["price"] * 2})
    else:
        stream = stream.map(lambda row: {**row, "price": row["price"] * 1})
    windows = stream.key_by("k").window(Tumbling(10))
    windows.aggregate(n=agg.count(), total=agg.sum("price")).to("per_window")
    return pipeline


def cheap(name: str = "cheap") -> Pipeline:
    """A stateless pipeline with two outputs."""
    pipeline = Pipeline(name)
    yes, no = pipeline.source("bids").split(col("price") < 3)
    yes.to("cheap")
    no.to("dear")
    return pipeline


def rows(log: Log, topic: str) -> list[Any]:
    """The values of a topic in log order."""
    return [record.value for record in log.read(topic)]


def appends(log: Log, topic: str) -> list[tuple[int | None, list[Any]]]:
    """(LSN answered, values) of every append to a topic, voided ones left out."""
    topic_id = log.topic(topic).id
    origin = {
        entry.lsn: entry.origin
        for entry in log.entries(0)
        if any(part.topic_id == topic_id for part in entry.parts)
    }
    found: dict[int, list[Any]] = {}
    for record in log.read(topic):
        found.setdefault(record.lsn, []).append(record.value)
    return [(origin[lsn], values) for lsn, values in found.items()]
