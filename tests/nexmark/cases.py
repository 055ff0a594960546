"""Nexmark's traps, case by case: events, and the rows of a query worked out by hand.

Equal times, ties, instants on a boundary, bids before their auction, what is there on one
side only, and how numbers are cut.
"""

from __future__ import annotations

from typing import Any

from nexmark.made import BASE, HOUR, Event, auction, bid, person

Case = tuple[list[Event], list[tuple[Any, ...]]]
S = 1_000


def priced(*prices: int) -> list[Event]:
    """Bids of one bidder on one auction, a millisecond apart."""
    return [bid(1, 1, price, n) for n, price in enumerate(prices)]


CASES: dict[str, dict[str, Case]] = {
    "q0": {
        "as it is": ([bid(1, 2, 3, 0, extra="x")], [(1, 2, 3, BASE, "x")]),
        "equal rows stay": ([bid(1, 2, 3, 0)] * 2, [(1, 2, 3, BASE, "")] * 2),
    },
    "q1": {
        # 0.908 * 1101 is 999.7080000000001 in binary arithmetic.
        "three exact decimals": ([bid(1, 2, 1101, 0)], [(1, 2, 999.708, BASE, "")]),
        "a whole price is a float": ([bid(1, 2, 1000, 0)], [(1, 2, 908.0, BASE, "")]),
    },
    "q2": {
        "multiples": (
            [bid(n, 2, 3, 0) for n in (0, 1, 122, 123, 246)],
            [(0, 3), (123, 3), (246, 3)],
        ),
    },
    "q3": {
        "the seller may come later": (
            [auction(5, 0, S, seller=1), person(1, 2 * S, state="ID")],
            [("person 1", "Bend", "ID", 5)],
        ),
        "a row for each auction": (
            [person(1, 0, state="CA"), auction(5, 0, S), auction(6, 0, S)],
            [("person 1", "Bend", "CA", 5), ("person 1", "Bend", "CA", 6)],
        ),
        "other states and categories": (
            [
                person(1, 0, state="WA"),
                person(2, 0),
                auction(5, 0, S),
                auction(6, 0, S, category=11, seller=2),
            ],
            [],
        ),
        "no seller": ([auction(5, 0, S, seller=9)], []),
    },
    "q4": {
        "the highest valid bid, both ends valid": (
            [
                auction(5, 10 * S, 20 * S),
                bid(5, 1, 900, 10 * S - 1),
                bid(5, 1, 100, 10 * S),
                bid(5, 1, 300, 20 * S),
                bid(5, 1, 800, 20 * S + 1),
            ],
            [(10, 300)],
        ),
        "averages are truncated, auctions without a bid do not count": (
            [
                auction(5, 0, S),
                auction(6, 0, S),
                auction(7, 0, S),
                auction(8, 0, S, category=11),
                bid(5, 1, 10, 1),
                bid(6, 1, 21, 1),
                bid(9, 1, 5, 1),
            ],
            [(10, 15)],
        ),
        "bids before their auction in the file": (
            [bid(5, 1, 7, 2 * S), auction(5, S, 3 * S)],
            [(10, 7)],
        ),
        "an auction that ends as it begins": (
            [auction(5, S, S), bid(5, 1, 7, S), bid(5, 1, 9, S + 1)],
            [(10, 7)],
        ),
        "reserve and first price do not matter": (
            [auction(5, 0, S, initialBid=500, reserve=900), bid(5, 1, 7, 1)],
            [(10, 7)],
        ),
    },
    "q5": {
        "every window of a bid": ([bid(1, 2, 3, 0)], [(1, 1)] * 5),
        "ties, and equal rows repeat": (
            [bid(1, 2, 3, 0), bid(2, 2, 3, 0)],
            [(1, 1), (2, 1)] * 5,
        ),
        # The bid at 2 s is in [-6, 4) to [2, 12), that at 1.999 s in [-8, 2) to [0, 10).
        "on the edge of a window": (
            [bid(1, 2, 3, 1_999), bid(1, 2, 3, 2_000)],
            [(1, 1), (1, 2), (1, 2), (1, 2), (1, 2), (1, 1)],
        ),
        "only the most": ([bid(1, 2, 3, 0), bid(1, 2, 3, 1), bid(2, 2, 3, 1)], [(1, 2)] * 5),
    },
    "q6": {
        "by expiry, not by opening": (
            [
                auction(5, 0, 9 * S),
                auction(6, S, 3 * S),
                bid(5, 1, 10, S),
                bid(6, 1, 21, 2 * S),
            ],
            [(1, 21), (1, 15)],
        ),
        "the last ten": (
            [
                event
                for n in range(12)
                for event in (auction(n, 0, (n + 1) * S), bid(n, 1, 100 if n < 2 else 0, n * S))
            ],
            [
                (1, 100),
                (1, 100),
                (1, 66),
                (1, 50),
                (1, 40),
                (1, 33),
                (1, 28),
                (1, 25),
                (1, 22),
                (1, 20),
                (1, 10),
                (1, 0),
            ],
        ),
        "sellers apart, auctions without a bid left out": (
            [
                auction(5, 0, S),
                auction(6, 0, S),
                auction(7, 0, S, seller=2),
                bid(5, 1, 4, 0),
                bid(7, 1, 8, 0),
            ],
            [(1, 4), (2, 8)],
        ),
    },
    "q7": {
        "ties all": (
            [bid(1, 1, 9, 0), bid(2, 2, 9, 9_999), bid(3, 3, 8, 1)],
            [(1, 1, 9, BASE, ""), (2, 2, 9, BASE + 9_999, "")],
        ),
        "the end of a window is in the next": (
            [bid(1, 1, 9, 0), bid(2, 2, 9, 10_000), bid(3, 3, 9, 10_001, extra="x")],
            [(1, 1, 9, BASE, ""), (2, 2, 9, BASE + 10_000, ""), (3, 3, 9, BASE + 10_001, "x")],
        ),
    },
    "q8": {
        "the same window": (
            [person(1, 0), auction(5, 9_999, S), person(2, 0), auction(6, 10_000, S, seller=2)],
            [(1, "person 1", BASE)],
        ),
        "one row, however many auctions": (
            [auction(5, 10_000, S), person(1, 11_000), auction(6, 12_000, S)],
            [(1, "person 1", BASE + 10_000)],
        ),
    },
    "q9": {
        "the earlier of equal prices": (
            [auction(5, 0, 9 * S), bid(5, 1, 7, 2 * S), bid(5, 2, 7, S), bid(5, 3, 6, 0)],
            [
                (5, "item 5", "d", 1, 5, BASE, BASE + 9 * S, 1, 10, "a5", 5, 2, 7, BASE + S, ""),
            ],
        ),
        "both ends valid, beyond not": (
            [
                auction(5, S, 2 * S),
                bid(5, 1, 7, 2 * S),
                bid(5, 2, 9, 2 * S + 1),
                bid(5, 3, 9, S - 1),
            ],
            [
                (
                    5,
                    "item 5",
                    "d",
                    1,
                    5,
                    BASE + S,
                    BASE + 2 * S,
                    1,
                    10,
                    "a5",
                    5,
                    1,
                    7,
                    BASE + 2 * S,
                    "",
                ),
            ],
        ),
        "no bid, no row": ([auction(5, 0, S), bid(6, 1, 7, 0)], []),
    },
    "q11": {
        "a pause of ten seconds ends it": (
            [bid(1, 1, 1, 0), bid(2, 1, 1, 9_999), bid(1, 1, 1, 19_999)],
            [(1, 2, BASE, BASE + 19_999), (1, 1, BASE + 19_999, BASE + 29_999)],
        ),
        "a late bid may bridge two": (
            [bid(1, 1, 1, 0), bid(1, 1, 1, 12_000), bid(1, 1, 1, 9_100), bid(1, 2, 1, 0)],
            [(1, 3, BASE, BASE + 22_000), (2, 1, BASE, BASE + 10_000)],
        ),
    },
    "q12": {
        "by arrival": (
            [bid(1, 1, 1, 9_000), auction(5, 10_500, S), bid(1, 1, 1, 9_500), bid(1, 1, 1, 10_600)],
            [(1, 1, BASE, BASE + 10_000), (1, 2, BASE + 10_000, BASE + 20_000)],
        ),
    },
    "q13": {
        "by the last four digits": (
            [bid(7, 1, 2, 0), bid(10_000, 1, 2, 0), bid(123_456, 1, 2, 0)],
            [(7, 1, 2, BASE, "7"), (10_000, 1, 2, BASE, "0"), (123_456, 1, 2, BASE, "3456")],
        ),
    },
    "q14": {
        # 0.908 * 1,101,321 = 999,999.468 and * 1,101,322 = 1,000,000.376; and so at the top.
        "prices": (
            [bid(1, 1, p, 0) for p in (1_101_321, 1_101_322, 55_066_079, 55_066_080)],
            [
                (1, 1, 1_000_000.376, "nightTime", BASE, "", 0),
                (1, 1, 49_999_999.732, "nightTime", BASE, "", 0),
            ],
        ),
        "times of day": (
            [bid(h, 1, 2_000_000, h * HOUR) for h in range(24)]
            + [bid(24, 1, 2_000_000, 8 * HOUR - 1), bid(25, 1, 2_000_000, 19 * HOUR - 1)],
            [
                (h, 1, 1_816_000.0, kind, BASE + h * HOUR, "", 0)
                for kind, hours in {
                    "nightTime": (0, 1, 2, 3, 4, 5, 6, 20, 21, 22, 23),
                    "dayTime": range(8, 19),
                    "otherTime": (7, 19),
                }.items()
                for h in hours
            ]
            + [(24, 1, 1_816_000.0, "otherTime", BASE + 8 * HOUR - 1, "", 0)]
            + [(25, 1, 1_816_000.0, "dayTime", BASE + 19 * HOUR - 1, "", 0)],
        ),
        "letters": (
            [bid(1, 1, 2_000_000, 0, extra="cCacc")],
            [(1, 1, 1_816_000.0, "nightTime", BASE, "cCacc", 3)],
        ),
    },
    "q15": {
        "bands and days": (
            [
                bid(1, 1, 9999, 0),
                bid(1, 2, 10000, 1),
                bid(2, 1, 999999, 2),
                bid(2, 1, 1000000, 3),
                bid(3, 3, 1, 24 * HOUR),
                bid(3, 1, 1, 24 * HOUR - 1),
            ],
            [
                ("2023-11-14", 5, 2, 2, 1, 2, 1, 2, 1, 3, 2, 2, 1),
                ("2023-11-15", 1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0),
            ],
        ),
    },
    "q16": {
        "the greatest minute": (
            [bid(1, 1, 1, 61_000), bid(1, 1, 1, 59_999, channel="x"), bid(1, 1, 1, 60_000)],
            [
                ("Google", "2023-11-14", "00:01", 2, 2, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0),
                ("x", "2023-11-14", "00:00", 1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0),
            ],
        ),
    },
    "q17": {
        "per auction and day": (
            [bid(1, 1, 10, 0), bid(1, 2, 21, 1), bid(1, 2, 5, 24 * HOUR), bid(2, 2, 2_000_000, 0)],
            [
                (1, "2023-11-14", 2, 2, 0, 0, 10, 21, 15, 31),
                (1, "2023-11-15", 1, 1, 0, 0, 5, 5, 5, 5),
                (2, "2023-11-14", 1, 0, 0, 1, 2_000_000, 2_000_000, 2_000_000, 2_000_000),
            ],
        ),
    },
    "q18": {
        "by time, of equal times the last to arrive": (
            [bid(1, 1, 1, 5), bid(1, 1, 2, 5), bid(1, 1, 3, 4), bid(1, 2, 4, 0), bid(2, 1, 5, 9)],
            [
                (1, 1, 2, "Google", "https://www.x.com/a/b/c/item", BASE + 5, ""),
                (1, 2, 4, "Google", "https://www.x.com/a/b/c/item", BASE, ""),
                (2, 1, 5, "Google", "https://www.x.com/a/b/c/item", BASE + 9, ""),
            ],
        ),
    },
    "q19": {
        "ten of twelve, equal prices by time, then by arrival": (
            [bid(1, n, n // 4, 100 - n // 2, url="") for n in range(12)],
            [
                (1, n, n // 4, "Google", "", BASE + 100 - n // 2, "", place)
                for place, n in enumerate((10, 11, 8, 9, 6, 7, 4, 5, 2, 3), 1)
            ],
        ),
        "auctions apart": (
            [bid(1, 1, 5, 0, url=""), bid(2, 1, 6, 0, url="")],
            [(1, 1, 5, "Google", "", BASE, "", 1), (2, 1, 6, "Google", "", BASE, "", 1)],
        ),
    },
    "q20": {
        "whenever the bid came": (
            [
                bid(5, 1, 2, 9 * S, url=""),
                auction(5, 0, S),
                auction(6, 0, S, category=11),
                bid(6, 1, 2, 0),
            ],
            [
                (
                    5,
                    1,
                    2,
                    "Google",
                    "",
                    BASE + 9 * S,
                    "",
                    "item 5",
                    "d",
                    1,
                    5,
                    BASE,
                    BASE + S,
                    1,
                    10,
                    "a5",
                ),
            ],
        ),
    },
    "q21": {
        "channels": (
            [
                bid(1, 1, 1, 0, channel=c, url="")
                for c in ("apple", "GOOGLE", "Facebook", "baidU", "apples")
            ],
            [
                (1, 1, 1, "apple", "0"),
                (1, 1, 1, "GOOGLE", "1"),
                (1, 1, 1, "Facebook", "2"),
                (1, 1, 1, "baidU", "3"),
            ],
        ),
        "pages": (
            [
                bid(1, 1, 1, 0, channel="x", url=url)
                for url in (
                    "channel_id=7",
                    "a?b&channel_id=8&channel_id=9",
                    "a?channel_id=5",
                    "&channel_id=",
                )
            ],
            [(1, 1, 1, "x", "7"), (1, 1, 1, "x", "8"), (1, 1, 1, "x", "")],
        ),
        "a known channel comes first": (
            [bid(1, 1, 1, 0, channel="Baidu", url="&channel_id=9")],
            [(1, 1, 1, "Baidu", "3")],
        ),
    },
    "q22": {
        "pieces": (
            [
                bid(1, 1, 1, 0, url=url)
                for url in ("https://www.x.com/a/b/c/d", "s//h/a//", "a/b/c", "")
            ],
            [
                (1, 1, 1, "Google", "a", "b", "c"),
                (1, 1, 1, "Google", "a", "", ""),
                (1, 1, 1, "Google", None, None, None),
                (1, 1, 1, "Google", None, None, None),
            ],
        ),
        "the end": ([bid(1, 1, 1, 0, url="0/1/2/3")], [(1, 1, 1, "Google", "3", None, None)]),
    },
    "q23": {
        "each auction of the bidder": (
            [
                bid(9, 1, 7, 0, url=""),
                auction(5, 0, S),
                person(1, 0),
                auction(6, 0, S),
                bid(5, 2, 7, 0),
                person(3, 0),
                bid(5, 4, 7, 0),
                auction(7, 0, S, seller=4),
            ],
            [
                (
                    1,
                    7,
                    "Google",
                    "",
                    "",
                    1,
                    "person 1",
                    "1@x.com",
                    "1234",
                    "Bend",
                    "OR",
                    "p1",
                    f"item {n}",
                    "d",
                    1,
                    5,
                    BASE,
                    BASE + S,
                    1,
                    10,
                    f"a{n}",
                )
                for n in (5, 6)
            ],
        ),
    },
    "cep_q0": {
        "two falls and a rise above the last but one": (
            priced(9, 7, 5, 8),
            [(1, 1, BASE, BASE + 2, BASE + 3)],
        ),
        "one fall is not enough": (priced(9, 7, 8, 9), []),
        "no more than the last but one": (priced(9, 7, 5, 7), []),
        "equal prices do not fall": (priced(9, 7, 7, 5, 8), []),
        "the longest fall, and the next search on its last row": (
            priced(9, 7, 5, 3, 6, 4, 2, 5, 9),
            [(1, 1, BASE, BASE + 3, BASE + 4), (1, 1, BASE + 4, BASE + 6, BASE + 7)],
        ),
        "by time and apart": (
            [bid(1, 1, 8, 3), bid(1, 1, 9, 0), bid(1, 2, 99, 1), bid(1, 1, 5, 2), bid(1, 1, 7, 1)],
            [(1, 1, BASE, BASE + 2, BASE + 3)],
        ),
        "a later start where the first fails": (
            priced(9, 9, 7, 5, 8),
            [(1, 1, BASE + 1, BASE + 3, BASE + 4)],
        ),
    },
    "cep_q1": {
        "a run and one more": (
            priced(5_000, 9_999, 99_999),
            [(1, 1, BASE, BASE + 1, 7_499)],
        ),
        "the average, not the price": (
            priced(1, 19_998, 10_001),
            [(1, 1, BASE, BASE + 1, 9_999)],
        ),
        "ten thousand is too much": (
            priced(10_000, 0, 20_000),
            [(1, 1, BASE + 1, BASE + 1, 0)],
        ),
        "no overlap": (
            priced(1, 30_000, 2, 50_000),
            [(1, 1, BASE, BASE, 1), (1, 1, BASE + 2, BASE + 2, 2)],
        ),
        "at the end the last row is the one more": (
            priced(1, 2, 4),
            [(1, 1, BASE, BASE + 1, 1)],
        ),
        "a run of one row has none behind it": ([bid(1, 1, 1, 0)], []),
    },
    "cep_q2": {
        "from every row": (
            priced(1, 3, 90_000, 5, 70_000),
            [
                (1, 1, BASE, BASE + 1, 2),
                (1, 1, BASE + 1, BASE + 1, 3),
                (1, 1, BASE + 3, BASE + 3, 5),
            ],
        ),
    },
    "cep_q3": {
        "a drop": (
            priced(100, 51, 200, 49),
            [(1, 1, BASE + 3, 51)],
        ),
        "exactly fifty is neither": (priced(100, 50, 50), []),
        "less than five seconds": (
            [bid(1, 1, 100, 0), bid(2, 1, 100, 0), bid(1, 1, 1, 5_000), bid(2, 1, 1, 4_999)],
            [(2, 1, BASE + 4_999, 99)],
        ),
        "no overlap": (
            priced(200, 100, 40, 99),
            [(1, 1, BASE + 1, 100)],
        ),
        "from the next row where one fails": (
            priced(100, 50, 150, 90),
            [(1, 1, BASE + 3, 60)],
        ),
    },
}
