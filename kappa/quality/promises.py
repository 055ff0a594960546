"""Holding what a topic has to its whole contract: rules, freshness, volume."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kappa.contracts.contract import Contract, Volume
from kappa.contracts.expectations import expect_table_row_count_to_be_between
from kappa.contracts.results import RESULT_FIELDS
from kappa.log import Log
from kappa.quality.checking import Report, check
from kappa.time import (
    PLUS_INFINITY,
    Instant,
    duration_ms,
    format_duration,
    format_time,
    instant_ms,
    span_ms,
)
from kappa.windows import Tumbling, Window


def check_contract(
    log: Log,
    contract: Contract,
    *,
    topic: str | None = None,
    since: Instant | None = None,
    until: Instant | None = None,
    window: Window | None = None,
    name: str | None = None,
    now: Instant | None = None,
) -> Report:
    """Holds the records of a topic to all promises of a contract; nothing is written.

    Args:
        log: where the topic is.
        contract: what is promised.
        topic: its name, where it is not the contract's.
        since, until: only records with since <= event time < until. The volume of spans
            that the range cuts is not judged.
        window: judge the rules window by window.
        name: name and version that results carry.
        now: what freshness is measured from; the log's clock by default.

    Raises:
        UnknownTopic: there is no such topic.
    """
    topic = topic or contract.topic
    log.topic(topic)  # a contract without rules is not kept by a topic that is not there
    results: list[dict[str, Any]] = []
    span = {"since": since, "until": until}
    if contract.rules:
        found = check(log, topic, contract.rules, window=window, contract=name, **span)
        results += found.results
    if contract.volume is not None:
        results += _volume(log, topic, contract.volume, name, since, until)
    if contract.freshness is not None:
        instant = log.clock.now_ms() if now is None else instant_ms(now, name="now")
        results.append(_fresh(log, topic, duration_ms(contract.freshness), instant, name))
    return Report(topic, tuple(results))


def _volume(
    log: Log,
    topic: str,
    volume: Volume,
    name: str | None,
    since: Instant | None,
    until: Instant | None,
) -> Iterator[dict[str, Any]]:
    """A result for every span from the first record (or `since`) to the last (or `until`)."""
    rule = expect_table_row_count_to_be_between(volume.min, volume.max)
    window = Tumbling(volume.per_ms)
    found = check(log, topic, [rule], since=since, until=until, window=window, contract=name)
    first, stop = span_ms(since, until)
    spans = {row["window_start"]: row for row in found.results}
    if not spans:
        return
    start = min(spans) if since is None else window.window_of(first)[0]
    end = max(spans) + 1 if until is None else stop
    newest = max(spans)
    while start < end:
        if first <= start and start + volume.per_ms <= stop:
            row = spans.get(start) or _empty(rule, start, start + volume.per_ms, name)
            # The last span may not be over yet.
            if start != newest or until is not None or _over(row, volume):
                yield {**row, "expectation": "volume"}
        start += volume.per_ms


def _over(row: dict[str, Any], volume: Volume) -> bool:
    """Whether a span that may go on can be judged: it has enough, or too many already."""
    enough = volume.min is None or row["element_count"] >= volume.min
    return enough or (not row["success"] and row["element_count"] > (volume.max or PLUS_INFINITY))


def _empty(rule: Any, start: int, end: int, name: str | None) -> dict[str, Any]:
    return _row(
        "volume",
        rule.inside(0),
        f"rows: 0 is not {rule.range}" if not rule.inside(0) else "rows: 0",
        window_start=start,
        window_end=end,
        element_count=0,
        observed_value=0,
        arguments=rule.kwargs,
        contract=name,
    )


def _fresh(log: Log, topic: str, allowed: int, now: int, name: str | None) -> dict[str, Any]:
    found = log.topic(topic)
    newest = max(
        (part.max_time for entry in log.entries(0) for part in entry.parts if part[0] == found.id),
        default=None,
    )
    age = None if newest is None else now - newest
    good = age is not None and age <= allowed
    text = f"at most {format_duration(allowed)} allowed"
    if newest is None or age is None:
        message = f"no record at all, {text}"
    else:
        shown = format_duration(_rounded(max(0, age)))
        message = f"the newest record is of {format_time(newest)}, {shown} old, {text}"
    arguments = {"freshness": format_duration(allowed)}
    return _row("freshness", good, message, observed_value=age, arguments=arguments, contract=name)


def _rounded(age: int) -> int:
    """An age in its largest unit."""
    for unit in (86_400_000, 3_600_000, 60_000, 1_000):
        if age >= 2 * unit:
            return age // unit * unit
    return age


def _row(kind: str, success: bool, message: str, **given: Any) -> dict[str, Any]:
    row = {
        "expectation": kind,
        "success": success,
        "severity": "warn",
        "message": message,
        "partial_unexpected_list": [],
        **given,
    }
    return {name: row.get(name) for name in RESULT_FIELDS}
