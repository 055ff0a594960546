"""Joins: what is refused and why, what comes out where fields clash, and that state stays flat.

That the rows are right is shown against a naive model in `properties/test_joins_oracle.py`,
that they do not depend on how appends are taken in by the catalogue of
`properties/test_read_sizes.py`.
"""

from __future__ import annotations

import random

import pytest

from kappa import Count, Pipeline, Session, Tumbling, agg, col, left, right
from kappa.errors import ConfigError, OperatorError
from kappa.testing import run

A = [{"id": 1, "v": 5, "ts": 10}, {"id": None, "v": 6, "ts": 20}]
B = [{"id": 1, "v": 7, "w": 0, "ts": 30}, {"id": None, "v": 8, "w": 1, "ts": 30}]


def streams(name="p", **options):
    pipeline = Pipeline(name, **options)
    return pipeline, pipeline.source("a").key_by("id"), pipeline.source("b").key_by("id")


def test_a_join_that_would_keep_rows_for_ever_says_so_when_it_is_built():
    _, a, b = streams()
    with pytest.raises(ConfigError, match=r'keep="forever"'):
        a.join(b)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"within": "5s", "keep": "1d"}, "one of within and keep"),
        ({"within": ("5s", "1s")}, "give the lesser first"),
        ({"within": ("5s",)}, "one duration, or a lower and an"),
        ({"keep": "0s"}, "keep is '0s'"),
        ({"window": Count(3)}, "one that event time ends"),
        ({"keep": "1d", "suffix": ""}, "suffix"),
        ({"keep": "1d", "select": "v"}, "give a mapping"),
        ({"keep": "1d", "select": {"v": "v"}}, r"say whose field it is"),
        ({"keep": "1d", "select": [left("v") + 1]}, "has no name"),
        ({"keep": "1d", "select": [left("v"), right("v")]}, "names the fields v, v"),
    ],
)
def test_options_that_do_not_go_together_are_named(options, words):
    _, a, b = streams()
    with pytest.raises(ConfigError, match=words):
        a.join(b, **options)


def test_what_has_no_key_or_is_of_another_pipeline_is_refused():
    pipeline, a, b = streams()
    with pytest.raises(ConfigError, match="has no key: give a stream behind key_by"):
        a.join(pipeline.source("c"), keep="1d")
    with pytest.raises(ConfigError, match="belong to two pipelines"):
        a.join(streams("q")[2], keep="1d")
    with pytest.raises(ConfigError, match="1 and 2 values are never equal"):
        a.join(pipeline.source("c").key_by("x", "y"), keep="1d")
    with pytest.raises(ConfigError, match="inner or left, not right"):
        a.right_join(b.table())
    with pytest.raises(ConfigError, match="within goes with another stream"):
        a.join(b.table(), within="5s")
    with pytest.raises(ConfigError, match="inner or left, not full"):
        b.table()._joined("full", pipeline.table("c"), "w", None, None, "_right")


def test_fields_of_both_rows_get_a_suffix_and_the_common_key_stands_once():
    pipeline, a, b = streams()
    a.join(b, keep="1d", suffix="_b").to("out")
    assert run(pipeline, {"a": A, "b": B})["out"] == [
        {"id": 1, "v": 5, "ts": 10, "v_b": 7, "w": 0, "ts_b": 30}
    ]


def test_names_that_clash_in_spite_of_the_suffix_are_an_error():
    pipeline, a, b = streams()
    b = b.with_columns(ts_right=col("w")).key_by("id")
    a.with_columns(ts_right=col("v")).key_by("id").join(b, keep="1d").to("out")
    with pytest.raises(OperatorError, match="give another suffix"):
        run(pipeline, {"a": A, "b": B})


def test_a_null_key_meets_nobody_and_is_padded():
    pipeline, a, b = streams()
    a.full_join(b, within=100, select={"a": left("v"), "b": right("v")}).to("out")
    found = run(pipeline, {"a": A, "b": B})["out"]
    assert {"a": 6, "b": None} in found
    assert {"a": None, "b": 8} in found
    assert {"a": 5, "b": 7} in found
    assert len(found) == 3


def test_only_the_fields_that_a_join_uses_are_read():
    pipeline, a, b = streams()
    a.join(b, keep="1d", where=right("w") > 0, select={"v": left("v")}).to("out")
    fields = {step.part.topic: step.fields for step in pipeline.plan().sources}
    assert fields == {"a": {"id", "v"}, "b": {"id", "w"}}


def test_the_fields_that_fill_an_outer_join_are_those_of_a_select():
    pipeline, a, b = streams()
    narrow = b.select("id", "w").key_by("id")
    a.left_join(narrow, within=1).to("out")
    assert run(pipeline, {"a": A[:1], "b": []})["out"] == [{"id": 1, "v": 5, "ts": 10, "w": None}]
    assert "reads the log from its start" not in pipeline.explain()


def test_a_pair_on_which_a_function_fails_is_set_aside():
    pipeline, a, b = streams(on_error="dead_letter")
    a.join(b, keep="1d", select=lambda one, other: {"x": one["v"] // other["w"]}).to("out")
    found = run(
        pipeline,
        {
            "a": [A[0], {"id": 2, "v": 6, "ts": 15}],
            "b": [B[0], {"id": 2, "v": 1, "w": 2, "ts": 40}],
        },
    )
    assert found["out"] == [{"x": 3}]
    (letter,) = found["p.dead_letters"]
    assert "ZeroDivisionError" in letter["error"]
    assert letter["record"]["left"] == A[0]


def test_a_field_that_is_not_there_is_named_with_those_that_are():
    pipeline, a, b = streams()
    a.join(b, keep="1d", where=right("prize") > 0).to("out")
    with pytest.raises(OperatorError, match="unknown field 'prize'"):
        run(pipeline, {"a": A, "b": B})


def test_three_streams_are_joined_one_after_the_other():
    pipeline, a, b = streams()
    c = pipeline.source("c").key_by("who")
    two = a.join(b, within=100, select={"id": left("id"), "v": left("v"), "w": right("w")})
    two.join(c, within=100, select={"v": left("v"), "w": left("w"), "x": right("x")}).to("out")
    found = run(pipeline, {"a": A, "b": B, "c": [{"who": 1, "x": "y", "ts": 60}]})
    assert found["out"] == [{"v": 5, "w": 0, "x": "y"}]


def test_explain_says_what_is_kept_and_for_how_long():
    pipeline, a, b = streams()
    a.left_join(b, within=("0s", "1h")).to("one")
    a.join(b, keep="forever").named("two").to("two")
    text = pipeline.explain()
    assert "keeps left rows for 1h and right rows for 0ms behind the watermark" in text
    assert "keeps all rows of both sides, for ever" in text


# ---- an endless stream


def endless(build):
    """The largest number of kept entries in each third of a long stream."""
    from kappa import Log
    from kappa.plan import compile_plan
    from kappa.runtime.executor import Executor
    from kappa.runtime.reading import read_source
    from kappa.runtime.units import UnitPlanner
    from kappa.runtime.watermarks import SourceClock
    from kappa.time import ManualClock

    pipeline = Pipeline("endless")
    a, b = (pipeline.source(name, out_of_orderness=50) for name in "ab")
    build(a.key_by("k"), b.key_by("k")).to("out")
    plan = compile_plan(pipeline.graph)
    executor = Executor(plan)
    log = Log.memory(clock=ManualClock(0))
    ids = [log.create_topic(name, time="ts").id for name in "ab"]
    draw = random.Random(7)
    for step in range(600):
        rows = [
            {
                "k": draw.randrange(50),
                "v": draw.randrange(9),
                "ts": step * 100 + draw.randrange(-40, 100),
            }
            for _ in range(20)
        ]
        log.append("ab"[step % 2], rows)
    planner = UnitPlanner(ids, [SourceClock(step.part) for step in plan.sources], read_records=60)
    sizes = []
    for unit in planner.units(log.entries(0)):
        executor.run(
            unit.lsns,
            unit.append_times,
            {
                step.index: (
                    read_source(log, step, i, unit.lsns, unit.append_times, unit.parts[i]),
                    unit.watermarks[i],
                )
                for i, step in enumerate(plan.sources)
            },
        )
        frames = [
            frame for state in executor.states.values() for frame in state.snapshot(full=True)
        ]
        sizes.append(sum(map(len, frames)))
    third = len(sizes) // 3
    return [max(sizes[n * third : (n + 1) * third]) for n in range(3)]


@pytest.mark.parametrize(
    "build",
    [
        lambda a, b: a.full_join(b, within=("-1s", "2s")),
        lambda a, b: a.left_join(b, within=("-3s", "-1s")),
        lambda a, b: a.join(b, window=Tumbling("2s")),
        lambda a, b: a.full_join(b, window=Session(120)),
        lambda a, b: a.join(b, keep="2s", select={"k": left("k")}),
        lambda a, b: a.as_of_join(b, how="left"),
        lambda a, b: a.as_of_join(b, within="1s"),
        lambda a, b: a.join(b.table(), select={"k": left("k")}),
        lambda a, b: a.join(b, within="1s").window(Session(200)).aggregate(n=agg.count()),
    ],
    ids=["full", "backwards", "window", "session", "keep", "as of", "as of within", "table", "two"],
)
def test_state_stays_flat_on_an_endless_stream(build):
    first, _, last = endless(build)
    assert last < first * 1.3, (first, last)
