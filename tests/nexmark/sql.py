"""What each query of Nexmark means, in SQL over tables of all events: the oracle.

Written from the table in docs/nexmark.md, and from nothing of the engine. The tables are
`person`, `auction` and `bid`, with `n`, the number of the event in order of arrival.
Where a query picks among rows that it calls equal, the one that arrived first is picked
(query 18: last).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb

Row = dict[str, Any]

COLUMNS = {
    "person": "id name emailAddress creditCard city state dateTime extra",
    "auction": "id itemName description initialBid reserve dateTime expires seller category extra",
    "bid": "auction bidder price channel url dateTime extra",
}
NUMBERS = {"id", "dateTime", "initialBid", "reserve", "expires", "seller", "category"}
NUMBERS |= {"auction", "bidder", "price"}

VALID = """
    SELECT a.id, a.seller, a.category, a.expires, b.price, b.dateTime, b.n
    FROM auction a JOIN bid b ON b.auction = a.id AND b.dateTime BETWEEN a.dateTime AND a.expires
"""
WINNING = f"SELECT id, seller, category, expires, max(price) AS price FROM ({VALID}) GROUP BY ALL"


def counted(what: str, named: str) -> str:
    bands = {
        "total": "true",
        "rank1": "price < 10000",
        "rank2": "price BETWEEN 10000 AND 999999",
        "rank3": "price >= 1000000",
    }
    return ", ".join(
        f"count({what}) FILTER (WHERE {where}) AS {band}_{named}" for band, where in bands.items()
    )


DAY = "strftime(make_timestamp(dateTime * 1000), '%Y-%m-%d')"
MINUTE = "strftime(make_timestamp(dateTime * 1000), '%H:%M')"
STATISTICS = ", ".join(
    (
        counted("*", "bids"),
        counted("DISTINCT bidder", "bidders"),
        counted("DISTINCT auction", "auctions"),
    )
)

SQL = {
    "q0": "SELECT auction, bidder, price, dateTime, extra FROM bid",
    "q1": """
        SELECT auction, bidder, CAST(price * 0.908 AS DOUBLE) AS price, dateTime, extra FROM bid
    """,
    "q2": "SELECT auction, price FROM bid WHERE auction % 123 = 0",
    "q3": """
        SELECT p.name, p.city, p.state, a.id FROM auction a JOIN person p ON p.id = a.seller
        WHERE a.category = 10 AND p.state IN ('OR', 'ID', 'CA')
    """,
    "q4": f"""
        SELECT category AS id, sum(price) // count(*) AS final FROM ({WINNING}) GROUP BY category
    """,
    "q5": """
        WITH counts AS (
            SELECT w.start, auction, count(*) AS num
            FROM bid, unnest([dateTime // 2000 * 2000 - 2000 * k FOR k IN [0, 1, 2, 3, 4]]) w(start)
            GROUP BY ALL
        )
        SELECT auction, num FROM counts c
        WHERE num = (SELECT max(num) FROM counts m WHERE m.start = c.start)
    """,
    "q6": f"""
        SELECT seller, sum(price) OVER last_ten // count(*) OVER last_ten AS avg_price
        FROM ({WINNING})
        WINDOW last_ten AS (
            PARTITION BY seller ORDER BY expires, id ROWS BETWEEN 9 PRECEDING AND CURRENT ROW
        )
    """,
    "q7": """
        SELECT auction, bidder, price, dateTime, extra FROM bid b
        WHERE price = (SELECT max(price) FROM bid m WHERE m.dateTime // 10000 = b.dateTime // 10000)
    """,
    "q8": """
        SELECT DISTINCT p.id, p.name, p.dateTime // 10000 * 10000 AS stime
        FROM person p JOIN auction a
        ON a.seller = p.id AND a.dateTime // 10000 = p.dateTime // 10000
    """,
    "q9": f"""
        SELECT a.id, itemName, description, initialBid, reserve, a.dateTime, a.expires, a.seller,
            a.category, a.extra, b.auction, b.bidder, b.price, b.dateTime AS bid_dateTime,
            b.extra AS bid_extra
        FROM (
            SELECT id, n, row_number() OVER (
                PARTITION BY id ORDER BY price DESC, dateTime, n
            ) AS place FROM ({VALID})
        ) best
        JOIN auction a ON a.id = best.id JOIN bid b ON b.n = best.n
        WHERE place = 1
    """,
    "q11": """
        WITH steps AS (
            SELECT bidder, dateTime, dateTime - lag(dateTime) OVER w >= 10000 AS opens
            FROM bid WINDOW w AS (PARTITION BY bidder ORDER BY dateTime)
        ), numbered AS (
            SELECT bidder, dateTime, count(*) FILTER (WHERE opens) OVER (
                PARTITION BY bidder ORDER BY dateTime
                RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
            ) AS session FROM steps
        )
        SELECT bidder, count(*) AS bid_count, min(dateTime) AS starttime,
            max(dateTime) + 10000 AS endtime
        FROM numbered GROUP BY bidder, session
    """,
    "q12": """
        WITH arrivals AS (
            SELECT max(dateTime) OVER (ORDER BY n) // 1000 * 1000 AS clock, bidder
            FROM (
                SELECT n, dateTime, NULL AS bidder FROM person
                UNION ALL SELECT n, dateTime, NULL FROM auction
                UNION ALL SELECT n, dateTime, bidder FROM bid
            )
        )
        SELECT bidder, count(*) AS bid_count, clock // 10000 * 10000 AS starttime,
            clock // 10000 * 10000 + 10000 AS endtime
        FROM arrivals WHERE bidder IS NOT NULL GROUP BY ALL
    """,
    "q13": """
        SELECT auction, bidder, price, dateTime, CAST(auction % 10000 AS VARCHAR) AS value FROM bid
    """,
    "q14": """
        SELECT auction, bidder, CAST(0.908 * price AS DOUBLE) AS price,
            CASE
                WHEN hour BETWEEN 8 AND 18 THEN 'dayTime'
                WHEN hour BETWEEN 0 AND 6 OR hour BETWEEN 20 AND 23 THEN 'nightTime'
                ELSE 'otherTime'
            END AS bidTimeType,
            dateTime, extra, len(extra) - len(replace(extra, 'c', '')) AS c_counts
        FROM (SELECT *, hour(make_timestamp(dateTime * 1000)) AS hour FROM bid)
        WHERE 0.908 * price > 1000000 AND 0.908 * price < 50000000
    """,
    "q15": f"SELECT {DAY} AS day, {STATISTICS} FROM bid GROUP BY 1",
    "q16": f"""
        SELECT channel, {DAY} AS day, max({MINUTE}) AS minute, {STATISTICS} FROM bid GROUP BY 1, 2
    """,
    "q17": f"""
        SELECT auction, {DAY} AS day, {counted("*", "bids")}, min(price) AS min_price,
            max(price) AS max_price, sum(price) // count(*) AS avg_price, sum(price) AS sum_price
        FROM bid GROUP BY 1, 2
    """,
    "q18": """
        SELECT auction, bidder, price, channel, url, dateTime, extra FROM bid
        QUALIFY row_number() OVER (PARTITION BY auction, bidder ORDER BY dateTime DESC, n DESC) = 1
    """,
    "q19": """
        SELECT auction, bidder, price, channel, url, dateTime, extra,
            row_number() OVER (PARTITION BY auction ORDER BY price DESC, dateTime, n) AS rank_number
        FROM bid QUALIFY rank_number <= 10
    """,
    "q20": """
        SELECT b.auction, b.bidder, b.price, b.channel, b.url, b.dateTime AS bid_dateTime,
            b.extra AS bid_extra, itemName, description, initialBid, reserve,
            a.dateTime AS auction_dateTime, expires, seller, category, a.extra AS auction_extra
        FROM bid b JOIN auction a ON a.id = b.auction WHERE category = 10
    """,
    "q21": r"""
        SELECT auction, bidder, price, channel,
            CASE lower(channel) WHEN 'apple' THEN '0' WHEN 'google' THEN '1'
                WHEN 'facebook' THEN '2' WHEN 'baidu' THEN '3'
                ELSE regexp_extract(url, '(&|^)channel_id=([^&]*)', 2) END AS channel_id
        FROM bid
        WHERE lower(channel) IN ('apple', 'google', 'facebook', 'baidu')
            OR regexp_matches(url, '(&|^)channel_id=')
    """,
    "q22": """
        SELECT auction, bidder, price, channel, pieces[4] AS dir1, pieces[5] AS dir2,
            pieces[6] AS dir3
        FROM (SELECT *, string_split(url, '/') AS pieces FROM bid)
    """,
    "q23": """
        SELECT bidder, price, channel, url, b.extra AS bid_extra, p.id AS person_id, name,
            emailAddress, creditCard, city, state, p.extra AS person_extra, itemName, description,
            initialBid, reserve, a.dateTime AS auction_dateTime, expires, seller, category,
            a.extra AS auction_extra
        FROM bid b JOIN person p ON p.id = b.bidder JOIN auction a ON a.seller = b.bidder
    """,
}


class Oracle:
    """The tables of some events.

    Args:
        events: as (kind, row), in order of arrival.
        folder: for a file on the way.
    """

    def __init__(self, events: Iterable[tuple[str, Row]], folder: Path) -> None:
        self.database = duckdb.connect()
        numbered = list(enumerate(events))
        for kind, columns in COLUMNS.items():
            names = columns.split()
            types = {name: "BIGINT" if name in NUMBERS else "VARCHAR" for name in names}
            path = folder / f"{kind}.jsonl"
            lines = [json.dumps({"n": n, **row}) for n, (what, row) in numbered if what == kind]
            path.write_text("\n".join(lines), encoding="utf-8")
            self.database.execute(
                f"CREATE TABLE {kind} AS SELECT * FROM read_json("
                f"'{path}', format='newline_delimited', columns={ {'n': 'BIGINT', **types} })"
            )

    def rows(self, query: str) -> list[Row]:
        """The rows of a query, in no order."""
        self.database.execute(SQL[query])
        names = [column[0] for column in self.database.description]
        return [dict(zip(names, row, strict=True)) for row in self.database.fetchall()]
