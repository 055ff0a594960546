"""The four pattern queries of Nexmark, each against a plain loop over the sorted bids.

Bids arrive out of order, within a bound that loses none, and in appends of any size; the loops
know nothing of patterns.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import examples

from kappa import Log, Pipeline, col
from kappa.patterns import matched, prev, row, to_last
from kappa.time import ManualClock

BOUND = 4_000
LIMIT, DROP = 10_000, 50
Bids = list[dict[str, Any]]


def falling_then_rising(bids: Any) -> Any:
    return bids.pattern(
        [
            row("start"),
            row("down", col("price") < prev("price"), times="2+"),
            row("up", col("price") > matched("down").last("price", 1)),
        ],
        select={
            "start_tstamp": matched("start").last("dateTime"),
            "bottom_tstamp": matched("down").last("dateTime"),
            "end_tstamp": matched("up").last("dateTime"),
        },
        skip=to_last("up"),
    )


def below_the_limit(bids: Any, skip: str = "past_last") -> Any:
    run = matched("run")
    return bids.pattern(
        [row("run", run.mean("price") < LIMIT, times="+"), row("after")],
        select={
            "start_tstamp": run.first("dateTime"),
            "end_tstamp": run.last("dateTime"),
            "avg_price": run.sum("price") // run.count(),
        },
        skip=skip,
    )


def large_drop(bids: Any) -> Any:
    floor = matched("from").last("price") - DROP
    return bids.pattern(
        [
            row("from"),
            row("above", col("price") > floor, times="*"),
            row("below", col("price") < floor),
        ],
        select={
            "drop_time": matched("below").last("dateTime"),
            "drop_diff": matched("from").last("price") - matched("below").last("price"),
        },
        within="5s",
    )


# ---- the same as loops over the bids of one key, in order of time


def loop_q0(bids: Bids) -> Bids:
    found, i = [], 0
    while i < len(bids):
        j = i + 1
        while j < len(bids) and bids[j]["price"] < bids[j - 1]["price"]:
            j += 1
        if j - i > 2 and j < len(bids) and bids[j]["price"] > bids[j - 2]["price"]:
            times = (bids[i], bids[j - 1], bids[j])
            names = ("start_tstamp", "bottom_tstamp", "end_tstamp")
            found.append({n: bid["dateTime"] for n, bid in zip(names, times, strict=True)})
            i = j
        else:
            i += 1
    return found


def loop_q1(bids: Bids, overlap: bool = False) -> Bids:
    found, i = [], 0
    while i < len(bids):
        total, j = 0, i
        while j < len(bids) and total + bids[j]["price"] < LIMIT * (j - i + 1):
            total += bids[j]["price"]
            j += 1
        if j == len(bids):  # the last row has to be the one more
            j -= 1
            total -= bids[j]["price"] if j >= i else 0
        if j > i:
            times = {"start_tstamp": bids[i]["dateTime"], "end_tstamp": bids[j - 1]["dateTime"]}
            found.append({**times, "avg_price": total // (j - i)})
        i = j + 1 if j > i and not overlap else i + 1
    return found


def loop_q2(bids: Bids) -> Bids:
    return loop_q1(bids, overlap=True)


def loop_q3(bids: Bids) -> Bids:
    found, i = [], 0
    while i < len(bids):
        floor, j = bids[i]["price"] - DROP, i + 1
        while j < len(bids) and bids[j]["price"] > floor:
            j += 1
        hit = j < len(bids) and bids[j]["price"] < floor
        if hit and bids[j]["dateTime"] - bids[i]["dateTime"] < 5_000:
            drop = bids[i]["price"] - bids[j]["price"]
            found.append({"drop_time": bids[j]["dateTime"], "drop_diff": drop})
            i = j + 1
        else:
            i += 1
    return found


QUERIES: dict[str, tuple[Any, Any]] = {
    "cep_q0": (falling_then_rising, loop_q0),
    "cep_q1": (below_the_limit, loop_q1),
    "cep_q2": (lambda bids: below_the_limit(bids, "to_next"), loop_q2),
    "cep_q3": (large_drop, loop_q3),
}

PRICES = {
    "cep_q0": st.integers(1, 6),
    "cep_q1": st.sampled_from([100, 5_000, 9_999, 10_000, 10_001, 15_000, 30_000]),
    "cep_q2": st.sampled_from([100, 5_000, 9_999, 10_000, 10_001, 15_000, 30_000]),
    "cep_q3": st.sampled_from([0, 30, 49, 50, 51, 80, 99, 100, 101, 150]),
}


@st.composite
def bids_of(draw: Any, prices: st.SearchStrategy[int]) -> list[Bids]:
    """Appends of bids with distinct times, late by less than the bound."""
    steps = draw(st.lists(st.sampled_from([1, 300, 999, 1_000, 2_500]), min_size=1, max_size=40))
    made, time = [], 1_000_000
    for step in steps:
        time += step
        key = {"auction": draw(st.integers(1, 2)), "bidder": draw(st.integers(1, 2))}
        late = draw(st.sampled_from([0, 0, 1_500, BOUND - 1]))
        made.append((time + late, {**key, "price": draw(prices), "dateTime": time}))
    made.sort(key=lambda one: one[0])
    appends: list[Bids] = [[]]
    for _, bid in made:
        if draw(st.integers(0, 2)) == 0:
            appends.append([])
        appends[-1].append(bid)
    return [bids for bids in appends if bids]


@pytest.mark.parametrize("query", sorted(QUERIES))
@given(data=st.data())
@examples(60)
def test_a_query_gives_what_a_loop_gives(query: str, data: Any) -> None:
    build, loop = QUERIES[query]
    appends = data.draw(bids_of(PRICES[query]))
    pipeline = Pipeline(query)
    source = pipeline.source("bids", out_of_orderness=BOUND)
    build(source.key_by("auction", "bidder")).to("out")
    with Log.memory(clock=ManualClock(0)) as log:
        log.create_topic(
            "bids", time="dateTime", partitions=data.draw(st.sampled_from([1, 4])), key="auction"
        )
        for bids in appends:
            log.append("bids", bids)
        result = pipeline.replay(log, read_records=data.draw(st.sampled_from([1, 3, 4096])))
        found = [record.value for record in log.read("out")]
    assert result.late == 0
    by_key: dict[Any, Bids] = defaultdict(list)
    for bid in sorted((bid for bids in appends for bid in bids), key=lambda bid: bid["dateTime"]):
        by_key[bid["auction"], bid["bidder"]].append(bid)
    want = [
        {"auction": auction, "bidder": bidder, **one}
        for (auction, bidder), bids in by_key.items()
        for one in loop(bids)
    ]
    assert sorted(map(as_text, found)) == sorted(map(as_text, want))


def as_text(one: dict[str, Any]) -> str:
    return repr(sorted(one.items()))
