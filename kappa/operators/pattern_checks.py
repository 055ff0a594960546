"""What a pattern must keep to, checked when it is built."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from kappa.errors import ConfigError
from kappa.expressions import Expression
from kappa.patterns import (
    CONTIGUITIES,
    NONE,
    PAST_LAST,
    STRICT,
    TO_NEXT,
    PatternRow,
    Skip,
)


def check_pattern(
    rows: Sequence[Any], select: object, skip: object, contiguity: str, within: int | None
) -> None:
    """Refuses a pattern that has no meaning, or would wait for ever.

    Raises:
        ConfigError: what is wrong.
    """
    if contiguity not in CONTIGUITIES:
        raise ConfigError(
            f"pattern: contiguity is {contiguity!r}; use one of {', '.join(CONTIGUITIES)}"
        )
    _check_rows(rows)
    _check_skip(rows, skip)
    _check_select(rows, select)
    if skip != NONE and within is None:
        _check_end(rows, contiguity)


def _check_rows(rows: Sequence[Any]) -> None:
    if not rows:
        raise ConfigError('pattern: give at least one row: pattern([row("start"), ...])')
    names: list[str] = []
    for one in rows:
        if not isinstance(one, PatternRow):
            raise ConfigError(f'pattern: {one!r} is no row of a pattern; use row("name", ...)')
        if one.name in names:
            raise ConfigError(f"pattern: two rows are named {one.name!r}")
        names.append(one.name)
        if isinstance(one.condition, Expression):
            _check_words(one.condition, names, f"the condition of row({one.name!r})")
    if not any(one.least for one in rows):
        raise ConfigError("pattern: all rows are optional, so it would match where nothing is")


def _check_words(expression: Expression, names: Sequence[str], where: str) -> None:
    for word in expression.matches:
        if word.variable and word.variable not in names:
            raise ConfigError(
                f"pattern: {where} speaks of matched({word.variable!r}); known there: "
                + ", ".join(map(repr, names))
            )
    if other := expression.metas - {"time"}:
        raise ConfigError(f"pattern: {where} reads meta.{min(other)}; only meta.time is kept")
    if expression.sides:
        raise ConfigError(f"pattern: {where} speaks of a join's sides: {expression!r}")


def _check_skip(rows: Sequence[PatternRow], skip: object) -> None:
    if isinstance(skip, Skip):
        if skip.variable not in [one.name for one in rows]:
            raise ConfigError(f"pattern: skip is {skip!r}, and there is no such row")
        return
    if skip not in (PAST_LAST, TO_NEXT, NONE):
        raise ConfigError(
            f'pattern: skip is {skip!r}; use "past_last", "to_next", "none", to_first(...) or'
            " to_last(...)"
        )


def _check_select(rows: Sequence[PatternRow], select: object) -> None:
    if not isinstance(select, Mapping) or not select:
        raise ConfigError(
            f'pattern: select is {select!r}; give results by name: select={{"low":'
            ' matched("down").last("price")}'
        )
    for name, result in select.items():
        if type(name) is not str or not name:
            raise ConfigError(f"pattern: a result is named {name!r}; give a text")
        if isinstance(result, Expression):
            _check_words(result, [one.name for one in rows], f"the result {name!r}")
        elif not callable(result):
            raise ConfigError(
                f"pattern: the result {name!r} is {result!r}; give an expression or a function"
                " of the match"
            )


def _check_end(rows: Sequence[PatternRow], contiguity: str) -> None:
    """A greedy variable at the end that skips rows would always wait for one more."""
    for one in reversed(rows):
        grows = one.most is None or one.most > max(one.least, 1) or one.least == 0
        if grows and one.greedy and (one.contiguity or contiguity) != STRICT:
            raise ConfigError(
                f"pattern: row({one.name!r}) at the end may always take one more row, so no match"
                ' would be decided: give within=, greedy=False, or contiguity="strict"'
            )
        if one.least:
            return


def lookback(
    rows: Sequence[PatternRow], select: Mapping[str, Expression | Callable[..., Any]]
) -> int:
    """How many rows before the first of a match are looked at.

    >>> from kappa.expressions import col
    >>> from kappa.patterns import prev, row
    >>> lookback([row("a"), row("b", col("v") > prev("v"))], {})
    0
    >>> lookback([row("a", col("v") > prev("v", 2))], {})
    2
    """
    return max(0, *_reaches(rows, select))


def _reaches(
    rows: Sequence[PatternRow], select: Mapping[str, Expression | Callable[..., Any]]
) -> Iterator[int]:
    yield 0
    before = 0
    for one in rows:
        if isinstance(one.condition, Expression):
            yield _back(one.condition) - before
        before += one.least
    for result in select.values():
        if isinstance(result, Expression):
            yield _back(result) - (before - 1)


def _back(expression: Expression) -> int:
    return max((word.back for word in expression.matches if word.what == "prev"), default=0)
