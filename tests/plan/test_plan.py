"""What a plan fixes: names, fields to read, shared batches, ranks, fingerprint, refusals."""

from __future__ import annotations

import pytest

from kappa import Pipeline, Tumbling, agg, col, meta, param
from kappa import expectations as ex
from kappa.errors import ConfigError
from kappa.plan import Plan, Step
from kappa.plan.fingerprint import code_digest, functions, structure
from kappa.plan.params import declared_params, resolve_params


def step(plan: Plan, kind: str) -> Step:
    return next(step for step in plan.steps if step.name.startswith(kind))


def test_names_are_addresses_that_do_not_depend_on_other_steps():
    def build(extra: bool) -> Plan:
        pipeline = Pipeline("p")
        stream = pipeline.source("bids")
        if extra:
            stream.filter(col("price") > 1).to("else")
            stream = stream.filter(col("price") > 1)
        windows = stream.key_by("auction").window(Tumbling("10s")).aggregate(n=agg.count())
        windows.to("out")
        return pipeline.plan()

    names = [[s.name for s in build(extra).steps if s.stateful] for extra in (False, True)]
    assert names == [["window by auction of bids"]] * 2


def test_two_equal_stateful_names_ask_for_a_name():
    pipeline = Pipeline("p")
    keyed = pipeline.source("bids").key_by("auction")
    keyed.aggregate(n=agg.count()).to("one")
    keyed.aggregate(total=agg.sum("price")).to("two")
    with pytest.raises(ConfigError, match=r"test_plan.py:\d+: .*\.named"):
        pipeline.plan()


def test_a_name_of_ones_own_parts_them():
    pipeline = Pipeline("p")
    keyed = pipeline.source("bids").key_by("auction")
    keyed.aggregate(n=agg.count()).named("counts").to("one")
    keyed.aggregate(total=agg.sum("price")).to("two")
    assert step(pipeline.plan(), "counts").stateful


def test_only_fields_in_use_are_read():
    pipeline = Pipeline("p")
    stream = pipeline.source("bids").filter(col("price") > 1).with_columns(twice=col("price") * 2)
    windows = stream.key_by("auction").window(Tumbling(10))
    windows.aggregate(total=agg.sum("twice")).to("out")
    assert step(pipeline.plan(), "source").fields == {"price", "auction"}


def test_a_sink_or_a_function_reads_everything():
    pipeline = Pipeline("p")
    pipeline.source("bids").filter(col("price") > 1).to("out")
    assert step(pipeline.plan(), "source").fields is None
    other = Pipeline("p")
    other.source("bids").map(lambda row: dict(row)).select("price").to("out")
    assert step(other.plan(), "source").fields is None


def test_a_late_output_in_use_needs_whole_rows():
    pipeline = Pipeline("p")
    windows = pipeline.source("bids").key_by("k").window(Tumbling(10)).aggregate(n=agg.count())
    windows.to("out")
    assert step(pipeline.plan(), "source").fields == {"k"}
    windows.side("late").to("late")
    assert step(pipeline.plan(), "source").fields is None


def test_dead_letters_need_whole_rows():
    pipeline = Pipeline("p", on_error="dead_letter")
    pipeline.source("bids").select("price").to("out")
    assert step(pipeline.plan(), "source").fields is None


def test_a_rule_that_sets_records_aside_needs_whole_rows():
    rule = ex.expect_column_values_to_not_be_null("price", severity="dead_letter")
    pipeline = Pipeline("p")
    pipeline.source("bids").expect(rule).select("price").to("out")
    plan = pipeline.plan()
    assert step(plan, "source").fields is None
    assert step(plan, "source").meta == {"topic", "partition", "offset"}
    assert plan.outputs == ("out", "p.dead_letters", "p.quality")


def test_rules_of_windows_need_their_fields_only():
    pipeline = Pipeline("p")
    bids = pipeline.source("bids")
    bids.expect(ex.expect_column_mean_to_be_between("price", 0), window=Tumbling(10))
    bids.select("k").to("out")
    plan = pipeline.plan()
    assert step(plan, "source").fields == {"price", "k"}
    assert step(plan, "source").meta == frozenset()
    assert plan.outputs == ("out", "p.quality")


def test_facts_about_the_record_travel_only_if_named():
    pipeline = Pipeline("p")
    pipeline.source("bids").select("price", at=meta.offset, when=meta.time).to("out")
    assert step(pipeline.plan(), "source").meta == {"offset"}


def test_batches_that_two_steps_read_are_shared():
    pipeline = Pipeline("p")
    stream = pipeline.source("bids")
    stream.filter(col("a") > 1).to("one")
    assert not step(pipeline.plan(), "filter").shared
    stream.map(lambda row: row).to("two")
    assert step(pipeline.plan(), "filter").shared


def test_ranks_are_built_only_above_a_union_that_needs_them():
    pipeline = Pipeline("p")
    one, two = pipeline.source("a"), pipeline.source("b")
    one.union(two).to("out")
    assert not any(s.ranked for s in pipeline.plan().steps)
    diamond = Pipeline("p")
    stream = diamond.source("a")
    stream.union(stream.filter(col("x") > 1)).to("out")
    assert step(diamond.plan(), "source").ranked


def test_ends_are_checked():
    pipeline = Pipeline("p")
    stream = pipeline.source("a")
    with pytest.raises(ConfigError, match="writes nothing"):
        pipeline.plan()
    stream.to("out")
    stream.filter(col("x") > 1).to("out")
    with pytest.raises(ConfigError, match="one owner"):
        pipeline.plan()


def test_a_topic_is_read_in_one_way():
    pipeline = Pipeline("p")
    pipeline.source("a", out_of_orderness="1s")
    pipeline.source("a", out_of_orderness=1_000)
    with pytest.raises(ConfigError, match="other options"):
        pipeline.source("a")


def test_streams_of_two_pipelines_do_not_meet():
    with pytest.raises(ConfigError, match="two pipelines"):
        Pipeline("p").source("a").union(Pipeline("q").source("a"))


def test_the_fingerprint_is_of_the_graph_and_the_digest_of_the_code():
    def build(size: int, factor: int) -> Plan:
        pipeline = Pipeline("p")
        stream = pipeline.source("a").map(lambda row: {"k": row["k"], "v": row["v"] * factor})
        stream.key_by("k").window(Tumbling(size)).aggregate(n=agg.count()).to("out")
        return pipeline.plan()

    assert build(10, 1).fingerprint == build(10, 2).fingerprint
    assert build(10, 1).fingerprint != build(20, 1).fingerprint
    assert build(10, 1).code() == build(10, 1).code()
    assert build(10, 1).code() != build(10, 2).code()


def test_code_is_told_apart_by_constants_names_defaults_and_methods():
    one = [lambda row: row["a"], lambda row, by=1: row * by]
    other = [lambda row: row["b"], lambda row, by=2: row * by]
    for left, right in zip(one, other, strict=True):
        assert code_digest(left) != code_digest(right)

    class Counting:
        def on_record(self, row, ctx):
            return row

    assert list(functions(Counting)) == [Counting.on_record]
    assert structure((1, Counting)).endswith("Counting)")


def test_params_are_found_checked_and_passed_on():
    pipeline = Pipeline("p")
    limit = param("limit", int, default=100)
    pipeline.source("a").filter(col("x") > limit).to("out")
    plan = pipeline.plan()
    assert list(declared_params(plan)) == ["limit"]
    assert resolve_params(plan, {}) == {"limit": 100}
    assert resolve_params(plan, {"limit": 7}) == {"limit": 7}
    with pytest.raises(ConfigError, match="limit"):
        resolve_params(plan, {"limit": "7"})
    with pytest.raises(ConfigError, match="no parameter 'limti'; its parameters: limit"):
        resolve_params(plan, {"limti": 7})


def test_explain_and_mermaid_show_every_step():
    pipeline = Pipeline("p")
    yes, _ = pipeline.source("bids", idle_after="30s").split(col("price") > 1)
    yes.key_by("k").window(Tumbling("1m")).aggregate(n=agg.count()).to("out")
    text, picture = pipeline.explain(), pipeline.mermaid()
    for name in ("source bids", "split of bids", "window by k of bids", "to out"):
        assert name in text
        assert name in picture
    assert "idle after 30s" in text
    assert "s1 -->|yes| s2" in picture
