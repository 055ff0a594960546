"""R1: over a given log one result, append for append, and it is the oracle's.

Method: a random log and a random pipeline. The engine runs live, in one go or in pieces, with
any read size and checkpoint interval, and is stopped or broken anywhere; then it replays. Each
output append is compared, by the LSN it answers, with the oracle and with the others. Equality
with the oracle is by value; between runs also by type, row by row.
"""

from __future__ import annotations

from dataclasses import replace

import hypothesis.strategies as st
import oracle
from harness import (
    Written,
    built,
    checkpoint_files,
    expected,
    filled,
    new_log,
    perform,
    put_back,
    written,
)
from hypothesis import given, note
from strategies import Dual, describe, examples, pipelines, scenarios

from kappa.errors import OperatorError

READS = st.sampled_from([1, 2, 3, 7, 4096])


@st.composite
def cases(draw, **options):
    scenario = draw(scenarios(**options))
    return scenario, draw(pipelines(sorted(scenario.topics)))


def same(got: Written, want: Written) -> None:
    assert got.appends == want.appends, first_difference(got, want)
    assert got.claims == want.claims


def same_to_the_type(got: Written, want: Written) -> None:
    assert repr(got.appends) == repr(want.appends), first_difference(got, want)
    assert got.claims == want.claims


def first_difference(got: Written, want: Written) -> str:
    for lsn in sorted(got.appends.keys() | want.appends.keys()):
        one, other = got.appends.get(lsn, {}), want.appends.get(lsn, {})
        for sink in sorted(one.keys() | other.keys()):
            if one.get(sink) != other.get(sink):
                return f"LSN {lsn}, {sink!r}: got {one.get(sink)}, want {other.get(sink)}"
    return "no difference"


def live(log, sinks, read_records: int) -> Written:
    built(sinks).run(log, until_idle=True, read_records=read_records)
    return written(log, sinks)


@given(cases(), READS)
@examples(150)
def test_a_live_run_gives_what_the_oracle_gives(case, read_records):
    scenario, sinks = case
    note(describe(sinks))
    log = filled(scenario)
    got = live(log, sinks, read_records)
    same(got, expected(log, scenario.topics, sinks))


@given(cases(), READS, READS)
@examples(100)
def test_a_replay_gives_the_live_run_and_then_closes(case, read_live, read_replay):
    scenario, sinks = case
    note(describe(sinks))
    log = filled(scenario)
    lived = live(log, sinks, read_live)
    assert not lived.closing
    built(sinks).replay(log, version=2, read_records=read_replay)
    replayed = written(log, sinks, version=2)
    same_to_the_type(replayed, lived)
    assert replayed.closing == expected(log, scenario.topics, sinks).closing


@given(cases(exact=False), READS, READS)
@examples(60)
def test_rough_floats_come_out_to_the_bit_whatever_the_read_size(case, one, other):
    scenario, sinks = case
    note(describe(sinks))
    log = filled(scenario)
    first = live(log, sinks, one)
    built(sinks).replay(log, version=2, read_records=other)
    same_to_the_type(written(log, sinks, version=2), first)


@given(cases(), st.data())
@examples(60)
def test_a_run_stopped_and_started_anywhere_gives_the_same(case, data):
    scenario, sinks = case
    note(describe(sinks))
    log = new_log(scenario)
    pipeline = built(sinks)
    for act in scenario.acts:
        perform(log, act)
        if data.draw(st.booleans(), label="run here"):
            pipeline.run(log, until_idle=True, read_records=data.draw(READS))
    pipeline.run(log, until_idle=True)
    same(written(log, sinks), expected(log, scenario.topics, sinks))


class Broken(Exception):
    """What a step raises in the middle of a run."""


@given(cases(max_topics=1), st.integers(0, 30), READS, st.sampled_from([0, 1, "1h"]))
@examples(60)
def test_a_run_broken_anywhere_and_started_again_gives_the_same(case, after, read, interval):
    scenario, sinks = case
    note(describe(sinks))
    log = filled(scenario)
    fuse = [after]
    pipeline = fused(sinks, fuse)
    try:
        pipeline.run(log, until_idle=True, read_records=read, checkpoint_every=interval or 1)
    except OperatorError as error:
        assert isinstance(error.__cause__, Broken)
    fuse[0] = 1 << 60
    fused(sinks, fuse).run(log, until_idle=True, read_records=4096)
    same(written(log, sinks), expected(log, scenario.topics, sinks))


def fused(sinks, fuse: list[int]):
    """The pipeline with a step in front of every other that breaks after so many rows."""

    def pass_on(row):
        fuse[0] -= 1
        if fuse[0] < 0:
            raise Broken
        return row

    guard = Dual("guard", lambda row: [row], lambda stream: stream.map(pass_on))
    return built(guarded(sinks, guard))


def guarded(sinks, guard):
    """The graph with `guard` behind every source, and nothing else changed."""
    made: dict[oracle.Node, oracle.Node] = {}

    def visit(node):
        if node not in made:
            if isinstance(node, oracle.Source):
                made[node] = oracle.FlatMap(node, guard)
            elif isinstance(node, oracle.Union):
                made[node] = replace(node, streams=tuple(visit(one) for one in node.streams))
            else:
                made[node] = replace(node, input=visit(node.input))
        return made[node]

    return {name: visit(node) for name, node in sinks.items()}


@given(cases(), READS, st.data())
@examples(50)
def test_output_ahead_of_its_checkpoint_is_recognised_and_not_written_twice(case, read, data):
    """What a crash leaves: all output written, the checkpoint any earlier one, or none."""
    scenario, sinks = case
    note(describe(sinks))
    log = new_log(scenario)
    images = [{}]
    for act in scenario.acts:
        perform(log, act)
        if data.draw(st.booleans(), label="run here"):
            built(sinks).run(log, until_idle=True, read_records=read)
            images.append(checkpoint_files(log))
    before = live(log, sinks, read)
    end = log.end_lsn
    put_back(log, data.draw(st.sampled_from(images), label="checkpoints left"))
    built(sinks).run(log, until_idle=True, read_records=data.draw(READS))
    same_to_the_type(written(log, sinks), before)
    again = [entry for entry in log.entries(end) if entry.kind == "append" and entry.parts]
    assert not again


@given(cases(claims=False, max_topics=2), READS)
@examples(40)
def test_the_log_itself_is_what_was_appended(case, read_records):
    scenario, _ = case
    log = filled(scenario)
    for topic in scenario.topics:
        put = [row for act in scenario.acts for row in getattr(act, "rows", {}).get(topic, [])]
        read = [record.value for record in log.read(topic)]
        key = repr
        assert sorted(map(key, read)) == sorted(map(key, put))
