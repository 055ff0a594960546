"""The pattern queries: what happens in the bids of one bidder on one auction.

Source: github.com/nexmark/nexmark, queries-cep, in SQL's MATCH_RECOGNIZE.
"""

from __future__ import annotations

from typing import Any

from benchmarks.nexmark.streams import Streams
from kappa import Stream, col
from kappa.patterns import matched, prev, row, to_last


def cep_q0(events: Streams) -> Stream[Any]:
    """Prices that fall, twice or more, and then rise."""
    start, down, up = matched("start"), matched("down"), matched("up")
    return events.bids.key_by("auction", "bidder").pattern(
        [
            row("start"),
            row("down", col("price") < prev("price"), times="2+"),
            row("up", col("price") > down.last("price", 1)),
        ],
        skip=to_last("up"),
        select={
            "start_tstamp": start.last("dateTime"),
            "bottom_tstamp": down.last("dateTime"),
            "end_tstamp": up.last("dateTime"),
        },
    )


def cheap(events: Streams, skip: str) -> Stream[Any]:
    """Runs of bids that are cheap on average, with the bid that ends each."""
    run = matched("run")
    return events.bids.key_by("auction", "bidder").pattern(
        [row("run", run.mean("price") < 10_000, times="+"), row("end")],
        skip=skip,
        select={
            "start_tstamp": run.first("dateTime"),
            "end_tstamp": run.last("dateTime"),
            "avg_price": run.sum("price") // run.count(),
        },
    )


def cep_q1(events: Streams) -> Stream[Any]:
    """The longest runs of bids that are cheap on average."""
    return cheap(events, "past_last")


def cep_q2(events: Streams) -> Stream[Any]:
    """The longest such run from every bid."""
    return cheap(events, "to_next")


def cep_q3(events: Streams) -> Stream[Any]:
    """Prices that drop by more than fifty within five seconds."""
    high = matched("start").last("price")
    return events.bids.key_by("auction", "bidder").pattern(
        [
            row("start"),
            row("above", col("price") > high - 50, times="*"),
            row("drop", col("price") < high - 50),
        ],
        within="5s",
        select={"drop_time": col("dateTime"), "drop_diff": high - col("price")},
    )
