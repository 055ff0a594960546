"""A week of sales and refunds, in the order in which the tills delivered them.

What makes it hard is ordinary: a till that was offline delivers hours later, a delivery
that was not acknowledged comes again, a sale is refunded days after, and in this week the
clocks go forward.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Europe/Zurich")
MONDAY = date(2024, 3, 25)
DAYS = [MONDAY + timedelta(days=n) for n in range(7)]
SHOPS = ("Basel", "Bern", "Zug")
SALES_PER_DAY = 400
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event, and the instant at which it arrived, ms."""

    arrived: int
    event: Event


def deliveries(seed: int = 25) -> list[Delivery]:
    """The week, by time of arrival."""
    random = Random(seed)
    found: list[Delivery] = []
    for day in DAYS:
        for number in range(SALES_PER_DAY):
            sale = _sale(random, day, number)
            found += _delivered(random, sale)
            if random.random() < 0.03:
                refund = sale | {
                    "kind": "refund",
                    "at": sale["at"] + random.randint(1, 20) * HOUR_MS,
                }
                found += _delivered(random, refund)
    end = midnight(DAYS[-1] + timedelta(days=1))
    return sorted(
        (one for one in found if one.event["at"] < end), key=lambda one: (one.arrived, repr(one))
    )


def _sale(random: Random, day: date, number: int) -> Event:
    # Shops are open from 8 in the morning until an hour after midnight.
    at = (
        midnight(day)
        + random.randint(8 * 60, 25 * 60 - 1) * MINUTE_MS
        + random.randrange(MINUTE_MS)
    )
    return {
        "id": f"{day:%m%d}-{number:03}",
        "kind": "sale",
        "shop": random.choice(SHOPS),
        "cents": random.randint(200, 5_000),
        "at": at,
    }


def _delivered(random: Random, event: Event) -> list[Delivery]:
    """Mostly within a minute; sometimes hours later; sometimes twice."""
    delay = random.randint(1, 60) * 1000
    if random.random() < 0.04:
        delay = random.randint(1, 9) * HOUR_MS
    first = Delivery(event["at"] + delay, event)
    if random.random() < 0.03:
        return [first, Delivery(first.arrived + random.randint(5, 300) * 1000, event)]
    return [first]


def midnight(day: date) -> int:
    """The first instant of a day in Zurich, ms."""
    return round(datetime(day.year, day.month, day.day, tzinfo=ZONE).timestamp() * 1000)


def day_of(at: int) -> date:
    """The day in Zurich of an instant."""
    return datetime.fromtimestamp(at / 1000, ZONE).date()
