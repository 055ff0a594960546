"""A result: what became of one expectation, as a row of the topic of results.

The names are those of Great Expectations' results. A result of a window has its bounds; a
result of one record says where it lies in the log. Fields that do not apply are None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kappa.contracts.expectations.expectation import (
    Expectation,
    Judged,
    RecordExpectation,
    WindowExpectation,
    plain,
)

RESULT_FIELDS = (
    "expectation",
    "column",
    "success",
    "severity",
    "message",
    "window_start",
    "window_end",
    "key",
    "element_count",
    "missing_count",
    "unexpected_count",
    "unexpected_percent",
    "observed_value",
    "partial_unexpected_list",
    "arguments",
    "step",
    "contract",
    "topic",
    "partition",
    "offset",
    "lsn",
)


def of_record(
    expectation: RecordExpectation,
    value: Any,
    *,
    step: str | None,
    contract: str | None,
    origin: Mapping[str, Any],
) -> dict[str, Any]:
    """The result of one record that is not as expected."""
    return _row(
        expectation,
        success=False,
        message=expectation.reason(value),
        element_count=1,
        missing_count=0,
        unexpected_count=1,
        unexpected_percent=100.0,
        partial_unexpected_list=[plain(value)],
        step=step,
        contract=contract,
        **origin,
    )


def of_records(
    expectation: RecordExpectation,
    rows: int,
    missing: int,
    unexpected: int,
    examples: Sequence[Any],
    about: Mapping[str, Any],
) -> dict[str, Any]:
    """The result of a rule about records, over the records of a window.

    Args:
        expectation: the rule.
        rows: how many records.
        missing: of how many nothing was judged.
        unexpected: how many are not as expected.
        examples: some of their values.
        about: more fields of the result.
    """
    judged = rows - missing
    success = expectation.judge(judged, unexpected)
    percent = unexpected / judged * 100 if judged else None
    message = f"{expectation.subject}: all {judged:,} as expected"
    if unexpected:
        message = (
            f"{unexpected:,} of {judged:,} ({percent:.3g} %) unexpected, such as"
            f" {expectation.reason(examples[0])}"
        )
    return _row(
        expectation,
        success=success,
        message=message,
        element_count=rows,
        missing_count=missing,
        unexpected_count=unexpected,
        unexpected_percent=percent,
        partial_unexpected_list=plain(list(examples)),
        **about,
    )


def of_window(
    expectation: WindowExpectation, rows: int, judged: Judged, about: Mapping[str, Any]
) -> dict[str, Any]:
    """The result of a rule about a window.

    Args:
        expectation: the rule.
        rows: how many records the window has.
        judged: the verdict.
        about: more fields of the result.
    """
    counted = judged.unexpected is not None and judged.missing is not None
    there = rows - (judged.missing or 0)
    percent = None
    if counted and there:
        percent = (judged.unexpected or 0) / there * 100
    return _row(
        expectation,
        success=judged.success,
        message=_message(expectation, judged),
        element_count=rows,
        missing_count=judged.missing,
        unexpected_count=judged.unexpected,
        unexpected_percent=percent,
        observed_value=plain(judged.observed),
        partial_unexpected_list=plain(list(judged.examples)),
        **about,
    )


def _message(expectation: Expectation, judged: Judged) -> str:
    subject = expectation.subject or "rows"
    what = expectation.name.removeprefix("expect_").replace("_", " ")
    if judged.examples:
        shown = ", ".join(repr(one) for one in judged.examples[:3])
        return f"{subject}: {judged.unexpected:,} unexpected, such as {shown} ({what})"
    wanted = getattr(expectation, "range", None)
    seen = f"{judged.observed!r:.100}"
    if judged.success:
        return f"{subject}: as expected" if judged.observed is None else f"{subject}: {seen}"
    if judged.unexpected:
        return f"{subject}: {judged.unexpected:,} unexpected values ({what})"
    verdict = f"{seen} is not {wanted}" if wanted else seen
    return f"{subject}: {verdict} ({what})"


def _row(expectation: Expectation, **given: Any) -> dict[str, Any]:
    arguments = expectation.kwargs
    arguments.pop("severity", None)
    found = {
        "expectation": expectation.name,
        "column": expectation.subject or None,
        "severity": expectation.severity,
        "arguments": arguments,
        **given,
    }
    return {name: found.get(name) for name in RESULT_FIELDS}
