"""Calls outside: each answer is a fact of the log, so crashes and replays change nothing.

Functions count how often they are called; they wait for each other or for the test, never
for the clock. Processes are killed between a call and its answer, and between the answer and
what rests on it.
"""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import asking
import hypothesis.strategies as st
import pytest
from hypothesis import given
from strategies import examples

from kappa import Log, Pipeline, agg
from kappa.errors import ConfigError, OperatorError, Stopped
from kappa.testing import run

APPENDS = 8


def counting():
    calls: Counter[int] = Counter()

    def price(row):
        calls[row["n"]] += 1
        return row["n"] * 10

    return calls, price


def rows(log: Log, name: str) -> list:
    return [record.value for record in log.read(name)]


@pytest.fixture
def log():
    with Log.memory() as opened:
        asking.filled(opened, APPENDS)
        yield opened


WANT = [{"k": n // 3 % 2, "n": n, "ts": n // 3 * 4, "price": n * 10} for n in range(APPENDS * 3)]


def test_a_replay_repeats_the_answers_instead_of_calling(log: Log):
    calls, price = counting()
    made = asking.pipeline(price)
    made.run(log, until_idle=True)
    assert rows(log, "priced") == WANT
    assert set(calls.values()) == {1}
    made.replay(log, version=2)
    assert set(calls.values()) == {1}
    assert rows(log, "priced@2") == WANT
    # Even a function that says something else by now: the log knows what it said.
    asking.pipeline(lambda row: 1 / 0).replay(log, version=3)
    assert rows(log, "priced@3") == WANT


def test_refresh_calls_anew_and_what_follows_repeats_that(log: Log):
    calls, price = counting()
    asking.pipeline(price).run(log, until_idle=True)
    dearer = asking.pipeline(lambda row: price(row) + 1)
    dearer.replay(log, version=2, journal="refresh")
    assert set(calls.values()) == {2}
    assert [row["price"] for row in rows(log, "priced@2")] == [r["price"] + 1 for r in WANT]
    log.promote("priced@2")
    asking.pipeline(price).replay(log, version=3)
    assert rows(log, "priced@3") == rows(log, "priced@2")


def test_what_an_earlier_version_never_asked_is_called_for(log: Log):
    calls, price = counting()
    few = Pipeline("asking")
    few.source("in").filter(lambda row: row["n"] % 2 == 0).map_async(price).named("ask").to("out")
    few.run(log, until_idle=True)
    every = Pipeline("asking")
    every.source("in").map_async(price).named("ask").to("out")
    every.replay(log, version=2)
    assert calls == Counter(range(APPENDS * 3))
    assert rows(log, "out@2") == [n * 10 for n in range(APPENDS * 3)]


@given(size=st.sampled_from([1, 2, 5, 4096]), seed=st.integers(0, 99))
@examples(20)
def test_order_is_kept_whatever_comes_back_first(size, seed):
    chance = random.Random(seed)

    async def price(row):
        for _ in range(chance.randrange(4)):
            await asyncio.sleep(0)
        return row["n"] * 10

    with Log.memory() as log:
        asking.filled(log, APPENDS)
        asking.pipeline(price).replay(log, read_records=size)
        assert rows(log, "priced") == WANT


def test_rows_of_one_append_that_ask_the_same_are_one_call():
    calls: list[str] = []

    def ask(row):
        calls.append(row["who"])
        return {"answer": row["who"].upper()}

    pipeline = Pipeline("p")
    pipeline.source("in").map_async(ask, request="who").to("out")
    given_rows = [[{"who": "a", "ts": 1}, {"who": "a", "ts": 2}, {"who": "b", "ts": 3}]]
    assert [row["answer"] for row in run(pipeline, {"in": given_rows})["out"]] == ["A", "A", "B"]
    assert sorted(calls) == ["a", "b"]


def test_attempts_are_made_again_and_the_last_error_is_told():
    tries: Counter[int] = Counter()

    def flaky(row):
        tries[row["n"]] += 1
        if row["n"] == 7 or tries[row["n"]] < 3:
            raise ConnectionError("no route")
        return row

    def built(**options):
        pipeline = Pipeline("p", **options)
        pipeline.source("in").map_async(flaky, retries=2, retry_delay=0).to("out")
        return pipeline

    assert run(built(), {"in": [{"n": 1, "ts": 1}]})["out"] == [{"n": 1, "ts": 1}]
    with pytest.raises(OperatorError, match=r"record \{'n': 7.*no route"):
        run(built(), {"in": [{"n": 7, "ts": 1}]})
    found = run(built(on_error="dead_letter"), {"in": [{"n": 7, "ts": 1}, {"n": 2, "ts": 2}]})
    assert [row["n"] for row in found["out"]] == [2]
    assert "no route" in found["p.dead_letters"][0]["error"]


def test_a_failure_that_set_a_record_aside_is_repeated_too():
    tries: Counter[int] = Counter()

    def failing(row):
        tries[row["n"]] += 1
        raise ValueError("never")

    pipeline = Pipeline("p", on_error="dead_letter")
    pipeline.source("in").map_async(failing, retries=0).to("out")
    with Log.memory() as log:
        asking.filled(log, 1)
        pipeline.run(log, until_idle=True)
        pipeline.replay(log, version=2)
        assert set(tries.values()) == {1}
        assert len(rows(log, "p.dead_letters@1")) == len(rows(log, "p.dead_letters@2")) == 3


def test_a_stop_ends_the_waiting_and_what_came_is_kept(log: Log):
    stop, blocked = threading.Event(), threading.Event()
    calls: Counter[int] = Counter()

    def slow(row):
        calls[row["n"]] += 1
        if row["n"] == 5:
            stop.set()
            assert blocked.wait(30)
        return row["n"] * 10

    made = asking.pipeline(slow)
    try:
        with pytest.raises(Stopped, match="waited for answers"):
            made.replay(log, version=1, stop=stop, read_records=4096)
    finally:
        blocked.set()
    made.replay(log, version=1)
    assert rows(log, "priced") == WANT
    again = [n for n, times in calls.items() if times > 1]
    assert len(again) <= 6  # under way, or just come back
    assert max(calls.values()) <= 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"concurrency": 0}, "concurrency is 0"),
        ({"retries": -1}, "retries is -1"),
        ({"timeout": "0s"}, "timeout"),
        ({"backoff": 0.5}, "backoff"),
        ({"retry_on": (5,)}, "tuple of errors"),
        ({"journal": "never"}, "journal is 'never'"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(options, words):
    with pytest.raises(ConfigError, match=words):
        Pipeline("p").source("in").map_async(lambda row: row, **options)


def test_explain_says_how_it_asks():
    pipeline = Pipeline("p")
    pipeline.source("in").map_async(lambda row: row, concurrency=4).to("out")
    assert "asks outside, 4 at once" in pipeline.explain()


def test_answers_feed_windows_as_any_rows_do():
    pipeline = Pipeline("p")
    asked = pipeline.source("in").map_async(lambda row: row["v"] * 2, into="twice")
    asked.key_by().aggregate(total=agg.sum("twice")).to("out")
    found = run(pipeline, {"in": [{"v": 1, "ts": 1}, {"v": 5, "ts": 2}]})["out"]
    assert [row["total"] for row in found] == [2, 12]


@pytest.mark.slow
@pytest.mark.parametrize("when", ["call:1", "call:5", "call:14", "kept:1", "kept:2", "kept:4"])
def test_a_process_killed_around_an_answer_loses_and_doubles_nothing(tmp_path: Path, when: str):
    folder, calls = tmp_path / "log", tmp_path / "calls"
    with Log(folder) as log:
        asking.filled(log, APPENDS)

    def started(moment: str) -> int:
        command = [sys.executable, asking.__file__, str(folder), str(calls), moment]
        return subprocess.run(command, timeout=60, check=False).returncode

    assert started(when) == -9
    before = calls.read_text().split()
    assert started("never") == 0
    again = calls.read_text().split()[len(before) :]
    if when.startswith("kept"):  # what had been answered is never asked again
        assert not set(before) & set(again)
    with Log(folder) as log:
        assert rows(log, "priced") == WANT
        version = asking.pipeline(lambda row: 1 / 0).replay(log).version
        assert rows(log, f"priced@{version}") == WANT
