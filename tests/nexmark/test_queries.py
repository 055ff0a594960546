"""Each query against its oracle: over small random events, and over logs of every shape.

A query is right if its final rows are those of SQL over all events (`sql`, `patterns`),
whatever the partitions, the sizes of appends and reads, and the order of arrival within the
bound. Where the bound is too small, a replay gives what the live run gave, and a complete
replay what SQL gives.
"""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from nexmark.made import BASE, all_expected, bid, events, expected, same_rows
from strategies import examples

from benchmarks.nexmark.catalog import QUERIES
from benchmarks.nexmark.events import create_topics, load
from benchmarks.nexmark.generator import Generator
from benchmarks.nexmark.running import answer, final_rows
from kappa import Log, ManualClock

SHAPES = [  # partitions, events per append, records per read, disorder
    (1, 1, 64, 1),
    (1, 1000, 4096, 50),
    (4, 7, 100, 50),
    (4, 1000, 4096, 1),
]
CHECKED = [name for name in QUERIES if name != "q10"]


@cache
def generated(disorder: int):
    """A minute of events, in which ids meet often, some with people of before it."""
    made = Generator(
        1_500,
        first=2_500,
        rate=25,
        disorder=disorder,
        first_bidder=1000,
        in_flight=20,
        active_people=10,
    )
    return list(made.rows())


@cache
def answers(disorder: int):
    with tempfile.TemporaryDirectory() as folder:
        return all_expected(generated(disorder), Path(folder))


@pytest.fixture(scope="module", params=SHAPES, ids=str)
def shaped(request):
    """A log of some shape."""
    partitions, per_append, read_records, disorder = request.param
    with Log.memory(clock=ManualClock()) as log:
        create_topics(log, partitions)
        load(log, generated(disorder), per_append=per_append)
        yield log, read_records, disorder


@pytest.mark.slow
@pytest.mark.parametrize("name", CHECKED)
def test_rows_are_the_oracles_for_every_shape_of_the_log(name, shaped):
    log, read_records, disorder = shaped
    query = QUERIES[name]
    result = query.pipeline().replay(log, read_records=read_records, checkpoint_every=None)
    assert result.late == 0
    rows = final_rows(query, log, result.version)
    assert rows, "a query that finds nothing proves nothing"
    same_rows(name, rows, answers(disorder)[name])


@pytest.mark.slow
@examples(15)
@given(events())
def test_rows_are_the_oracles_for_random_events(drawn):
    with tempfile.TemporaryDirectory() as folder:
        want = all_expected(drawn, Path(folder))
    for name in CHECKED:
        for shape in ({}, {"partitions": 4, "per_append": 3}):
            same_rows(name, answer(QUERIES[name], drawn, **shape), want[name])


def test_a_bound_of_four_seconds_takes_what_is_four_seconds_late(tmp_path):
    made = [bid(1, 1, 1, 14_000), bid(1, 1, 2, 10_000), bid(1, 1, 3, 14_001), bid(1, 1, 4, 10_001)]
    late = [*made, bid(1, 1, 9, 9_999)]
    rows = answer(QUERIES["q7"], made, per_append=1)
    assert [row["price"] for row in rows] == [4]
    # The window of the last one closed when 14,001 came.
    assert [row["price"] for row in answer(QUERIES["q7"], late, per_append=1)] == [4]
    assert [row["dateTime"] - BASE for row in expected("q7", late, tmp_path)] == [10_001, 9_999]


@pytest.mark.slow
@pytest.mark.parametrize("name", CHECKED)
def test_too_small_a_bound_replays_as_it_was_live_and_complete_as_sql(name):
    query = QUERIES[name]
    with Log.memory(clock=ManualClock()) as log:
        create_topics(log, partitions=2)
        load(log, generated(50), per_append=7)
        pipeline = query.pipeline(bound="100ms")
        live = final_rows(query, log, pipeline.run(log, drain=True).version)
        replayed = pipeline.replay(log, read_records=50, checkpoint_every=None)
        assert final_rows(query, log, replayed.version) == live
        complete = pipeline.replay(log, late="complete", checkpoint_every=None)
        assert complete.late == 0
        same_rows(name, final_rows(query, log, complete.version), answers(50)[name])
