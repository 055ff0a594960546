"""R1b: the same records in other partitions or appends give the same final rows.

Method: records in an order whose disorder the bound covers (each lies at most the bound
behind the newest before it), dealt into appends and partitions in two random ways. The rows
after closing are compared as a set; a third opinion comes from SQL, which knows no watermark.
"""

from __future__ import annotations

import hypothesis.strategies as st
import oracle
import pytest
from harness import built, new_log, perform, written
from hypothesis import given, note
from sql_windows import AGGS, GAP, NAMES, SIZE, SLIDE, by_sql
from strategies import Put, Scenario, examples, rows

BOUND = 10
DAY = 86_400_000
KINDS = st.sampled_from(
    [
        ("tumbling", SIZE, 0),
        ("tumbling", SIZE, 3),
        ("sliding", SIZE, SLIDE, 0),
        ("session", GAP, False),
        ("session", GAP, True),
    ]
)


@st.composite
def records(draw, span=40, unit=1):
    """Rows in an order that is out of order by at most the bound."""
    found, newest = [], 0
    for _ in range(draw(st.integers(1, 14))):
        row = draw(rows(st.just(0)))
        time = max(0, newest + draw(st.integers(-BOUND, span // 4)))
        newest = max(newest, time)
        found.append({**row, "ts": time * unit})
    return found


@st.composite
def dealt(draw, records):
    """The records, in order, cut into appends, with partition keys dealt anew."""
    acts, rest = [], [{**row, "p": draw(st.integers(0, 20))} for row in records]
    while rest:
        size = draw(st.integers(1, len(rest)))
        acts.append(Put({"a": rest[:size]}, draw(st.sampled_from([0, 1]))))
        rest = rest[size:]
    return Scenario({"a": draw(st.sampled_from([1, 3, 8]))}, tuple(acts))


def final(scenario: Scenario, sinks) -> list[str]:
    log = new_log(scenario)
    for act in scenario.acts:
        perform(log, act)
    result = built(sinks).replay(log)
    assert result.late == 0
    return sorted(map(shown, written(log, sinks, result.version).rows("out")))


def shown(pair: tuple[int, dict]) -> str:
    """A row's text; which of 1 and 1.0 is the least is up to the order of the log."""
    time, row = pair
    same = {k: int(v) if isinstance(v, float) and v.is_integer() else v for k, v in row.items()}
    return repr((time, same))


@given(st.data())
@examples(60)
def test_other_partitions_and_appends_give_the_same_final_rows(data):
    made = data.draw(records())
    kind = data.draw(KINDS)
    window = oracle.Window(oracle.Source("a", BOUND), ("k",), kind, AGGS)
    one, other = data.draw(dealt(made)), data.draw(dealt(made))
    note(f"{kind}\n{one}\n{other}")
    assert final(one, {"out": window}) == final(other, {"out": window})


def by_kappa(kind: tuple, scenario: Scenario) -> list[tuple]:
    window = oracle.Window(oracle.Source("a", BOUND), ("k",), kind, AGGS)
    log = new_log(scenario)
    for act in scenario.acts:
        perform(log, act)
    result = built({"out": window}).replay(log)
    found = written(log, {"out": window}, result.version).rows("out")
    return sorted(tuple(row[name] for name in NAMES) for _, row in found)


@pytest.mark.parametrize(
    "kind", [("tumbling", SIZE, 0), ("sliding", SIZE, SLIDE, 0), ("session", GAP, False)], ids=str
)
@given(data=st.data())
@examples(15)
def test_final_rows_are_those_of_sql(kind, data):
    made = data.draw(records())
    scenario = data.draw(dealt(made))
    assert by_kappa(kind, scenario) == by_sql(kind[0], made)


@given(data=st.data())
@examples(15)
def test_calendar_days_are_those_of_the_oracle(data):
    """Days around a change to daylight saving time, which SQL without zones cannot give."""
    zone = data.draw(st.sampled_from(["Europe/Berlin", "America/New_York", "UTC"]))
    unit = data.draw(st.sampled_from(["day", "week", "month"]))
    base = data.draw(st.sampled_from([1_711_756_800_000, 1_729_987_200_000, 1_709_942_400_000]))
    made = [{**row, "ts": base + row["ts"] * 7_200_000} for row in data.draw(records())]
    scenario = data.draw(dealt(made))
    bound = BOUND * 7_200_000
    window = oracle.Window(oracle.Source("a", bound), ("k",), ("calendar", unit, zone), AGGS)
    log = new_log(scenario)
    for act in scenario.acts:
        perform(log, act)
    result = built({"out": window}).replay(log)
    want: dict = {}
    for row in made:
        start, end = oracle.calendar_window(row["ts"], unit, zone)
        items = want.setdefault((row["k"], start, end), [])
        items.append((row["ts"], len(items), row))
    rows_wanted = sorted(
        shown((end - 1, {"k": k, "window_start": start, "window_end": end,
                         **oracle.aggregates(AGGS, items)}))
        for (k, start, end), items in want.items()
    )  # fmt: skip
    found = written(log, {"out": window}, result.version).rows("out")
    assert sorted(map(shown, found)) == rows_wanted
