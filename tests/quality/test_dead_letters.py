"""Dead letters back into the log: once, and the results are what they would have been.

Method: two logs get the same appends, but in one some records come broken and are set aside.
After they are mended, replayed and recomputed, the final rows of both must be equal.
"""

from __future__ import annotations

import random
from typing import Any

import pytest

from kappa import Calendar, Log, ManualClock, Pipeline, Session, Sliding, Tumbling, agg
from kappa.contracts.contract import Contract
from kappa.errors import ConfigError
from kappa.log import LSN, MENDED
from kappa.log.contracts import set_contract
from kappa.quality.letters import causes, drop, letters_of, waiting
from kappa.quality.readmit import readmit
from kappa.quality.recompute import replay_letters, touched

OLD = Contract("trips", fields={"day": {"type": "str", "format": "%Y-%m-%d"}})
NEW = Contract("trips", fields={"day": {"type": "str", "pattern": r"^\d\d(\d\d)?[-/]"}})


def new_log(contract: Contract | None = OLD, **options: Any) -> Log:
    log = Log.memory(clock=ManualClock(1_000))
    log.create_topic("trips", **{"time": "ts", "key": "k", **options})
    if contract is not None:
        set_contract(log, contract)
    return log


def trip(ts: int, k: int = 1, bad: bool = False, v: int = 1) -> dict[str, Any]:
    return {"k": k, "v": v, "ts": ts, "day": "03/07/2013" if bad else "2013-07-03"}


def mended(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "day": "2013-07-03"}


def values(log: Log, topic: str) -> list[Any]:
    return [record.value for record in log.read(topic)]


# ---- the letters


def test_letters_are_replayed_once_and_stay_known():
    log = new_log()
    log.append("trips", [trip(1), trip(2, bad=True)])
    log.append("trips", [trip(3, bad=True), trip(4)])
    first, second = letters_of(log, "trips")
    assert (first.number, first.lsn, first.step, first.topic) == (0, 4, "append", "trips")
    assert first.error == "day: 03/07/2013 does not match %Y-%m-%d"
    done = readmit(log, "trips", numbers=[1], mend=mended)
    assert (done.appended, done.times) == (1, [3])
    assert [one.outcome for one in letters_of(log, "trips")] == [None, "replayed"]
    assert readmit(log, "trips", mend=mended).appended == 1
    assert readmit(log, "trips", mend=mended).appended == 0
    assert [row["ts"] for row in values(log, "trips")] == [1, 4, 3, 2]
    flagged = [(e.origin, e.flags) for e in log.entries(0) if e.flags]
    assert flagged == [(second.lsn, MENDED), (first.lsn, MENDED)]
    with pytest.raises(ConfigError, match="is replayed already"):
        readmit(log, "trips", numbers=[0])


def test_what_still_breaks_the_contract_goes_on_waiting():
    log = new_log()
    log.append("trips", [trip(1, bad=True), {**trip(2), "day": "x"}, trip(3, bad=True)])
    assert len(readmit(log, "trips").refused) == 3
    assert set_contract(log, NEW).version == 2
    done = readmit(log, "trips")
    assert (done.appended, list(done.refused)) == (2, [1])
    assert "does not match" in done.refused[1]
    assert [one.number for one in waiting(log, "trips")] == [1]
    assert len(values(log, "trips.dead_letters")) == 3  # no letter of a letter


def test_a_mending_function_may_give_up_or_fail():
    log = new_log()
    log.append("trips", [trip(1, bad=True), trip(2, bad=True), trip(3, bad=True)])

    def mend(row: dict[str, Any]) -> dict[str, Any] | None:
        if row["ts"] == 2:
            raise ValueError("no idea")
        return None if row["ts"] == 1 else mended(row)

    done = readmit(log, "trips", mend=mend)
    assert (done.appended, done.dropped) == (1, 1)
    assert done.refused == {1: "mending fails: ValueError: no idea"}
    assert [one.outcome for one in letters_of(log, "trips")] == ["dropped", None, "replayed"]


def test_letters_can_be_dropped():
    log = new_log()
    log.append("trips", [trip(1, bad=True), trip(2, bad=True)])
    assert drop(log, "trips.dead_letters", [0]) == 1
    assert drop(log, "trips") == 1
    assert drop(log, "trips") == 0
    assert [one.outcome for one in letters_of(log, "trips")] == ["dropped", "dropped"]
    with pytest.raises(ConfigError, match=r"there are trips\.dead_letters"):
        letters_of(log, "bids")


def test_keys_and_times_that_were_given_come_back():
    log = new_log(time=None, key=None)
    log.append("trips", [trip(1, bad=True), trip(2)], key=["a", "b"], time=[70, 80])
    readmit(log, "trips", mend=mended)
    assert [(one.key, one.time) for one in log.read("trips")] == [("b", 80), ("a", 70)]


def test_the_cause_says_who_and_since_when():
    log = new_log()
    with log.producer("trips", id="old", batch=1) as producer:
        producer.send(trip(1))
    with log.producer("trips", id="upstream", batch=1) as producer:
        for number in range(6):
            producer.send(trip(number, bad=number >= 2))
    (cause,) = causes(log, "trips")
    first = waiting(log, "trips")[0].lsn
    assert str(cause) == (
        f"4 x day: 03/07/2013 does not match %Y-%m-%d, since LSN {first},"
        " 100 % of the appends of producer upstream"
    )
    log.append("trips", [trip(1)])
    assert causes(log, "trips")[0].share == 1.0


# ---- the results


def windowed(window: Any, lateness: int = 0, bound: int = 5) -> Pipeline:
    pipeline = Pipeline("p")
    stream = pipeline.source("trips", out_of_orderness=bound).key_by("k")
    result = stream.window(window, lateness=lateness).aggregate(n=agg.count(), v=agg.sum("v"))
    result.to("per_window")
    result.side("late").to("late")
    return pipeline


def final(log: Log, topic: str) -> dict[Any, Any]:
    """The last row of each key and window."""
    found: dict[Any, Any] = {}
    for record in log.read(topic):
        row = record.value
        found[row["k"], row["window_start"], row["window_end"]] = row
    return found


WINDOWS = {
    "tumbling": (Tumbling(10), 0),
    "lateness": (Tumbling(10), 15),
    "sliding": (Sliding(20, 5), 0),
    "session": (Session(6), 0),
    "calendar": (Calendar("day"), 0),
}


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize("seed", range(6))
def test_results_are_what_they_would_have_been(name: str, seed: int):
    window, lateness = WINDOWS[name]
    draw = random.Random(seed)
    scale = 7_000_000 if name == "calendar" else 1
    broken, fine = new_log(partitions=2), new_log(partitions=2)
    made = windowed(window, lateness, 5 * scale)
    time = 0
    for number in range(30):
        time += draw.randint(0, 4)
        rows = [
            trip(max(0, time - draw.choice([0, 0, 3, 5, 9])) * scale, draw.randint(1, 2))
            for _ in range(draw.randint(1, 4))
        ]
        wrong = [12 <= number < 18 and draw.random() < 0.7 for _ in rows]
        fine.append("trips", rows)
        broken.append(
            "trips", [{**row, "day": "03/07/2013"} if bad else row for row, bad in zip(rows, wrong)]
        )
        if number % 7 == 0:
            made.run(broken, until_idle=True)
    made.run(fine, until_idle=True)
    made.run(broken, until_idle=True)
    assert letters_of(broken, "trips")
    done = replay_letters(broken, "trips", pipeline=made, mend=mended)
    assert done.records.appended == len(letters_of(broken, "trips"))
    assert done.results is not None
    number = done.results.replayed if name == "session" else 1
    assert done.results.whole == (name == "session")
    if number == 1:
        assert final(broken, "per_window@1") == final(fine, "per_window@1")
    assert replay_letters(broken, "trips", pipeline=made, mend=mended).results is None
    # The year without the accident, row for row, from the log with the accident:
    version = made.replay(broken, late="mended").version
    other = made.replay(fine).version
    assert by_repr(broken, f"per_window@{version}") == by_repr(fine, f"per_window@{other}")
    assert by_repr(broken, f"late@{version}") == by_repr(fine, f"late@{other}")
    # And the live run goes on from there.
    for log, at in ((broken, number), (fine, 1)):
        log.append("trips", [trip((time + 500) * scale)])
        made.run(log, until_idle=True, version=at)
    assert final(broken, f"per_window@{number}") == final(fine, "per_window@1")


def by_repr(log: Log, topic: str) -> list[str]:
    return sorted(map(repr, values(log, topic)))


def test_only_the_windows_that_are_touched_are_recomputed():
    plan = windowed(Tumbling(10)).plan()
    assert touched(plan, [3, 5, 90]) == ((3, 16), (90, 101))
    log = new_log()
    for ts in range(0, 200, 5):
        log.append("trips", [trip(ts, bad=ts == 50)])
    made = windowed(Tumbling(10))
    made.run(log, until_idle=True)
    end = log.end_lsn
    done = replay_letters(log, "trips", pipeline=made, mend=mended)
    assert done.results is not None
    assert done.results.corrected == {"per_window": 1}
    corrections = [one.value for one in log.read("per_window@1", start=LSN(end + 1))]
    assert corrections == [{"k": 1, "window_start": 50, "window_end": 60, "n": 2, "v": 2}]
    replayed = values(log, f"per_window@{done.results.replayed}")
    assert [row["window_start"] for row in replayed] == [50]


# ---- letters of a pipeline


def picky(limit: int) -> Pipeline:
    pipeline = Pipeline("picky", on_error="dead_letter")

    def checked(row: dict[str, Any]) -> dict[str, Any]:
        if row["v"] > limit:
            raise ValueError("too much")
        return row

    stream = pipeline.source("trips", out_of_orderness=5).map(checked)
    windows = stream.key_by("k").window(Tumbling(10))
    windows.aggregate(n=agg.count(), v=agg.sum("v")).to("per_window")
    return pipeline


def filled() -> Log:
    log = new_log(None)
    for ts in range(0, 100, 5):
        log.append("trips", [trip(ts, v=50 if ts in (20, 60) else 1)])
    return log


def test_a_step_that_is_mended_takes_its_letters():
    log = filled()
    picky(10).run(log, until_idle=True)
    assert [(one.offset, one.event_time) for one in letters_of(log, "picky")] == [(4, 20), (12, 60)]
    with pytest.raises(ConfigError, match="letters of a pipeline"):
        replay_letters(log, "picky")
    done = replay_letters(log, "picky@1", pipeline=picky(55))
    assert done.resolved == 2
    assert done.results is not None
    found = values(log, f"per_window@{done.results.replayed}")
    assert [row["v"] for row in found][2] == 51
    assert [one.outcome for one in letters_of(log, "picky@1")] == ["recomputed"] * 2


def test_a_record_of_a_pipeline_can_be_mended_instead():
    log = filled()
    made = picky(10)
    made.run(log, until_idle=True)
    done = replay_letters(log, "picky", pipeline=made, mend=lambda row: {**row, "v": 5})
    assert done.records.appended == 2
    assert final(log, "per_window@1")[1, 20, 30]["v"] == 6
    assert final(log, "per_window@1")[1, 60, 70]["v"] == 6
    assert len(letters_of(log, "picky@1")) == 2


def test_letters_that_still_fail_go_on_waiting():
    log = filled()
    made = picky(10)
    made.run(log, until_idle=True)
    assert replay_letters(log, "picky", pipeline=made).resolved == 0
    assert len(waiting(log, "picky@1")) == 2
