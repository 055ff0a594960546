"""Rows held against their topic's schema, before they are encoded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kappa.batch import Frame
from kappa.codec.columns import solid
from kappa.errors import SchemaViolation
from kappa.log.body import columns_of
from kappa.log.refusals import Rows
from kappa.log.registry import TopicSchemas
from kappa.schemas import Fitting, Problem

__all__ = ["fit_columns", "fit_rows", "framed", "has_tombstones"]

MIN_FRAMED = 8
"""Below, making columns known takes longer than looking at them again."""


def framed(values: Sequence[Any]) -> Sequence[Any]:
    """Dicts of the same fields as columns with what is known of their types.

    What follows (contract, schema, encoding) then neither gathers nor looks at them again.
    """
    if isinstance(values, Frame) or len(values) < MIN_FRAMED:
        return values
    names, found = columns_of(values)
    if not names:
        return values
    columns = dict(zip(names, found))
    return Frame(columns, len(values), solid=frozenset(n for n in names if solid(columns[n])))


def fit_rows(rows: Rows, schemas: TopicSchemas, *, divert: bool = False) -> None:
    """Makes rows what is to be stored: columns, where all have the same fields.

    Args:
        rows: dicts, as rows or as a frame.
        schemas: of the topic.
        divert: set aside what does not fit.

    Raises:
        SchemaViolation: a row does not fit the newest schema.
    """
    if not rows.values:
        return
    if rows.topic.compact and has_tombstones(rows.values):
        _fit_around(rows, schemas, divert=divert)
        return
    fitted = _fitted(rows.values, schemas)
    if fitted is None:
        problems = schemas.fitting.problems(rows.values)
        if not divert:
            raise violation(rows.topic.full_name, problems, schemas)
        rows.set_aside(_reasons(rows.values, schemas))
        fitted = _fitted(rows.values, schemas) if rows.values else []
        assert fitted is not None
    rows.values = fitted


def has_tombstones(values: Sequence[Any]) -> bool:
    """Whether some records have no value: in a compacted topic they take their key out."""
    return not isinstance(values, Frame) and any(value is None for value in values)


def _fit_around(rows: Rows, schemas: TopicSchemas, *, divert: bool) -> None:
    """The same where some records are tombstones, which no schema is asked about."""
    places = [at for at, value in enumerate(rows.values) if value is not None]
    there = [rows.values[at] for at in places]
    reasons = _reasons(there, schemas)
    if reasons and not divert:
        raise violation(rows.topic.full_name, schemas.fitting.problems(there), schemas)
    rows.set_aside({places[at]: reason for at, reason in reasons.items()})
    there = [value for value in rows.values if value is not None]
    fitted = iter((_fitted(there, schemas) if there else None) or ())
    rows.values = [None if value is None else next(fitted) for value in rows.values]


def _fitted(values: Sequence[Any], schemas: TopicSchemas) -> Sequence[Any] | None:
    fitting, count = schemas.fitting, len(values)
    if isinstance(values, Frame):
        return _fitted_frame(values, fitting)
    if count == 1 and fitting.whole(values[0]):
        return values
    names, found = columns_of(values)
    if names:
        columns = fitting.columns(dict(zip(names, found)), count)
        return None if columns is None else Frame(columns, count)
    rows = fitting.rows(list(values))
    if rows is None or rows is values:
        return rows
    names, found = columns_of(rows)  # with what they lacked, all may have the same fields
    return Frame(dict(zip(names, map(list, found))), count) if names else rows


def _fitted_frame(values: Frame, fitting: Fitting) -> Frame | None:
    if not values.columns:
        return None
    given, count = values.columns, len(values)
    columns = fitting.columns(given, count, values.solid)
    if columns is None:
        return None
    same = frozenset(name for name in values.solid if columns.get(name) is given[name])
    return Frame(columns, count, solid=same)


def _reasons(values: Sequence[Any], schemas: TopicSchemas) -> dict[int, str]:
    """By the number of each row that does not fit, what is wrong with it."""
    found: dict[int, str] = {}
    for at, row in enumerate(values):
        problems = schemas.newest.schema.check(row)
        if problems:
            found[at] = "; ".join(map(str, problems))
    return found


def fit_columns(
    where: str, columns: dict[str, list[Any]], count: int, schemas: TopicSchemas
) -> dict[str, list[Any]]:
    """Columns as they are to be stored.

    Raises:
        SchemaViolation: a row does not fit the newest schema.
    """
    fitted = schemas.fitting.columns(columns, count)
    if fitted is None:
        raise violation(where, schemas.fitting.problems(Frame(columns, count)), schemas)
    return fitted


def violation(where: str, problems: Sequence[Problem], schemas: TopicSchemas) -> SchemaViolation:
    """The error of rows that do not fit."""
    first, version = problems[0], schemas.newest.version
    more = f"; {len(problems) - 1} more" if len(problems) > 1 else ""
    return SchemaViolation(
        f"{where}: {first} (schema version {version}){more}",
        problems=problems,
        topic=where,
        field=first.field or None,
    )
