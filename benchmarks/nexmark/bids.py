"""The queries that read bids alone: projections, windows, statistics, top-N.

Prices are whole cents, so averages divide whole numbers and nothing is rounded but once.
"""

from __future__ import annotations

from typing import Any

from benchmarks.nexmark.streams import Streams
from kappa import Aggregate, Session, Sliding, Stream, Tumbling, agg, asc, col, desc, when
from kappa.connect import JsonLinesSink

AUCTION, PRICE, TIME, URL = col("auction"), col("price"), col("dateTime"), col("url")
DAY = TIME.dt.format("%Y-%m-%d").named("day")
BANDS = {
    "total": None,
    "rank1": PRICE < 10_000,
    "rank2": (PRICE >= 10_000) & (PRICE < 1_000_000),
    "rank3": PRICE >= 1_000_000,
}
BIDS: dict[str, Aggregate] = {
    f"{band}_bids": agg.count(where=where) for band, where in BANDS.items()
}
BIDDERS: dict[str, Aggregate] = {
    f"{band}_bidders": agg.count_distinct("bidder", where=where) for band, where in BANDS.items()
}
AUCTIONS: dict[str, Aggregate] = {
    f"{band}_auctions": agg.count_distinct("auction", where=where) for band, where in BANDS.items()
}


def q0(events: Streams) -> Stream[Any]:
    """Every bid, as it is."""
    return events.bids.select("auction", "bidder", "price", "dateTime", "extra")


def q1(events: Streams) -> Stream[Any]:
    """Every bid, in euros."""
    return events.bids.select(
        "auction", "bidder", "dateTime", "extra", price=PRICE * 908 / 1000
    )  # 0.908 as a ratio of whole numbers, so that three decimals are exact


def q2(events: Streams) -> Stream[Any]:
    """Bids on some auctions."""
    return events.bids.filter(AUCTION % 123 == 0).select("auction", "price")


def q5(events: Streams) -> Stream[Any]:
    """Hot items: which auctions have the most bids in the last ten seconds?"""
    return (
        events.bids.key_by("auction")
        .window(Sliding("10s", slide="2s"))
        .aggregate(num=agg.count())
        .key_by()
        .window(Tumbling("2s"))  # just one of the first windows ends in each
        .top(1, by=desc("num"), ties=True)
        .select("auction", "num")
    )


def q7(events: Streams) -> Stream[Any]:
    """The highest bids of every ten seconds."""
    return (
        events.bids.key_by()
        .window(Tumbling("10s"))
        .top(1, by=desc("price"), ties=True)
        .select("auction", "bidder", "price", "dateTime", "extra")
    )


def q10(events: Streams) -> Stream[Any]:
    """Every bid in a file of its hour, which is complete a minute behind it."""
    files = JsonLinesSink(events.files, by=("date", "hour"), delay="1m")
    return events.bids.sink(files)


def q11(events: Streams) -> Stream[Any]:
    """How many bids did a person make in each session of activity?"""
    return (
        events.bids.key_by("bidder")
        .window(Session("10s"))
        .aggregate(bid_count=agg.count())
        .select("bidder", "bid_count", starttime=col("window_start"), endtime=col("window_end"))
    )


def q12(events: Streams) -> Stream[Any]:
    """How many bids did a person make in every ten seconds of our own clock?"""
    return (
        events.arrivals.key_by("bidder")
        .window(Tumbling("10s"))
        .aggregate(bid_count=agg.count())
        .select("bidder", "bid_count", starttime=col("window_start"), endtime=col("window_end"))
    )


def q13(events: Streams) -> Stream[Any]:
    """Bids with what a fixed table says of them."""
    named = events.bids.lookup(events.labels, on=AUCTION % 10_000)
    return named.select("auction", "bidder", "price", "dateTime", "value")


def q14(events: Streams) -> Stream[Any]:
    """Bids of middling prices, with the time of day and a count of letters."""
    hour, euros = TIME.dt.hour(), PRICE * 908  # in thousandths
    time_of_day = (
        when(hour.between(8, 18)).then("dayTime")
        .when((hour <= 6) | (hour >= 20)).then("nightTime")
        .otherwise("otherTime")
    )  # fmt: skip
    return events.bids.filter((euros > 1_000_000_000) & (euros < 50_000_000_000)).select(
        "auction",
        "bidder",
        "dateTime",
        "extra",
        price=euros / 1000,
        bidTimeType=time_of_day,
        c_counts=col("extra").str.count("c"),
    )


def q15(events: Streams) -> Stream[Any]:
    """Bids, bidders and auctions of each day so far, by price."""
    return events.bids.key_by(DAY).aggregate({**BIDS, **BIDDERS, **AUCTIONS})


def q16(events: Streams) -> Stream[Any]:
    """The same of each channel and day."""
    minute = agg.max(TIME.dt.format("%H:%M"))
    return events.bids.key_by("channel", DAY).aggregate(
        {"minute": minute, **BIDS, **BIDDERS, **AUCTIONS}
    )


def q17(events: Streams) -> Stream[Any]:
    """Bids and prices of each auction and day so far."""
    return (
        events.bids.key_by("auction", DAY)
        .aggregate(
            BIDS,
            min_price=agg.min("price"),
            max_price=agg.max("price"),
            sum_price=agg.sum("price"),
        )
        .with_columns(avg_price=col("sum_price") // col("total_bids"))
    )


def q18(events: Streams) -> Stream[Any]:
    """The last bid of each person on each auction."""
    return events.bids.key_by("bidder", "auction").deduplicate(keep="last")


def q19(events: Streams) -> Stream[Any]:
    """The ten highest bids of each auction, with their places."""
    return events.bids.key_by("auction").top(
        10, by=[desc("price"), asc("dateTime")], rank="rank_number"
    )


def q21(events: Streams) -> Stream[Any]:
    """Bids with the number of their channel, or what their page says of it."""
    channel = col("channel").str.lower()
    channel_id = (
        when(channel == "apple").then("0")
        .when(channel == "google").then("1")
        .when(channel == "facebook").then("2")
        .when(channel == "baidu").then("3")
        .otherwise(URL.str.extract("(&|^)channel_id=([^&]*)", 2))
    )  # fmt: skip
    return events.bids.select(
        "auction", "bidder", "price", "channel", channel_id=channel_id
    ).filter(col("channel_id").not_null())


def q22(events: Streams) -> Stream[Any]:
    """Bids with the folders of their page."""
    folders = {f"dir{n}": URL.str.split("/", n + 2) for n in (1, 2, 3)}
    return events.bids.select("auction", "bidder", "price", "channel", **folders)
