"""Functions as sinks: called with every row at least once, under ids that tell repeats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from kappa import Log, ManualClock, Pipeline, Tumbling, agg
from kappa.connect import JsonLinesSink
from kappa.errors import ConfigError, OperatorError, SinkError
from kappa.testing import run as run_rows


def log_of(rows: list[dict[str, Any]]) -> Log:
    log = Log.memory(clock=ManualClock(0))
    log.create_topic("in", time="ts")
    for row in rows:
        log.append("in", [row])
    return log


def rows(count: int) -> list[dict[str, Any]]:
    return [{"ts": n, "n": n} for n in range(count)]


class Receiver:
    """What a function outside was told; fails once at a row."""

    def __init__(self, fails_at: int = -1, error: type[Exception] = ValueError) -> None:
        self.told: list[tuple[str, Any]] = []
        self.fails_at = fails_at
        self.error = error

    def __call__(self, row: Any, id: str) -> None:
        if row["n"] == self.fails_at:
            self.fails_at = -1
            raise self.error("no answer")
        self.told.append((id, row))


def pipeline(receiver: Any, **options: Any) -> Pipeline:
    p = Pipeline("p")
    p.source("in").sink(receiver, name="tell", **{"ids": True, **options})
    return p


def test_a_live_run_tells_every_row_once_and_goes_on_where_it_was():
    told: list[Any] = []
    p = Pipeline("p")
    p.source("in").filter(lambda row: row["n"] != 1).sink(told.append)
    with log_of(rows(3)) as log:
        p.run(log, until_idle=True)
        assert told == [{"ts": 0, "n": 0}, {"ts": 2, "n": 2}]
        for n in (3, 4):
            log.append("in", [{"ts": n, "n": n}])
            p.run(log, until_idle=True)
    assert told[2:] == [{"ts": 3, "n": 3}, {"ts": 4, "n": 4}]


def test_what_a_function_does_to_a_row_stays_with_it():
    p = Pipeline("p")
    source = p.source("in")
    source.sink(lambda row: row.clear())
    source.to("out")
    assert run_rows(p, {"in": rows(2)})["out"] == rows(2)


@pytest.mark.parametrize(
    ("error", "raised"), [(ValueError, OperatorError), (ConnectionError, SinkError)]
)
def test_rows_that_come_again_after_a_failure_have_the_ids_they_had(error, raised):
    receiver = Receiver(3, error)
    with log_of(rows(5)) as log:
        first = log.end_lsn - 4
        with pytest.raises(
            raised, match=r"'tell' failed on the row .*'n': 3.* no answer"
        ) as caught:
            pipeline(receiver).run(log, until_idle=True)
        assert (caught.value.step, caught.value.lsn) == ("tell", first + 3)
        assert getattr(caught.value, "retryable", False) is (error is ConnectionError)
        pipeline(receiver).run(log, until_idle=True)
    assert [row["n"] for _, row in receiver.told] == [0, 1, 2, 0, 1, 2, 3, 4]
    once = dict(receiver.told)
    assert [row["n"] for row in once.values()] == [0, 1, 2, 3, 4]
    assert all(dict([pair])[pair[0]] == once[pair[0]] for pair in receiver.told)
    assert {id.split("/")[0] for id in once} == {"p@1"}


@pytest.mark.parametrize("read", [1, 2, 1000])
def test_ids_do_not_depend_on_how_much_is_read_at_once(read):
    receiver = Receiver()
    with Log.memory(clock=ManualClock(0)) as log:
        log.create_topic("in", time="ts")
        log.append("in", rows(3))
        log.append("in", rows(2))
        lsn = log.end_lsn
        pipeline(receiver).run(log, until_idle=True, read_records=read)
    ends = [id.split("/", 3)[3] for id, _ in receiver.told]
    assert ends == [f"{lsn - 1}/{n}" for n in range(3)] + [f"{lsn}/{n}" for n in range(2)]


def test_a_batch_is_what_one_append_caused():
    told: list[Any] = []
    with Log.memory(clock=ManualClock(0)) as log:
        log.create_topic("in", time="ts")
        log.append("in", rows(3))
        log.append("in", rows(2))
        send = lambda many, ids: told.append((len(many), len(set(ids))))  # noqa: E731
        pipeline(send, batch=True).run(log, until_idle=True)
    assert told == [(3, 3), (2, 2)]


def test_a_replay_tells_nothing_unless_asked_and_the_run_behind_it_only_what_is_new():
    receiver = Receiver()
    with log_of(rows(3)) as log:
        pipeline(receiver).replay(log)
        assert receiver.told == []
        log.append("in", [{"ts": 3, "n": 3}])
        pipeline(receiver).run(log, until_idle=True, version=1)
        assert [row["n"] for _, row in receiver.told] == [3]
        pipeline(receiver).replay(log, version=2, sinks="all")
    assert [row["n"] for _, row in receiver.told] == [3, 0, 1, 2, 3]
    assert len(dict(receiver.told)) == 5, "another version's rows are other rows"


def test_rows_of_closed_windows_have_ids_of_their_own():
    receiver = Receiver()
    p = Pipeline("p")
    counted = p.source("in").key_by().window(Tumbling("1s")).aggregate(n=agg.count())
    counted.sink(receiver, name="tell", ids=True)
    with log_of([{"ts": 0}, {"ts": 1000}]) as log:
        lsn = log.end_lsn
        p.run(log, until_idle=True, drain=True)
    assert [(id.split("/", 3)[3], row["n"]) for id, row in receiver.told] == [
        (f"{lsn}/0", 1),
        (f"{lsn}/closing/0", 1),
    ]


def test_a_version_made_anew_has_other_ids():
    receiver = Receiver()
    with log_of(rows(1)) as log:
        for _ in range(2):
            pipeline(receiver).replay(log, version=3, sinks="all", overwrite=True)
    assert len(receiver.told) == len(dict(receiver.told)) == 2


def test_a_row_is_durable_before_it_is_told(tmp_path):
    with Log(tmp_path / "log", fsync="never") as log:
        log.create_topic("in", time="ts")
        seen = []
        for row in rows(3):
            log.append("in", [row])
        assert log.synced_lsn < log.end_lsn
        told = lambda row, id: seen.append(log.synced_lsn >= int(id.split("/")[3]))  # noqa: E731
        pipeline(told).run(log, until_idle=True, checkpoint_every=None)
    assert seen == [True] * 3


def test_the_code_of_the_function_may_change_within_a_version():
    told: list[Any] = []

    def tell(row: Any) -> None:
        told.append(row["n"])

    first = pipeline(tell, ids=False)

    def tell(row: Any) -> None:
        told.append(-row["n"])

    with log_of(rows(2)) as log:
        first.run(log, until_idle=True)
        log.append("in", [{"ts": 2, "n": 2}])
        pipeline(tell, ids=False).run(log, until_idle=True)
    assert told == [0, 1, -2]


def test_a_backfill_of_the_tables_beside_it_tells_nothing(tmp_path):
    receiver = Receiver()
    p = Pipeline("p")
    source = p.source("in")
    source.sink(JsonLinesSink(tmp_path / "out", by="date"))
    source.sink(receiver, name="tell", ids=True)
    with log_of(rows(2)) as log:
        p.run(log, until_idle=True, drain=True)
        assert len(receiver.told) == 2
        p.backfill(log, since=None, until=None)
    assert len(receiver.told) == 2


@dataclass
class Row:
    ts: int
    n: int


def test_rows_of_a_class_come_as_that_class():
    told: list[Any] = []
    p = Pipeline("p")
    p.source("in", rows=Row).sink(told.append)
    run_rows(p, {"in": rows(1)})
    assert told == [Row(0, 0)]


async def later(row: Any) -> None:
    """Nobody awaits it."""


def test_what_is_no_sink_is_refused():
    stream = Pipeline("p").source("in")
    with pytest.raises(ConfigError, match="nobody awaits"):
        stream.sink(later)
    with pytest.raises(ConfigError, match="give a sink such as"):
        stream.sink("out")
    with pytest.raises(ConfigError, match="how a function is called"):
        stream.sink(JsonLinesSink("out"), ids=True)


def test_explain_says_that_it_reaches_outside():
    assert "calls print with each row, at least once" in explained(print)


def explained(function: Any) -> str:
    p = Pipeline("p")
    p.source("in").sink(function)
    return p.explain()
