"""Between the oracle and the engine: logs from scenarios, pipelines from nodes, output back.

Only the public API is used, and the log's journal to see which LSN an output answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import oracle
from strategies import PATTERNS, Beat, Dual, Put, Scenario

from kappa import Calendar, Log, Pipeline, Session, Sliding, Tumbling, agg, desc
from kappa.log import CLOSING
from kappa.time import ManualClock
from kappa.windows import Count, Global

Timed = list[tuple[int, dict[str, Any]]]
Answers = dict[int, dict[str, Timed]]


# ---- logs


def new_log(scenario: Scenario, log: Log | None = None) -> Log:
    """A log with the scenario's topics, in memory unless one is given."""
    log = Log.memory(clock=ManualClock(1_000)) if log is None else log
    for name, partitions in scenario.topics.items():
        log.create_topic(name, partitions=partitions, key="p", time="ts", if_exists="ok")
    return log


def perform(log: Log, act: Put | Beat) -> None:
    """One append, after moving the clock."""
    clock = log.clock
    if act.wait:
        clock.advance(act.wait)
    if isinstance(act, Beat):
        with log.producer(act.topic, id=act.producer) as producer:
            producer.heartbeat(act.until)
    else:
        log.append_many(act.rows)


def filled(scenario: Scenario, log: Log | None = None) -> Log:
    """The log after the whole scenario."""
    log = new_log(scenario, log)
    for act in scenario.acts:
        perform(log, act)
    return log


def history(log: Log, topics: Mapping[str, int]) -> tuple[list[int], list[oracle.Append]]:
    """What the journal and the records say: LSNs, and the oracle's appends."""
    ids = {log.topic(name).id: name for name in topics}
    read: dict[int, dict[tuple[str, int], Timed]] = {}
    for name in topics:
        for record in log.read(name):
            parts = read.setdefault(record.lsn, {})
            parts.setdefault((name, record.partition), []).append((record.time, record.value))
    lsns, appends = [], []
    for entry in log.entries(0):
        if entry.kind != "append" or entry.origin is not None:
            continue
        claims = {ids[i]: until for i, until in entry.claims if i in ids and until is not None}
        ticks = tuple(ids[i] for i, until in entry.claims if i in ids and until is None)
        producer = "" if entry.producer is None else str(entry.producer)
        lsns.append(entry.lsn)
        appends.append(
            oracle.Append(entry.append_time, read.get(entry.lsn, {}), claims, ticks, producer)
        )
    return lsns, appends


# ---- pipelines

AGGREGATES = {
    "count": agg.count,
    "sum": agg.sum,
    "min": agg.min,
    "max": agg.max,
    "mean": agg.mean,
    "first": agg.first,
    "last": agg.last,
    "collect": agg.collect,
    "count_distinct": agg.count_distinct,
}


def built(sinks: Mapping[str, oracle.Node], name: str = "p", partitions: int = 1) -> Pipeline:
    """The engine's pipeline for the oracle's nodes."""
    pipeline = Pipeline(name)
    streams: dict[oracle.Node, Any] = {}
    # Sources first and in order, because their order ranks the records of one LSN.
    for node in oracle.graph(sinks):
        streams[node] = _stream(pipeline, node, streams, f"step {len(streams)}")
    for sink, node in sinks.items():
        streams[node].to(sink, partitions=partitions)
    return pipeline


def _stream(pipeline: Pipeline, node: Any, streams: dict[oracle.Node, Any], name: str) -> Any:
    if isinstance(node, oracle.Source):
        options = {"out_of_orderness": node.out_of_orderness}
        if node.idle_after is not None:
            options["idle_after"] = node.idle_after
        if node.max_lag is not None:
            options["max_lag"] = node.max_lag
        return pipeline.source(node.topic, **options)
    if isinstance(node, oracle.Union):
        first, *others = (streams[one] for one in node.streams)
        return first.union(*others)
    upstream = streams[node.input]
    if isinstance(node, oracle.FlatMap):
        assert isinstance(node.fn, Dual)
        return node.fn.engine(upstream)
    if isinstance(node, oracle.Late):
        return upstream.side("late")
    keyed = upstream.key_by(*node.keys)
    if isinstance(node, oracle.Dedup):
        return keyed.deduplicate(within=node.within).named(name)
    if isinstance(node, oracle.Pattern):
        pattern = PATTERNS[node.name]
        return pattern.engine(keyed, node.within, node.skip).named(name)
    if isinstance(node, oracle.Top | oracle.WindowTop):
        return _top(keyed, node).named(name)
    aggs = {
        out: AGGREGATES[how](*([field] if field else [])) for out, (how, field) in node.aggs.items()
    }
    if isinstance(node, oracle.Window):
        keyed = keyed.window(window(node.kind), lateness=node.lateness)
    if isinstance(node, oracle.Over):
        keyed = keyed.over(rows=node.rows, span=node.span)
    return keyed.aggregate(aggs).named(name)


def _top(keyed: Any, node: Any) -> Any:
    options: dict[str, Any] = {"by": desc(node.by), "ties": node.ties}
    options["rank"] = "place" if node.ranked else None
    if isinstance(node, oracle.Top):
        return keyed.top(node.n, emit="final" if node.final else "changes", **options)
    windowed = keyed.window(window(node.kind), lateness=node.lateness)
    return windowed.top(node.n, **options)


def window(kind: tuple[Any, ...]) -> Any:
    """The engine's window for the oracle's kind."""
    what, *numbers = kind
    if what == "tumbling":
        return Tumbling(numbers[0], offset=numbers[1])
    if what == "sliding":
        return Sliding(numbers[0], slide=numbers[1], offset=numbers[2])
    if what == "session":
        return Session(numbers[0], inclusive=numbers[1])
    if what == "calendar":
        return Calendar(numbers[0], zone=numbers[1])
    return Count(numbers[0]) if what == "count" else Global()


# ---- output

PANES = ("pane_index", "pane_timing", "pane_last")


@dataclass
class Written:
    """What a version's topics hold, by the LSN answered; closing apart."""

    appends: Answers = field(default_factory=dict)
    closing: dict[str, Timed] = field(default_factory=dict)
    claims: dict[int, dict[str, int]] = field(default_factory=dict)

    def rows(self, sink: str, closed: bool = True) -> Timed:
        found = [pair for made in self.appends.values() for pair in made.get(sink, [])]
        return found + (self.closing.get(sink, []) if closed else [])


def written(log: Log, sinks: Mapping[str, Any], version: int = 1) -> Written:
    """Output rows as (event time, row), read back by name and put under the LSN answered."""
    names = {f"{sink}@{version}": sink for sink in sinks}
    ids = {log.topic(name).id: sink for name, sink in names.items()}
    origins = {entry.lsn: entry for entry in log.entries(0) if entry.origin is not None}
    result = Written()
    for lsn, entry in origins.items():
        for topic, until in entry.claims:
            if topic in ids and until is not None:
                result.claims.setdefault(entry.origin, {})[ids[topic]] = until
        assert lsn > entry.origin
    for name, sink in names.items():
        for record in log.read(name):
            entry = origins[record.lsn]
            closing = entry.flags & CLOSING
            made = result.closing if closing else result.appends.setdefault(entry.origin, {})
            made.setdefault(sink, []).append((record.time, plain(record.value)))
    result.appends = dict(sorted(result.appends.items()))
    return result


def plain(row: Any) -> Any:
    """The row without what says which pane it is, which the oracle does not model."""
    if row is None:  # a tombstone
        return None
    return {name: value for name, value in row.items() if name not in PANES}


def expected(log: Log, topics: Mapping[str, int], sinks: Mapping[str, oracle.Node]) -> Written:
    """What the oracle says of the log, under the log's LSNs."""
    lsns, appends = history(log, topics)
    output = oracle.run(appends, sinks)
    return Written(
        {lsns[index]: made for index, made in output.appends.items()},
        output.closing,
        {lsns[index]: made for index, made in output.claims.items()},
    )


# ---- checkpoints, as files that can be lost or grow old

CHECKPOINTS = "pipelines"


def checkpoint_files(log: Log, folder: str = CHECKPOINTS) -> dict[str, bytes]:
    """Every checkpoint file of the log, by name."""
    found: dict[str, bytes] = {}
    for name in log.files.names(folder):
        path = f"{folder}/{name}"
        if log.files.names(path):
            found |= checkpoint_files(log, path)
        else:
            try:
                file = log.files.open(path)
            except (FileNotFoundError, IsADirectoryError):
                continue  # an empty folder
            found[path] = file.read_at(0, file.size())
    return found


def put_back(log: Log, image: Mapping[str, bytes]) -> None:
    """Makes the checkpoints those of an earlier moment; of no moment, where it is empty."""
    for name in checkpoint_files(log):
        log.files.remove(name)
    for name, data in image.items():
        file = log.files.open(name, create=True)
        file.truncate(0)
        file.write_at(0, data)
