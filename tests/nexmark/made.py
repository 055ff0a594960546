"""Events by hand, and by chance: few ids, prices and times on the edges of the queries.

`expected` is what the oracle says of a query; `same_rows` compares rows whatever their
order, exactly by value and type.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from nexmark.patterns import PATTERNS, pattern_rows
from nexmark.sql import SQL, Oracle

Row = dict[str, Any]
Event = tuple[str, Row]

BID = "auction bidder price channel url dateTime extra"
BANDS = "total_{0} rank1_{0} rank2_{0} rank3_{0}"
STATISTICS = " ".join(BANDS.format(what) for what in ("bids", "bidders", "auctions"))
OF_AUCTION = "itemName description initialBid reserve auction_dateTime expires seller category"
COLUMNS = {
    "q0": "auction bidder price dateTime extra",
    "q1": "auction bidder price dateTime extra",
    "q2": "auction price",
    "q3": "name city state id",
    "q4": "id final",
    "q5": "auction num",
    "q6": "seller avg_price",
    "q7": "auction bidder price dateTime extra",
    "q8": "id name stime",
    "q9": "id itemName description initialBid reserve dateTime expires seller category extra"
    " auction bidder price bid_dateTime bid_extra",
    "q11": "bidder bid_count starttime endtime",
    "q12": "bidder bid_count starttime endtime",
    "q13": "auction bidder price dateTime value",
    "q14": "auction bidder price bidTimeType dateTime extra c_counts",
    "q15": f"day {STATISTICS}",
    "q16": f"channel day minute {STATISTICS}",
    "q17": f"auction day {BANDS.format('bids')} min_price max_price avg_price sum_price",
    "q18": BID,
    "q19": f"{BID} rank_number",
    "q20": f"auction bidder price channel url bid_dateTime bid_extra {OF_AUCTION} auction_extra",
    "q21": "auction bidder price channel channel_id",
    "q22": "auction bidder price channel dir1 dir2 dir3",
    "q23": "bidder price channel url bid_extra person_id name emailAddress creditCard city state"
    f" person_extra {OF_AUCTION} auction_extra",
    "cep_q0": "auction bidder start_tstamp bottom_tstamp end_tstamp",
    "cep_q1": "auction bidder start_tstamp end_tstamp avg_price",
    "cep_q2": "auction bidder start_tstamp end_tstamp avg_price",
    "cep_q3": "auction bidder drop_time drop_diff",
}
"""The columns of every query, in order."""

BASE = 1_700_000_000_000 - 1_700_000_000_000 % 86_400_000  # a midnight in UTC


def person(id: int, time: int, **more: Any) -> Event:
    row = {
        "id": id, "name": f"person {id}", "emailAddress": f"{id}@x.com", "creditCard": "1234",
        "city": "Bend", "state": "OR", "dateTime": BASE + time, "extra": f"p{id}",
    }  # fmt: skip
    return "person", row | more


def auction(id: int, time: int, expires: int, **more: Any) -> Event:
    row = {
        "id": id, "itemName": f"item {id}", "description": "d", "initialBid": 1, "reserve": 5,
        "dateTime": BASE + time, "expires": BASE + expires, "seller": 1, "category": 10,
        "extra": f"a{id}",
    }  # fmt: skip
    return "auction", row | more


def bid(auction: int, bidder: int, price: int, time: int, **more: Any) -> Event:
    row = {
        "auction": auction, "bidder": bidder, "price": price, "channel": "Google",
        "url": "https://www.x.com/a/b/c/item", "dateTime": BASE + time, "extra": "",
    }  # fmt: skip
    return "bid", row | more


def expected(query: str, events: Sequence[Event], folder: Path) -> list[Row]:
    """The oracle's rows."""
    return pattern_rows(query, events) if query in PATTERNS else Oracle(events, folder).rows(query)


def all_expected(events: Sequence[Event], folder: Path) -> dict[str, list[Row]]:
    """The oracle's rows of every query."""
    oracle = Oracle(events, folder)
    rows = {name: oracle.rows(name) for name in SQL}
    return rows | {name: pattern_rows(name, events) for name in PATTERNS}


def same_rows(query: str, got: Iterable[Row], want: Iterable[Row]) -> None:
    """Fails unless both are the same rows, with the columns of the query in their order."""
    columns = COLUMNS[query].split()
    found, asked = Counter(map(_text, got := list(got))), Counter(map(_text, want := list(want)))
    for row in (*got[:1], *want[:1]):
        assert list(row) == columns
    assert found == asked, f"{query}: {_difference(found, asked)}"


def _text(row: Row) -> str:
    return repr(list(row.values()))  # tells 1 from 1.0


def _difference(found: Counter[str], asked: Counter[str]) -> str:
    more, less = list((found - asked).elements()), list((asked - found).elements())
    return f"{len(more)} too many, such as {more[:3]}; {len(less)} missing, such as {less[:3]}"


# -- by chance -------------------------------------------------------------------------------

PRICES = [1, 49, 50, 51, 99, 100, 101, 150, 9_999, 10_000, 10_001, 20_000]
PRICES += [999_999, 1_000_000, 1_101_321, 1_101_322, 55_066_079, 55_066_080, 99_999_999]
URLS = ["", "channel_id=", "channel_id=7&x", "x?a=1&channel_id=8&channel_id=9", "x?channel_id=5"]
URLS += ["//", "a/b/c", "https://w/d1/d2/d3/item?q=1&channel_id=", "https://w/d1//d3", "a/b/c/d/"]
CHANNELS = ["apple", "Google", "FACEBOOK", "baidU", "channel-1", "apples"]
HOUR = 3_600_000
SPOTS = [0, 6, 7, 8, 18, 19, 20, 23]

ids = st.integers(1, 3)
moments = st.one_of(
    st.integers(0, 24).map(lambda step: step * 1000),
    st.integers(0, 24_000),
    st.sampled_from([1_999, 2_000, 9_999, 10_000, 10_001, 11_999, 19_999, 20_000]),
)
LATEST = 2_999


@st.composite
def events(draw: Any, most: int = 40) -> list[Event]:
    """Events out of order by less than three seconds, some over the end of an hour or day."""
    start = draw(st.sampled_from(SPOTS)) * HOUR + draw(st.sampled_from([0, HOUR - 12_000]))
    kinds = draw(
        st.lists(st.sampled_from(["bid", "bid", "bid", "auction", "person"]), max_size=most)
    )
    arrivals = []
    for number, kind in enumerate(kinds):
        time = start + draw(moments)
        event = MAKERS[kind](draw, kinds[:number].count(kind), time)
        arrivals.append((time + draw(st.integers(0, LATEST)), number, event))
    return [event for _, _, event in sorted(arrivals, key=lambda arrival: arrival[:2])]


def _person(draw: Any, number: int, time: int) -> Event:
    return person(number, time, state=draw(st.sampled_from(["OR", "CA", "WA"])))


def _auction(draw: Any, number: int, time: int) -> Event:
    expires = time + draw(st.one_of(moments, st.just(0)))
    return auction(number, time, expires, seller=draw(ids), category=10 + number % 2)


def _bid(draw: Any, number: int, time: int) -> Event:
    return bid(
        draw(st.integers(0, 6)) * draw(st.sampled_from([1, 1, 123])),
        draw(ids),
        draw(st.sampled_from(PRICES)),
        time,
        channel=draw(st.sampled_from(CHANNELS)),
        url=draw(st.sampled_from(URLS)),
        extra=draw(st.sampled_from(["", "c", "cC-occur"])),
    )


MAKERS = {"person": _person, "auction": _auction, "bid": _bid}
