"""Rows of files as a topic's schema has them: texts become the dates, decimals, … they say.

A CSV has texts alone, and JSON no dates. Where the topic has a schema, it says what a cell or
a text is to be; nothing is guessed. What cannot be read stays as it is and does not fit.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from kappa.connect.lines import Broken
from kappa.connect.times import EPOCH
from kappa.schemas import (
    Bool,
    Field,
    Fitting,
    Float,
    Int,
    Null,
    Record,
    Schema,
    String,
    Timestamp,
    Type,
    Union,
)
from kappa.schemas.texts import from_json

__all__ = ["Shaped"]

CELLS: dict[type[Type], str] = {Int: "int", Float: "float", Bool: "bool"}


class Shaped:
    """A schema at work on rows that were read from text.

    Args:
        schema: of the topic.
        breaks: whether a row that does not fit is `Broken` here; else the append judges it.

    >>> from kappa.schemas import Date
    >>> shaped = Shaped(Schema.record("R", [Field("day", Date())]), breaks=True)
    >>> shaped.row({"day": "2013-07-03"}), shaped.row({"day": "03/07/2013"}).reason
    ({'day': datetime.date(2013, 7, 3)}, "field 'day': expected date, got str '03/07/2013'")
    """

    def __init__(self, schema: Schema, *, breaks: bool) -> None:
        self.schema = schema
        self.breaks = breaks
        self._fitting = Fitting(schema)
        self._fields = {one.name: one for one in schema.fields}

    @property
    def cells(self) -> dict[str, str]:
        """What the cells of a CSV are first read as, by column."""
        if not isinstance(self.schema.root, Record):
            return {}
        return {
            name: CELLS.get(type(_plain(one.type)), "str") for name, one in self._fields.items()
        }

    def row(self, value: Any, *, time: tuple[str, int] | None = None) -> Any:
        """A row with its texts read, or a `Broken` that says what does not fit.

        Args:
            value: the row.
            time: the field that is the event time, and the time, in ms.
        """
        if self._fitting.whole(value):
            return value
        made = value
        if isinstance(value, dict):
            made = {name: self._value(self._fields.get(name), one) for name, one in value.items()}
            if time is not None and time[0] in made:
                made[time[0]] = self._moment(self._fields.get(time[0]), made[time[0]], time[1])
        if self.breaks:
            problems = self.schema.check(made)
            if problems:
                return Broken("; ".join(map(str, problems)), repr(value))
        return made

    def _value(self, field: Field | None, value: Any) -> Any:
        if field is None:
            return value
        type_ = field.type
        if value == "" and isinstance(type_, Union) and type_.nullable:
            return value if _takes_text(type_) else None  # an empty cell
        try:
            return from_json(type_, value, self.schema.names)
        except ValueError:
            return value

    def _moment(self, field: Field | None, value: Any, ms: int) -> Any:
        """The event time as a timestamp, where the text itself is none."""
        type_ = None if field is None else _plain(field.type)
        if not isinstance(type_, Timestamp) or not type_.zone:
            return value
        if isinstance(value, datetime) and value.tzinfo is not None:
            return value
        return EPOCH + timedelta(milliseconds=ms)


def _plain(type_: Type) -> Type:
    """The type of a value that is there."""
    if isinstance(type_, Union):
        inner = [one for one in type_.branches if not isinstance(one, Null)]
        return inner[0] if len(inner) == 1 else type_
    return type_


def _takes_text(union: Union) -> bool:
    return any(isinstance(one, String) for one in union.branches)
