"""The queries that bring people, auctions and bids together."""

from __future__ import annotations

from typing import Any

from benchmarks.nexmark.streams import Streams
from kappa import Expression, KeyedStream, Stream, Tumbling, agg, asc, col, desc, left, right

ITEM = ("itemName", "description", "initialBid", "reserve", "expires", "seller", "category")
BID = ("auction", "bidder", "price", "channel", "url")
PERSON = ("name", "emailAddress", "creditCard", "city", "state")


def winners(events: Streams) -> KeyedStream[Any]:
    """Each auction with its winning bid, at the instant it expires.

    A bid meets the auction that was open at its time: so it waits only until the watermark
    has passed it, and of an auction's bids only the best is kept.
    """
    auction: dict[str, Expression] = {
        name: right(name) for name in ("id", *ITEM, "dateTime", "extra")
    }
    bid = {name: left(name) for name in ("auction", "bidder", "price")}
    return (
        events.bids.key_by("auction")
        .as_of_join(
            events.auctions.key_by("id"),
            select={
                **auction, **bid, "bid_dateTime": left("dateTime"), "bid_extra": left("extra"),
            },
        )
        .filter(col("bid_dateTime") <= col("expires"))
        .assign_time("expires")
        .key_by("id")
        .window(Tumbling("1ms"))
        .top(1, by=[desc("price"), asc("bid_dateTime")])
    )  # fmt: skip


def q3(events: Streams) -> Stream[Any]:
    """Who sells in certain states, and what in a certain category?"""
    sellers = events.persons.filter(col("state").is_in(["OR", "ID", "CA"]))
    return sellers.key_by("id").join(
        events.auctions.filter(col("category") == 10).key_by("seller"),
        keep="forever",
        select={
            **{name: left(name) for name in ("name", "city", "state")},
            "id": right("id"),
        },
    )


def q4(events: Streams) -> Stream[Any]:
    """The average winning price of each category so far."""
    return (
        winners(events)
        .key_by("category")
        .aggregate(total=agg.sum("price"), count=agg.count())
        .select(id=col("category"), final=col("total") // col("count"))
    )


def q6(events: Streams) -> Stream[Any]:
    """The average winning price of the last ten auctions of each seller."""
    return (
        winners(events)
        .key_by("seller")
        .over(rows=10)
        .aggregate(total=agg.sum("price"), count=agg.count())
        .select("seller", avg_price=col("total") // col("count"))
    )


def q8(events: Streams) -> Stream[Any]:
    """Who joined and opened an auction in the same ten seconds?"""
    return (
        events.persons.key_by("id")
        .join(events.auctions.key_by("seller"), window=Tumbling("10s"))
        .select("id", "name", stime=col("window_start"))
        .key_by("id", "name", "stime")
        .deduplicate(within="10s")
    )


def q9(events: Streams) -> Stream[Any]:
    """The winning bid of each auction."""
    return winners(events)


def q20(events: Streams) -> Stream[Any]:
    """Bids with their auction, of one category."""
    return events.bids.key_by("auction").join(
        events.auctions.filter(col("category") == 10).key_by("id"),
        keep="forever",
        select={
            **{name: left(name) for name in BID},
            **{name: right(name) for name in ITEM},
            "bid_dateTime": left("dateTime"),
            "bid_extra": left("extra"),
            "auction_dateTime": right("dateTime"),
            "auction_extra": right("extra"),
        },
    )


def q23(events: Streams) -> Stream[Any]:
    """Bids of people who sell something, with each thing that they sell."""
    sales = events.persons.key_by("id").join(
        events.auctions.key_by("seller"),
        keep="forever",
        select={
            **{name: left(name) for name in PERSON},
            **{name: right(name) for name in ITEM},
            "person_id": left("id"),
            "person_extra": left("extra"),
            "auction_dateTime": right("dateTime"),
            "auction_extra": right("extra"),
        },
    )
    return (
        sales.key_by("person_id")
        .join(events.bids.key_by("bidder"), keep="forever")
        .with_columns(bid_extra=col("extra"))
    )
