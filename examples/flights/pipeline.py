"""The pipeline of the demo, with its bug and mended.

Three questions about the flights that leave New York:

- `delays_per_hour`: mean and 95th percentile of the departure delay, and the share
  cancelled, per airport and hour;
- `delays_per_day`: the same per calendar day of New York, 23 and 25 hours long when the
  clocks change;
- `rotations`: what one aircraft did in one go: its departures and arrivals with no gap
  of seven hours between them.

Event time is the schedule, so a flight that leaves late comes out of order by as much.
The watermark waits four hours; what is later still goes to `too_late`, not away.

The bug of version 1 is one line. A cancelled flight has no delay, `null`, and null is
no number, so somebody made it a zero: a flight that never left counts as on time.
"""

from __future__ import annotations

from kappa import Calendar, Pipeline, Session, Tumbling, agg, col, lit, when
from kappa.streams import KeyedStream, Row, Stream

NEW_YORK = "America/New_York"
WAIT = "4h"


def delays(*, mended: bool) -> Pipeline:
    """Version 1 of the pipeline, or version 2, which mends it."""
    pipeline = Pipeline("flights")
    departures = pipeline.source("departures", out_of_orderness=WAIT)
    arrivals = pipeline.source("arrivals", out_of_orderness=WAIT)
    flights = _flights(departures, mended=mended)

    hourly = _delays(flights, Tumbling("1h"), "per hour")
    hourly.to("delays_per_hour")
    hourly.side("late").select("origin", "carrier", "flight", "scheduled", "late_by").to("too_late")
    _delays(flights, Calendar("day", zone=NEW_YORK), "per day").to("delays_per_day")
    _rotations(departures, arrivals).to("rotations")
    return pipeline


def hourly_delays(pipeline: Pipeline, *, mended: bool) -> Stream[Row]:
    """The delays per airport and hour alone, for another pipeline."""
    departures = pipeline.source("departures", out_of_orderness=WAIT)
    return _delays(_flights(departures, mended=mended), Tumbling("1h"), "per hour")


def _flights(departures: Stream[Row], *, mended: bool) -> KeyedStream[Row]:
    """The departures of each airport, with the minutes that count as delay."""
    delay = col("delay")
    minutes = delay if mended else when(delay.is_null()).then(0).otherwise(delay)
    return departures.with_columns(minutes=minutes).key_by("origin")


def _delays(flights: KeyedStream[Row], window: Tumbling | Calendar, name: str) -> Stream[Row]:
    return (
        flights.window(window)
        .aggregate(
            flights=agg.count(),
            cancelled=agg.count(where=col("delay").is_null()),
            mean_delay=agg.mean("minutes"),
            p95_delay=agg.quantile("minutes", 0.95),
        )
        .named(name)
    )


def _rotations(departures: Stream[Row], arrivals: Stream[Row]) -> Stream[Row]:
    left = departures.filter(col("delay").not_null()).select("tail", "miles", left=lit(1))
    landed = arrivals.select("tail", "miles", left=lit(0))
    return (
        left.union(landed)
        .filter(col("tail").not_null())
        .key_by("tail")
        .window(Session("7h"))
        .aggregate(
            departures=agg.sum("left"),
            events=agg.count(),
            miles=agg.sum("miles", where=col("left") == 1),
        )
        .named("rotations")
    )


wrong = delays(mended=False)
mended = delays(mended=True)
