"""Joins and tables against a naive model that knows only the definitions.

Method: two topics of one partition get random appends; the model sees the same list of
appends, computes the watermark after each by R5, and then says from the whole history which
pairs and rows a join must give, without state, batches or timers. Everything is drained, so
multisets of rows are compared; where the definition says when a row comes (tables), its order
is compared too.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given
from strategies import examples

from kappa import Log, Pipeline, Session, Sliding, Tumbling, agg, left, right
from kappa.time import ManualClock

BOUND = 5
NEG, POS = -(10**9), 10**9


@dataclass(frozen=True)
class Row:
    """A record: its append, topic, event time, key, value, and its number in the history."""

    lsn: int
    topic: str
    ts: int
    k: Any
    v: int
    number: int


Appends = list[tuple[str, list[tuple[int, Any, int]]]]


def appends(keys: st.SearchStrategy[Any] | None = None) -> st.SearchStrategy[Appends]:
    record = st.tuples(
        st.integers(0, 40), keys if keys is not None else st.integers(0, 2), st.integers(0, 5)
    )
    return st.lists(
        st.tuples(st.sampled_from("ab"), st.lists(record, min_size=1, max_size=4)),
        min_size=1,
        max_size=14,
    )


def history(made: Appends) -> tuple[list[Row], list[int]]:
    """All records, and the watermark before each append (and after the last)."""
    rows: list[Row] = []
    newest: dict[str, int] = {}
    level, before = NEG, []
    for lsn, (topic, records) in enumerate(made):
        before.append(level)
        rows += [Row(lsn, topic, *r, len(rows) + i) for i, r in enumerate(records)]
        newest[topic] = max([newest.get(topic, NEG), *(ts for ts, _, _ in records)])
        if len(newest) == 2:
            level = max(level, min(newest.values()) - BOUND - 1)
    return rows, [*before, level]


def filled(made: Appends) -> Log:
    log = Log.memory(clock=ManualClock(1_000))
    for topic in "ab":
        log.create_topic(topic, time="ts")
    for topic, records in made:
        log.append(topic, [{"ts": ts, "k": k, f"{topic}v": v} for ts, k, v in records])
    return log


Build = Callable[[Any, Any], Any]


def engine(made: Appends, build: Build) -> tuple[list[Any], list[Any]]:
    """What the engine writes, and its late rows."""
    with filled(made) as log:
        pipeline = Pipeline("p")
        one = pipeline.source("a", out_of_orderness=BOUND)
        two = pipeline.source("b", out_of_orderness=BOUND)
        result = build(one, two)
        result.to("out")
        if "late" in getattr(result, "outputs", ()):
            result.side("late").to("late")
        pipeline.run(log, drain=True)
        late = log.read("late") if "late" in pipeline.plan().outputs else ()
        return [(r.time, r.value) for r in log.read("out")], [r.value for r in late]


def bag(rows: Sequence[Any]) -> Counter[str]:
    return Counter(map(repr, rows))


SIDES = {"av": left("av"), "bv": right("bv"), "at": left("ts"), "bt": right("ts")}


def shown(one: Row | None, two: Row | None) -> dict[str, Any]:
    return {
        "av": one.v if one else None,
        "bv": two.v if two else None,
        "at": one.ts if one else None,
        "bt": two.ts if two else None,
    }


def outer(how: str, one: Any, two: Any, pairs: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """The pairs, and the rows without one that a kind of join gives."""
    out = list(pairs)
    if how in ("left", "full"):
        out += [(a, None) for a in one if not any(a is x for x, _ in pairs)]
    if how in ("right", "full"):
        out += [(None, b) for b in two if not any(b is y for _, y in pairs)]
    return out


def joined(how: str, one: Any, two: Any, **options: Any) -> Any:
    method = {"inner": "join"}.get(how, f"{how}_join")
    return getattr(one.key_by("k"), method)(two.key_by("k"), select=SIDES, **options)


HOWS = ("inner", "left", "right", "full")


@pytest.mark.parametrize("how", HOWS)
@given(
    made=appends(st.sampled_from([0, 1, None])),
    span=st.sampled_from([(-3, 6), (0, 0), (2, 9), (-9, -4), (-40, 40)]),
    conditional=st.booleans(),
)
@examples(60)
def test_an_interval_join_gives_the_pairs_of_its_definition(how, made, span, conditional):
    rows, before = history(made)
    kept = [row for row in rows if row.ts > before[row.lsn]]
    one = [row for row in kept if row.topic == "a"]
    two = [row for row in kept if row.topic == "b"]
    pairs = [
        (a, b)
        for a in one
        for b in two
        if a.k == b.k is not None and span[0] <= b.ts - a.ts <= span[1]
        if not conditional or a.v <= b.v
    ]
    want = [(max(x.ts for x in pair if x), shown(*pair)) for pair in outer(how, one, two, pairs)]
    where = left("av") <= right("bv") if conditional else None
    found, late = engine(made, lambda x, y: joined(how, x, y, within=span, where=where))
    assert bag(found) == bag(want)
    assert len(late) == len(rows) - len(kept)
    told = Counter((row["join_side"], row["ts"], row["late_by"]) for row in late)
    sides = {"a": "left", "b": "right"}
    assert told == Counter(
        (sides[r.topic], r.ts, before[r.lsn] - r.ts + 1) for r in rows if r not in kept
    )


@pytest.mark.parametrize("how", HOWS)
@given(made=appends(), window=st.sampled_from([Tumbling(10), Sliding(10, 4), Sliding(4, 9)]))
@examples(50)
def test_a_window_join_gives_the_pairs_of_every_window(how, made, window):
    rows, before = history(made)
    want = []
    for start in sorted({start for row in rows for start, _ in window.windows_of(row.ts)}):
        end = start + window.size
        inside = [r for r in rows if start <= r.ts < end and end - 1 > before[r.lsn]]
        one = [row for row in inside if row.topic == "a"]
        two = [row for row in inside if row.topic == "b"]
        pairs = [(a, b) for a in one for b in two if a.k == b.k]
        want += [(end - 1, shown(*pair)) for pair in outer(how, one, two, pairs)]
    found, late = engine(made, lambda x, y: joined(how, x, y, window=window))
    assert bag(found) == bag(want)
    lost = [r for r in rows if all(end - 1 <= before[r.lsn] for _, end in window.windows_of(r.ts))]
    assert len(late) == len(lost)


@pytest.mark.parametrize("how", HOWS)
@given(made=appends())
@examples(50)
def test_a_session_join_gives_the_pairs_of_every_session(how, made):
    gap = 6
    sessions: list[list[Any]] = []  # [key, start, end, rows, fired]
    rows, before = history(made)
    for lsn in range(len(made)):
        mine = sorted((r for r in rows if r.lsn == lsn), key=lambda r: r.ts)
        for key in dict.fromkeys(r.k for r in mine):
            groups: list[list[Row]] = []
            for row in (r for r in mine if r.k == key):
                if groups and row.ts - groups[-1][-1].ts < gap:
                    groups[-1].append(row)
                else:
                    groups.append([row])
            for group in groups:
                low, high = group[0].ts, group[-1].ts + gap
                hit = [
                    s for s in sessions if s[0] == key and not s[4] and s[1] < high and low < s[2]
                ]
                low, high = min([low, *(s[1] for s in hit)]), max([high, *(s[2] for s in hit)])
                if high - 1 <= before[lsn]:
                    continue
                sessions = [s for s in sessions if not any(s is h for h in hit)]
                merged = [r for s in hit for r in s[3]] + group
                sessions.append([key, low, high, merged, False])
        for session in sessions:
            session[4] = session[4] or session[2] - 1 <= before[lsn + 1]
    want = []
    for _, _, high, members, _ in sessions:
        one = [row for row in members if row.topic == "a"]
        two = [row for row in members if row.topic == "b"]
        pairs = [(a, b) for a in one for b in two]
        want += [(high - 1, shown(*pair)) for pair in outer(how, one, two, pairs)]
    found, _ = engine(made, lambda x, y: joined(how, x, y, window=Session(gap)))
    assert bag(found) == bag(want)


@pytest.mark.parametrize("how", HOWS)
@given(made=appends(), keep=st.sampled_from([3, 10, "forever"]))
@examples(60)
def test_a_join_that_keeps_rows_meets_what_is_kept(how, made, keep):
    rows, before = history(made)
    span = POS if keep == "forever" else keep

    def there(row: Row, at: Row) -> bool:
        """Whether `row`, which came first, is still kept when `at` comes."""
        return row.lsn == at.lsn or row.ts + span > before[at.lsn]

    one = [row for row in rows if row.topic == "a"]
    two = [row for row in rows if row.topic == "b"]
    pairs = []
    for a in one:
        for b in two:
            first, second = sorted((a, b), key=lambda r: r.number)
            if a.k == b.k and there(first, second):
                pairs.append((a, b))
    want = [(max(x.ts for x in pair if x), shown(*pair)) for pair in outer(how, one, two, pairs)]
    found, _ = engine(made, lambda x, y: joined(how, x, y, keep=keep))
    assert bag(found) == bag(want)


@pytest.mark.parametrize("how", ["inner", "left"])
@given(made=appends(), within=st.sampled_from([None, 4, 12]))
@examples(80)
def test_an_as_of_join_meets_the_version_valid_then(how, made, within):
    rows, before = history(made)
    want, lost = [], 0
    for probe in (row for row in rows if row.topic == "a"):
        lsn = next((x for x in range(probe.lsn, len(made)) if before[x + 1] >= probe.ts), len(made))
        known = [r for r in rows if r.topic == "b" and r.k == probe.k and r.lsn <= lsn]
        late = probe.ts <= before[probe.lsn]
        if late:  # only what is kept: behind the watermark, or the newest at or before it
            level = before[probe.lsn]
            old = [r for r in known if r.lsn < probe.lsn and r.ts <= level]
            newest = max((r.ts for r in old), default=None)
            known = [
                r
                for r in known
                if r.lsn == probe.lsn
                or r.ts > level
                or (r.ts == newest and (within is None or level - r.ts <= within))
            ]
        valid = [r for r in known if r.ts <= probe.ts]
        if late and not valid:
            lost += 1
            continue
        version = max(valid, key=lambda r: (r.ts, r.number), default=None)
        if version and within is not None and probe.ts - version.ts > within:
            version = None
        if version or how == "left":
            want.append((probe.ts, shown(probe, version)))

    def build(one: Any, two: Any) -> Any:
        return one.key_by("k").as_of_join(two.key_by("k"), how=how, within=within, select=SIDES)

    found, late_rows = engine(made, build)
    assert bag(found) == bag(want)
    assert len(late_rows) == lost


@given(made=appends())
@examples(60)
def test_a_stream_meets_what_the_table_holds_when_it_arrives(made):
    rows, _ = history(made)
    want, table = [], {}
    for row in rows:
        if row.topic == "b":
            table[row.k] = row
        else:
            want.append((row.ts, shown(row, table.get(row.k))))
    found, _ = engine(
        made, lambda x, y: x.key_by("k").left_join(y.key_by("k").table(), select=SIDES)
    )
    assert found == want


# ---- tables: after every LSN, what SQL says of the rows held then


def states(made: Appends, build: Build) -> list[dict[Any, Any]]:
    """The written table after each append."""
    with filled(made) as log:
        pipeline = Pipeline("p")
        build(pipeline.source("a"), pipeline.source("b")).to("out")
        pipeline.run(log, until_idle=True)
        origin = {e.lsn: e.origin for e in log.entries(0) if e.origin is not None}
        records = [(origin[r.lsn], r.key, r.value) for r in log.read("out")]
        ends = [e.lsn for e in log.entries(0) if e.kind == "append" and e.origin is None]
        out = []
        for end in ends:
            table: dict[Any, Any] = {}
            for lsn, key, value in records:
                if lsn <= end:
                    table[key] = value
            out.append({key: value for key, value in table.items() if value is not None})
        assert dict(log.view("out")) == out[-1]
        return out


def by_sql(made: Appends, query: str) -> list[list[tuple[Any, ...]]]:
    """The rows of a query over tables a and b (last row per key) after each append."""
    base = sqlite3.connect(":memory:")
    for name in "ab":
        base.execute(f"create table {name} (k integer primary key, ts, v)")
    out = []
    for topic, records in made:
        for ts, k, v in records:
            base.execute(f"insert or replace into {topic} values (?, ?, ?)", (k, ts, v))
        out.append(sorted(base.execute(query).fetchall(), key=repr))
    return out


@given(made=appends())
@examples(80)
def test_groups_of_a_table_take_rows_back(made):
    query = "select v, count(*), sum(ts), min(ts), max(ts), avg(ts), sum(ts > 20) from a group by v"

    def build(one: Any, _: Any) -> Any:
        return (
            one.to_table("k")
            .group_by("av")
            .aggregate(
                n=agg.count(),
                total=agg.sum("ts"),
                low=agg.min("ts"),
                high=agg.max("ts"),
                mean=agg.mean("ts"),
                late=agg.count(where=lambda row: row["ts"] > 20),
            )
        )

    found = [
        sorted(map(tuple, (r.values() for r in t.values())), key=repr) for t in states(made, build)
    ]
    assert found == by_sql(made, query)


@pytest.mark.parametrize("how", HOWS)
@given(made=appends(st.integers(0, 3)))
@examples(40)
def test_the_join_of_two_tables_follows_both(how, made):
    query = f"select a.v, b.v, a.ts, b.ts from a {how} join b on a.k = b.k"

    def build(one: Any, two: Any) -> Any:
        method = {"inner": "join"}.get(how, f"{how}_join")
        return getattr(one.to_table("k"), method)(two.to_table("k"), select=SIDES)

    found = [
        sorted(map(tuple, (r.values() for r in t.values())), key=repr) for t in states(made, build)
    ]
    assert found == by_sql(made, query)


@pytest.mark.parametrize("how", ["inner", "left"])
@given(made=appends(st.integers(0, 4)))
@examples(40)
def test_a_join_by_a_foreign_key_follows_both_tables(how, made):
    query = f"select a.v, b.v, a.ts, b.ts from a {how} join b on a.v = b.k and a.ts <= b.ts"

    def build(one: Any, two: Any) -> Any:
        method = {"inner": "join"}.get(how, f"{how}_join")
        table = getattr(one.to_table("k"), method)
        where = left("ts") <= right("ts")
        return table(two.to_table("k"), on="av", where=where, select=SIDES)

    found = [
        sorted(map(tuple, (r.values() for r in t.values())), key=repr) for t in states(made, build)
    ]
    assert found == by_sql(made, query)
