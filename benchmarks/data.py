"""Rows to measure with: bids as of Nexmark, one a millisecond, out of order by up to a second.

The bound of the sources equals the disorder, so no record is late and a loop that knows
nothing of lateness gives the same result.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

Row = dict[str, Any]
T = TypeVar("T")

START = 1_700_000_000_000
DISORDER_MS = 1_000
BOUND = "1s"


def bids(records: int, *, keys: int, text: bool = False, seed: int = 7) -> list[Row]:
    """Bids with five fields.

    Args:
        records: how many.
        keys: number of different auctions, all equally likely.
        text: auctions are named, not numbered.
        seed: of the random source.

    >>> rows = bids(3, keys=2)
    >>> sorted(rows[0])
    ['auction', 'bidder', 'channel', 'price', 'ts']
    """
    rnd = random.Random(seed)
    number, pick = rnd.random, int
    auctions: list[Any] = [f"auction-{n}" for n in range(keys)] if text else list(range(keys))
    channels = [f"channel-{n}" for n in range(8)]
    return [
        {
            "auction": auctions[pick(number() * keys)],
            "bidder": pick(number() * 10_000),
            "price": pick(number() * 1_000),
            "channel": channels[pick(number() * 8)],
            "ts": START + i - pick(number() * DISORDER_MS),
        }
        for i in range(records)
    ]


def chunks(rows: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """`rows` in pieces of `size`.

    >>> list(chunks([1, 2, 3], 2))
    [[1, 2], [3]]
    """
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
