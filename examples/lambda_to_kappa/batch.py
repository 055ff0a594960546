"""The batch layer: a nightly job over the files of raw events. Correct, and too early.

It runs at half past two and recomputes the day before from everything that has arrived. It
knows refunds and deliveries that came twice. What a till delivers after that night is in no
run: the job of the next night looks at the next day.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

from examples.lambda_to_kappa.deliveries import HOUR_MS, Delivery, day_of, midnight

NIGHT_MS = 2 * HOUR_MS + HOUR_MS // 2
Totals = dict[tuple[date, str], int]


def nightly(deliveries: Iterable[Delivery], day: date) -> Totals:
    """The takings of one day in cents, by shop, as the night after it finds them."""
    cut = midnight(day + timedelta(days=1)) + NIGHT_MS
    totals: Totals = {}
    seen: set[tuple[str, str]] = set()
    for delivery in deliveries:
        event = delivery.event
        name = (event["id"], event["kind"])
        if delivery.arrived > cut or day_of(event["at"]) != day or name in seen:
            continue
        seen.add(name)
        key = (day, event["shop"])
        sign = -1 if event["kind"] == "refund" else 1
        totals[key] = totals.get(key, 0) + sign * event["cents"]
    return totals
