"""Every query by name, with the columns of its rows.

Rows that have the same key replace each other, the last one stays; a query whose rows have
no key gives each of them for good, or says itself which it takes back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.nexmark import auctions, bids, patterns
from benchmarks.nexmark.streams import BOUND, Streams
from kappa import Pipeline, Stream
from kappa.time import Duration


@dataclass(frozen=True)
class Query:
    """A query.

    Args:
        build: makes the stream of its rows.
        columns: of a row.
        key: columns that name a row, of which the newest counts; none for rows that stay.
        files: its rows are in files.
    """

    build: Callable[[Streams], Stream[Any]]
    columns: tuple[str, ...]
    key: tuple[str, ...] = ()
    files: bool = False

    @property
    def name(self) -> str:
        """Its name: q5."""
        return self.build.__name__

    @property
    def title(self) -> str:
        """What it asks, in a line."""
        return (self.build.__doc__ or "").splitlines()[0]

    def pipeline(self, *, bound: Duration = BOUND, folder: Path | None = None) -> Pipeline:
        """The query as a pipeline that writes a topic of its name, or files in a folder."""
        pipeline = Pipeline(f"nexmark-{self.name}")
        rows = self.build(Streams(pipeline, bound, folder))
        if not self.files:
            rows.to(self.name)
        return pipeline


def _query(build: Callable[[Streams], Stream[Any]], columns: str, key: str = "") -> Query:
    return Query(build, tuple(columns.split()), tuple(key.split()))


PLAIN = "auction bidder price dateTime extra"
BID = "auction bidder price channel url dateTime extra"
RANKS = "total_{0} rank1_{0} rank2_{0} rank3_{0}"
COUNTS = " ".join(RANKS.format(what) for what in ("bids", "bidders", "auctions"))

WINNER = "auction bidder price bid_dateTime bid_extra"
AUCTION = "id itemName description initialBid reserve dateTime expires seller category extra"
SALE = "itemName description initialBid reserve auction_dateTime expires seller category"
PERSON = "person_id name emailAddress creditCard city state person_extra"

_QUERIES = (
    _query(bids.q0, PLAIN),
    _query(bids.q1, PLAIN),
    _query(bids.q2, "auction price"),
    _query(auctions.q3, "name city state id"),
    _query(auctions.q4, "id final", key="id"),
    _query(bids.q5, "auction num"),
    _query(auctions.q6, "seller avg_price"),
    _query(bids.q7, PLAIN),
    _query(auctions.q8, "id name stime"),
    _query(auctions.q9, f"{AUCTION} {WINNER}"),
    Query(bids.q10, tuple(BID.split()), files=True),
    _query(bids.q11, "bidder bid_count starttime endtime"),
    _query(bids.q12, "bidder bid_count starttime endtime"),
    _query(bids.q13, "auction bidder price dateTime value"),
    _query(bids.q14, "auction bidder price bidTimeType dateTime extra c_counts"),
    _query(bids.q15, f"day {COUNTS}", key="day"),
    _query(bids.q16, f"channel day minute {COUNTS}", key="channel day"),
    _query(
        bids.q17,
        f"auction day {RANKS.format('bids')} min_price max_price avg_price sum_price",
        key="auction day",
    ),
    _query(bids.q18, BID),
    _query(bids.q19, f"{BID} rank_number"),
    _query(
        auctions.q20,
        f"auction bidder price channel url bid_dateTime bid_extra {SALE} auction_extra",
    ),
    _query(bids.q21, "auction bidder price channel channel_id"),
    _query(bids.q22, "auction bidder price channel dir1 dir2 dir3"),
    _query(auctions.q23, f"bidder price channel url bid_extra {PERSON} {SALE} auction_extra"),
    _query(patterns.cep_q0, "auction bidder start_tstamp bottom_tstamp end_tstamp"),
    _query(patterns.cep_q1, "auction bidder start_tstamp end_tstamp avg_price"),
    _query(patterns.cep_q2, "auction bidder start_tstamp end_tstamp avg_price"),
    _query(patterns.cep_q3, "auction bidder drop_time drop_diff"),
)
QUERIES: dict[str, Query] = {query.name: query for query in _QUERIES}
