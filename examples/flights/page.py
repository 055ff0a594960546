"""The report as one HTML file: the plots are SVG inside it."""

from __future__ import annotations

import html
import io
from collections.abc import Callable
from datetime import datetime
from statistics import fmean
from typing import TYPE_CHECKING, Any

import matplotlib
from matplotlib.dates import DateFormatter
from matplotlib.figure import Figure

from examples.flights.data import ZONE

if TYPE_CHECKING:
    from examples.flights.report import Findings

matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "kappa", "font.size": 9})
BLUE, RED, GREY = "#2b6cb0", "#c53030", "#a0aec0"

STORM = tuple(int(datetime(2013, 2, day, tzinfo=ZONE).timestamp()) * 1000 for day in (8, 11))

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1a202c; background: #fff;
       max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1 { margin-bottom: 0 } h2 { margin: 2.2rem 0 .3rem } p { max-width: 44rem }
table { border-collapse: collapse; margin: 1rem 0 } th { text-align: left }
td, th { padding: .25rem .9rem; border-bottom: 1px solid #e2e8f0 }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums }
svg { max-width: 100%; height: auto } .small { color: #718096; font-size: .9rem }
"""


def page(found: Findings) -> str:
    """The whole page."""
    body = "\n".join(section(found) for section in SECTIONS)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>New York's flights in 2013</title><style>{STYLE}</style></head>"
        f"<body>{body}</body></html>"
    )


def _head(found: Findings) -> str:
    flights = sum(day.flights for day in found.days)
    cancelled = sum(day.cancelled for day in found.days)
    return (
        "<h1>New York's flights in 2013</h1>"
        f'<p class="small">{flights:,} flights from EWR, JFK and LGA, {cancelled:,} of them'
        " cancelled. Made by <code>make demo</code>; every number was read from the log.</p>"
    )


def _worst(found: Findings) -> str:
    head = ("day in New York", "airport", "flights", "cancelled", "version 1", "version 2")
    rows = [
        (d.date, d.origin, d.flights, f"{d.share:.0%}", f"{d.believed:.1f}", f"{d.true:.1f}")
        for d in found.worst
    ]
    changed = ", ".join(
        f"{html.escape(name)}: {count:,}" for name, count in found.differences.items()
    )
    return (
        "<h2>Days that looked better than they were</h2>"
        "<p>Version 1 took a cancelled flight, which has no delay, for one without delay. The"
        " more flights a storm cancelled, the more punctual the day became. Version 2 leaves"
        " them out of the mean and was made by replaying the year. Mean departure delay in"
        " minutes:</p>"
        f"{_table(head, rows, numbers=(2, 3, 4, 5))}"
        f'<p class="small">Rows that the diff of the versions found: {changed}.</p>'
    )


def _year(found: Findings) -> str:
    def draw(axes: Any) -> None:
        days: dict[int, list[Any]] = {}
        for day in found.days:
            days.setdefault(day.start, []).append(day)
        when = [datetime.fromtimestamp(start / 1000) for start in days]
        believed = [fmean(d.believed for d in group) for group in days.values()]
        true = [fmean(d.true or 0.0 for d in group) for group in days.values()]
        share = [
            100 * sum(d.cancelled for d in group) / sum(d.flights for d in group)
            for group in days.values()
        ]
        axes.bar(when, share, color=GREY, width=1.0, label="cancelled, %")
        axes.plot(when, true, color=BLUE, lw=1, label="mean delay, version 2, minutes")
        axes.plot(when, believed, color=RED, lw=1, label="mean delay, version 1, minutes")
        axes.legend(frameon=False)

    return "<h2>The days on which both versions ran</h2>" + _plot(draw, height=3.4)


def _storm(found: Findings) -> str:
    def draw(axes: Any) -> None:
        after, before = _by_hour(found.hours), _by_hour(found.hours_before)
        hours = sorted(after)
        when = [datetime.fromtimestamp(hour / 1000, ZONE) for hour in hours]
        share = [100 * _share(after[hour]) for hour in hours]
        axes.bar(when, share, width=1 / 24, color=GREY, label="cancelled, %")
        for rows, color, name in ((after, BLUE, "version 2"), (before, RED, "version 1")):
            means = [_mean_delay(rows.get(hour, [])) for hour in hours]
            axes.plot(when, means, color=color, lw=1.5, label=f"mean delay, {name}, minutes")
        hours_of_days = DateFormatter("%a %d %b, %Hh", tz=ZONE)  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_formatter(hours_of_days)
        axes.legend(frameon=False)

    return (
        "<h2>The blizzard of February</h2><p>Hour by hour. Where nearly all flights are cancelled,"
        " version 1 says that there is no delay; version 2 has little to say, or nothing.</p>"
        + _plot(draw, height=3.4)
    )


def _by_hour(rows: list[dict[str, Any]]) -> dict[int, list[dict[str, Any]]]:
    result: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        if STORM[0] <= row["window_start"] < STORM[1]:
            result.setdefault(row["window_start"], []).append(row)
    return result


def _share(rows: list[dict[str, Any]]) -> float:
    flights: int = sum(row["flights"] for row in rows)
    cancelled: int = sum(row["cancelled"] for row in rows)
    return cancelled / flights


def _mean_delay(rows: list[dict[str, Any]]) -> float:
    known = [row["mean_delay"] for row in rows if row["mean_delay"] is not None]
    return fmean(known) if known else float("nan")


def _hours(found: Findings) -> str:
    def draw(axes: Any) -> None:
        p95: dict[int, list[float]] = {}
        mean: dict[int, list[float]] = {}
        for row in found.hours:
            if row["mean_delay"] is not None:
                hour = _hour(row["window_start"])
                p95.setdefault(hour, []).append(row["p95_delay"])
                mean.setdefault(hour, []).append(row["mean_delay"])
        hours = sorted(mean)
        axes.plot(
            hours, [fmean(p95[h]) for h in hours], color=RED, marker="o", label="95th percentile"
        )
        axes.plot(hours, [fmean(mean[h]) for h in hours], color=BLUE, marker="o", label="mean")
        axes.set_xticks(hours)
        axes.set_xlabel("hour of the day in New York")
        axes.set_ylabel("minutes")
        axes.legend(frameon=False)

    return "<h2>Delays grow over the day</h2>" + _plot(draw)


def _weather(found: Findings) -> str:
    def draw(axes: Any) -> None:
        miles = list(found.visibility)
        axes.bar(miles, [fmean(found.visibility[m]) for m in miles], color=BLUE)
        axes.set_xlabel("visibility in the hour, miles")
        axes.set_ylabel("mean delay, minutes")

    return "<h2>Fog</h2>" + _plot(draw)


def _rotations(found: Findings) -> str:
    def draw(axes: Any) -> None:
        counts = [found.rotations[n] for n in range(1, 9)]
        axes.bar(range(1, 9), counts, color=BLUE)
        axes.set_xlabel("departures from New York in one rotation of an aircraft")
        axes.set_ylabel("rotations")

    rows = [(name, f"{mean:.2f}") for name, mean in found.by_seats.items()]
    return (
        "<h2>Rotations</h2><p>Sessions per aircraft: departures and arrivals without a gap of"
        " seven hours.</p>"
        + _plot(draw)
        + _table(("seats", "departures per rotation"), rows, numbers=(1,))
    )


def _disorder(found: Findings) -> str:
    def draw(axes: Any) -> None:
        hours = sorted(found.disorder)
        axes.bar(hours, [found.disorder[h] for h in hours], color=GREY)
        axes.set_yscale("log")
        axes.set_xlabel("hours between schedule and report (12 and more at the right)")
        axes.set_ylabel("departures")

    odd = ", ".join(f"{day.date} had {day.hours} hours" for day in found.odd_days)
    return (
        "<h2>Order and time</h2><p>Event time is the schedule; the log holds flights in the"
        f" order in which they left. The watermark waited four hours; {found.too_late:,}"
        f" departures came later still and are in the topic <code>too_late</code>. {odd}.</p>"
        + _plot(draw)
    )


SECTIONS = (_head, _worst, _storm, _year, _hours, _weather, _rotations, _disorder)


def _hour(time_ms: int) -> int:
    return datetime.fromtimestamp(time_ms / 1000, ZONE).hour


def _plot(draw: Callable[[Any], None], *, height: float = 2.8) -> str:
    figure = Figure(figsize=(9, height), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    draw(axes)
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None})
    text = out.getvalue()
    return text[text.index("<svg") :]


def _table(head: tuple[str, ...], rows: list[tuple[Any, ...]], *, numbers: tuple[int, ...]) -> str:
    def line(cells: tuple[Any, ...], tag: str) -> str:
        return "".join(
            f"<{tag}{' class=n' if i in numbers else ''}>{html.escape(str(cell))}</{tag}>"
            for i, cell in enumerate(cells)
        )

    content = "".join(f"<tr>{line(row, 'td')}</tr>" for row in rows)
    return f"<table><tr>{line(head, 'th')}</tr>{content}</table>"
