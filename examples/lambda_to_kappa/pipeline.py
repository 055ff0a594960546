"""The one pipeline that replaces both layers: live it is the speed layer, replayed the batch.

A day is shown every half-hour while it lasts, once more at its end, and again whenever
something arrives for it within the next twelve hours. What comes later still is counted,
and shown on the side.
"""

from __future__ import annotations

from examples.lambda_to_kappa.batch import Totals
from examples.lambda_to_kappa.deliveries import day_of
from kappa import AtWatermark, Calendar, Every, Log, Pipeline, agg, col, when

TOPIC = "takings_per_day"

pipeline = Pipeline("takings")
takings = (
    pipeline.source("events", out_of_orderness="15m")
    .key_by("id", "kind")
    .deduplicate(within="2d")
    .with_columns(signed=when(col("kind") == "refund").then(-col("cents")).otherwise(col("cents")))
    .key_by("shop")
    .window(
        Calendar("day", "Europe/Zurich"),
        lateness="12h",
        trigger=AtWatermark(early=Every("30m")),
    )
    .aggregate(cents=agg.sum("signed"))
    .named("per day and shop")
)
takings.to(TOPIC)
takings.side("late").to("too_late")


def latest(log: Log, topic: str = TOPIC) -> Totals:
    """What is known of each day and shop: the last row of each."""
    rows = (record.value for record in log.read(topic))
    return {(day_of(row["window_start"]), row["shop"]): row["cents"] for row in rows}
