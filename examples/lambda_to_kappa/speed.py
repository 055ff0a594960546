"""The speed layer: counters that move with every delivery. Fast, and another codebase.

It counts a day as its database does, in UTC, adds up every delivery, and nobody has told it
of refunds, which came a year after it was written.
"""

from __future__ import annotations

from datetime import UTC, date, datetime

from examples.lambda_to_kappa.batch import Totals
from examples.lambda_to_kappa.deliveries import Delivery


class Speed:
    """Counters by day and shop."""

    def __init__(self) -> None:
        self.totals: Totals = {}

    def take(self, delivery: Delivery) -> None:
        """Counts one delivery."""
        event = delivery.event
        if event["kind"] == "sale":
            key = (_day(event["at"]), event["shop"])
            self.totals[key] = self.totals.get(key, 0) + event["cents"]


def _day(at: int) -> date:
    return datetime.fromtimestamp(at / 1000, UTC).date()
