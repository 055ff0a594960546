"""A process function: who ordered and did not pay within fifteen minutes?

State and timers are by key. A timer fires when event time has passed it, so the answer
is the same live and in a replay.

Prints:

    order 2 is not paid after 15 minutes (ordered at minute 5)
    order 4 is not paid after 15 minutes (ordered at minute 30)
"""

from typing import Any

from kappa import Pipeline
from kappa.state import ValueState
from kappa.testing import run

MINUTE = 60_000
EVENTS = [
    {"order": 1, "event": "ordered", "ts": 0},
    {"order": 2, "event": "ordered", "ts": 5 * MINUTE},
    {"order": 1, "event": "paid", "ts": 14 * MINUTE},
    {"order": 3, "event": "ordered", "ts": 16 * MINUTE},
    {"order": 3, "event": "paid", "ts": 21 * MINUTE},
    {"order": 4, "event": "ordered", "ts": 30 * MINUTE},
]


class Unpaid:
    """Sets a timer at the order, deletes it at the payment."""

    ordered_at = ValueState()

    def on_record(self, row: dict[str, Any], ctx: Any) -> None:
        """Starts or ends the waiting."""
        if row["event"] == "ordered":
            self.ordered_at.set(row["ts"])
            ctx.set_timer(row["ts"] + 15 * MINUTE)
        else:
            ctx.delete_timer(self.ordered_at.get() + 15 * MINUTE)

    def on_timer(self, time: int, tag: Any, ctx: Any) -> None:
        """Nobody paid."""
        ctx.emit({"order": ctx.key, "ordered_at": self.ordered_at.get()})


pipeline = Pipeline("unpaid")
pipeline.source("orders").key_by("order").process(Unpaid).to("unpaid")


def main() -> None:
    """Runs the pipeline over the events and prints the reminders."""
    for row in run(pipeline, {"orders": EVENTS})["unpaid"]:
        minute = row["ordered_at"] // MINUTE
        print(f"order {row['order']} is not paid after 15 minutes (ordered at minute {minute})")


if __name__ == "__main__":
    main()
