"""What the pattern queries of Nexmark mean, as loops over one list: the oracle.

Each looks at the bids of one bidder on one auction by time, equal times in order of
arrival. A pattern's rows stand next to each other. A search begins at every row, unless
the match before took it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

Row = dict[str, Any]
Found = tuple[Row, int]


def falling_then_rising(rows: list[Row], start: int) -> Found | None:
    """A row, two or more strictly falling prices, a price above the last but one of them.

    The next search starts on that last row.
    """
    prices = [row["price"] for row in rows]
    last = start
    while last + 1 < len(rows) and prices[last + 1] < prices[last]:
        last += 1
    if last - start < 2 or last + 1 == len(rows) or prices[last + 1] <= prices[last - 1]:
        return None
    found = {
        "start_tstamp": rows[start]["dateTime"],
        "bottom_tstamp": rows[last]["dateTime"],
        "end_tstamp": rows[last + 1]["dateTime"],
    }
    return found, last + 1


def cheap_on_average(rows: list[Row], start: int) -> Found | None:
    """The longest run of running average below 10000 that one more row of any price follows."""
    end = start
    total = 0
    while end + 1 < len(rows) and total + rows[end]["price"] < 10_000 * (end - start + 1):
        total += rows[end]["price"]
        end += 1
    if end == start:
        return None
    found = {
        "start_tstamp": rows[start]["dateTime"],
        "end_tstamp": rows[end - 1]["dateTime"],
        "avg_price": total // (end - start),
    }
    return found, end + 1


def dropping(rows: list[Row], start: int) -> Found | None:
    """A price, any above it less 50, then one below it less 50, less than 5 s after the first."""
    first = rows[start]
    for place in range(start + 1, len(rows)):
        row = rows[place]
        drop = first["price"] - row["price"]
        if row["dateTime"] - first["dateTime"] >= 5_000 or drop == 50:
            return None
        if drop > 50:
            return {"drop_time": row["dateTime"], "drop_diff": drop}, place + 1
    return None


def no_overlap(rows: list[Row], find: Callable[[list[Row], int], Found | None]) -> Iterator[Row]:
    """The matches, each from where the one before says."""
    start = 0
    while start < len(rows):
        found = find(rows, start)
        if found is None:
            start += 1
        else:
            row, start = found
            yield row


def from_every_row(
    rows: list[Row], find: Callable[[list[Row], int], Found | None]
) -> Iterator[Row]:
    """The matches from each row on."""
    for start in range(len(rows)):
        found = find(rows, start)
        if found is not None:
            yield found[0]


PATTERNS = {
    "cep_q0": (falling_then_rising, no_overlap),
    "cep_q1": (cheap_on_average, no_overlap),
    "cep_q2": (cheap_on_average, from_every_row),
    "cep_q3": (dropping, no_overlap),
}


def pattern_rows(query: str, events: Iterable[tuple[str, Row]]) -> list[Row]:
    """The rows of a pattern query over events in order of arrival."""
    groups: dict[tuple[int, int], list[Row]] = {}
    for kind, row in events:
        if kind == "bid":
            groups.setdefault((row["auction"], row["bidder"]), []).append(row)
    find, search = PATTERNS[query]
    return [
        {"auction": auction, "bidder": bidder, **found}
        for (auction, bidder), rows in groups.items()
        for found in search(sorted(rows, key=lambda row: row["dateTime"]), find)
    ]
