"""Runs the two layers and the pipeline over the same deliveries, and compares them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from itertools import groupby

from examples.lambda_to_kappa.batch import Totals, nightly
from examples.lambda_to_kappa.deliveries import (
    DAYS,
    HOUR_MS,
    MINUTE_MS,
    Delivery,
    day_of,
    deliveries,
    midnight,
)
from examples.lambda_to_kappa.pipeline import TOPIC, latest, pipeline
from examples.lambda_to_kappa.speed import Speed
from kappa import Log, ManualClock

EVENING_MS = 23 * HOUR_MS
SATURDAY = DAYS[5]


def truth(week: Iterable[Delivery]) -> Totals:
    """What every till holds: each event once, on its day."""
    totals: Totals = {}
    for event in {repr(one.event): one.event for one in week}.values():
        key = (day_of(event["at"]), event["shop"])
        sign = -1 if event["kind"] == "refund" else 1
        totals[key] = totals.get(key, 0) + sign * event["cents"]
    return totals


def merged(batch: Totals, speed: Totals) -> Totals:
    """The serving layer: the batch's answer where there is one, else the speed layer's."""
    days = {day for day, _ in batch}
    return batch | {key: cents for key, cents in speed.items() if key[0] not in days}


def lambda_week(week: Sequence[Delivery], *, until: int) -> tuple[Totals, Totals]:
    """What both layers say at the instant `until`."""
    speed, batch = Speed(), Totals()
    for delivery in week:
        if delivery.arrived <= until:
            speed.take(delivery)
    for day in DAYS:
        if midnight(day + timedelta(days=1)) + 3 * HOUR_MS <= until:
            batch |= nightly(week, day)
    return batch, speed.totals


def append(log: Log, clock: ManualClock, week: Sequence[Delivery]) -> None:
    """The deliveries as they arrived, minute by minute."""
    for minute, group in groupby(week, key=lambda one: one.arrived // MINUTE_MS):
        clock.advance((minute + 1) * MINUTE_MS - clock.now_ms())
        log.append("events", [one.event for one in group])


def day_total(totals: Totals, day: date) -> float:
    """All shops of a day, in francs."""
    return sum(cents for (one, _), cents in totals.items() if one == day) / 100


def main() -> None:
    """The three acts."""
    week = deliveries()
    right = truth(week)
    _, evening = lambda_week(week, until=midnight(SATURDAY) + EVENING_MS)
    morning, _ = lambda_week(week, until=midnight(SATURDAY) + 32 * HOUR_MS)
    print("1. A day in the evening, and the same day the next morning")
    print(
        f"   {SATURDAY:%a %d %b}   speed said {day_total(evening, SATURDAY):,.2f},"
        f" batch says {day_total(morning, SATURDAY):,.2f}"
    )
    batch, speed = lambda_week(week, until=midnight(DAYS[-1]) + 25 * HOUR_MS)
    show_lambda(right, batch, speed)
    show_kappa(week, right)


def show_lambda(right: Totals, batch: Totals, speed: Totals) -> None:
    """The week of the two layers, day by day, against the truth."""
    print("\n2. The week as Sunday ends: differences from the truth")
    print("   day             truth      batch      speed     merged")
    view = merged(batch, speed)
    for day in DAYS:
        cells = [f"{day_total(right, day):>10,.2f}"]
        for totals in (batch, speed, view):
            missing = day_total(totals, day) - day_total(right, day)
            cells.append(f"{missing:>+10,.2f}" if day_total(totals, day) else f"{'none yet':>10}")
        print(f"   {day:%a %d %b} {' '.join(cells)}")


def show_kappa(week: Sequence[Delivery], right: Totals) -> None:
    """The pipeline: live, and then replayed as the night's batch would be."""
    print("\n3. One pipeline")
    clock = ManualClock()
    with Log.memory(clock=clock) as log:
        log.create_topic("events", partitions=3, key="shop", time="at")
        half = len(week) * 6 // 7
        append(log, clock, week[:half])
        pipeline.run(log, until_idle=True)
        soon = {key: cents for key, cents in latest(log).items() if key[0] == DAYS[4]}
        append(log, clock, week[half:])
        pipeline.run(log, until_idle=True, drain=True)
        live = latest(log)
        late = sum(1 for _ in log.read("too_late"))
        wrong = [key for key in right if live.get(key) != right[key]]
        print(f"   live: {len(live)} days and shops, {len(wrong)} wrong; {late} events too late")
        print(f"   Friday's rows were there on Saturday: {day_total(soon, DAYS[4]):,.2f}")
        replayed = pipeline.replay(log, version=2)
        changes = log.diff(f"{TOPIC}@1", f"{TOPIC}@2")
        print(
            f"   replay into version {replayed.version}: {changes.same} rows equal,"
            f" {len(changes.altered) + len(changes.added) + len(changes.removed)} differ"
        )


if __name__ == "__main__":
    main()
