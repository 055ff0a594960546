"""Which folder a row belongs to: `date=2013-03-01/hour=05`, `carrier=UA`.

A part of the path is a unit of event time in a time zone, or a field of the row. Invariant:
the folder follows from the row and its event time alone, and the folder of a time names one
span of time, so that a watermark can say when nothing more will come.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import quote

from kappa.batch import Batch
from kappa.errors import ConfigError, SinkError
from kappa.time import PLUS_INFINITY
from kappa.windows.calendar import Calendar, offset_at

UNITS = ("year", "month", "date", "hour")
NULL = "__HIVE_DEFAULT_PARTITION__"
MAX_VALUE_BYTES = 200
HOUR_MS = 3_600_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PERIODS = {"year": "year", "month": "month", "date": "day"}
_FORMATS = {"year": "%Y", "month": "%Y-%m", "date": "%Y-%m-%d", "hour": "%H"}


@dataclass(frozen=True, slots=True)
class ByTime:
    """A part of the path that is a unit of event time.

    Args:
        unit: "year", "month", "date" or "hour".
        name: what stands before the "="; the unit by default.
    """

    unit: str
    name: str = ""

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise ConfigError(f"a unit of time is one of {', '.join(UNITS)}, not {self.unit!r}")
        object.__setattr__(self, "name", self.name or self.unit)


@dataclass(frozen=True, slots=True)
class ByField:
    """A part of the path that is the value of a field, which then is not in the files.

    Args:
        name: of the field.
    """

    name: str


@dataclass(frozen=True, slots=True)
class Partitioning:
    """How rows are dealt to folders.

    Args:
        parts: of the path, from the outside in.
        zone: the time zone of the units, an IANA name.

    Raises:
        ConfigError: a part is given twice, an hour comes without its date, or the zone is
            not known.

    >>> by = Partitioning.of("date", "hour", zone="America/New_York")
    >>> by.folder_of({}, 1_362_898_800_000)
    'date=2013-03-10/hour=03'
    """

    parts: tuple[ByTime | ByField, ...] = ()
    zone: str = "UTC"

    def __post_init__(self) -> None:
        names = [part.name for part in self.parts]
        if len(set(names)) < len(names):
            raise ConfigError(f"partitioned twice by one of {', '.join(names)}")
        units = self.units
        if "hour" in units and "date" not in units:
            raise ConfigError('an hour needs its date: by=("date", "hour")')
        for name in names:
            if not name or any(sign in name for sign in "=/\\\0") or name.startswith("."):
                raise ConfigError(f"{name!r} cannot be the name of a folder")
        Calendar("day", self.zone)

    @classmethod
    def of(cls, *by: str | ByTime | ByField, zone: str = "UTC") -> Partitioning:
        """Parts by their names: units of time, or else fields."""
        parts = [
            part if not isinstance(part, str) else ByTime(part) if part in UNITS else ByField(part)
            for part in by
        ]
        return cls(tuple(parts), zone)

    @property
    def units(self) -> tuple[str, ...]:
        """The units of time among the parts."""
        return tuple(part.unit for part in self.parts if isinstance(part, ByTime))

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields among the parts."""
        return tuple(part.name for part in self.parts if isinstance(part, ByField))

    @property
    def time_names(self) -> tuple[str, ...]:
        """What the units are called in the path."""
        return tuple(part.name for part in self.parts if isinstance(part, ByTime))

    def span_of(self, time: int) -> tuple[int, int] | None:
        """The span of event time, [start, end), that shares a folder with `time`, ms."""
        units = self.units
        if not units:
            return None
        if "hour" in units:
            return _hour_of(time, self.zone)
        finest = max(units, key=UNITS.index)
        return Calendar(_PERIODS[finest], self.zone).window_of(time)

    def texts_of(self, start: int) -> dict[str, str]:
        """The text of each unit for the span that begins at `start`."""
        local = _EPOCH + timedelta(milliseconds=start + offset_at(start, self.zone))
        return {unit: local.strftime(_FORMATS[unit]).rjust(2, "0") for unit in self.units}

    def time_of(self, folder: str) -> int | None:
        """An event time whose rows lie in a folder; None if it is none of this table's.

        >>> Partitioning.of("date").time_of("date=1970-01-02")
        86400000
        """
        pieces = [piece.partition("=") for piece in folder.split("/")]
        if [name for name, _, _ in pieces] != [part.name for part in self.parts]:
            return None
        texts = {
            part.unit: text
            for part, (_, _, text) in zip(self.parts, pieces, strict=True)
            if isinstance(part, ByTime)
        }
        finest = max((unit for unit in texts if unit != "hour"), key=UNITS.index, default=None)
        if finest is None:
            return None
        try:
            local = datetime.strptime(texts[finest], _FORMATS[finest]).replace(tzinfo=UTC)
            local += timedelta(hours=int(texts.get("hour", "0")))
            time = (local - _EPOCH) // timedelta(milliseconds=1)
            time -= offset_at(time - offset_at(time, self.zone), self.zone)
            span = self.span_of(time)
        except (ValueError, OverflowError):
            return None
        return time if span is not None and self.texts_of(span[0]) == texts else None

    def folder_of(self, row: dict[str, Any], time: int) -> str:
        """The folder of one row."""
        return Folders(self).of(Batch.of_rows([row], [time]))[0][0]


class Folders:
    """Deals batches to folders; remembers the spans it has met.

    Args:
        partitioning: the rule.
    """

    def __init__(self, partitioning: Partitioning) -> None:
        self.partitioning = partitioning
        self.start = 1
        self.end = 0
        self.texts: dict[str, str] = {}
        self.by_start: dict[int, dict[str, str]] = {}

    def of(self, batch: Batch) -> list[tuple[str, int, Batch]]:
        """(folder, end of its span, its rows), by first appearance.

        A folder without a unit of time has no end. Cost: two comparisons a batch if all of
        it lies in one span and there are no fields.
        """
        by = self.partitioning
        if not by.parts:
            return [("", PLUS_INFINITY, batch)]
        if not by.fields and by.units:
            self._meet(batch.min_time)
            if batch.max_time < self.end:
                return [(self._path(()), self.end, batch)]
        return self._dealt(batch)

    def _dealt(self, batch: Batch) -> list[tuple[str, int, Batch]]:
        rows: dict[tuple[int, int, tuple[Any, ...]], list[int]] = {}
        fields = [batch.column(name, None) for name in self.partitioning.fields]
        values = list(zip(*fields, strict=True)) if fields else [()] * batch.count
        timed = bool(self.partitioning.units)
        start, end = 0, PLUS_INFINITY
        for index, (time, value) in enumerate(zip(batch.times, values, strict=True)):
            if (timed and not start <= time < end) or (timed and index == 0):
                self._meet(time)
                start, end = self.start, self.end
            # True, 1 and 1.0 are one key of a dict, but three texts.
            typed = tuple((type(one), one) for one in value)
            rows.setdefault((start, end, typed), []).append(index)
        found: dict[str, tuple[int, list[int]]] = {}
        for (start, end, typed), places in rows.items():
            if timed:
                self._meet(start)
            path = self._path(tuple(one for _, one in typed))
            known = found.setdefault(path, (end, []))
            found[path] = (max(end, known[0]), known[1] + places)
        return [(path, end, batch.take(sorted(at))) for path, (end, at) in found.items()]

    def _meet(self, time: int) -> None:
        if self.start <= time < self.end:
            return
        span = self.partitioning.span_of(time)
        assert span is not None
        self.start, self.end = span
        texts = self.by_start.get(self.start)
        if texts is None:
            texts = self.by_start[self.start] = self.partitioning.texts_of(self.start)
        self.texts = texts

    def _path(self, values: tuple[Any, ...]) -> str:
        left = iter(values)
        return "/".join(
            f"{part.name}={self.texts[part.unit]}"
            if isinstance(part, ByTime)
            else f"{part.name}={_text(part.name, next(left))}"
            for part in self.partitioning.parts
        )


def _text(name: str, value: object) -> str:
    """A field's value as part of a path, as Hive writes it."""
    if value is None:
        return NULL
    if isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, int | str | date):
        text = value if isinstance(value, str) else str(value)
    else:
        raise SinkError(
            f"cannot partition by field {name!r}: its value {value!r} is a"
            f" {type(value).__name__}; use text, whole numbers, dates or true and false",
            field=name,
        )
    quoted = quote(text, safe=" ,;@+!()[]~-_.")
    if len(quoted.encode()) > MAX_VALUE_BYTES:
        raise SinkError(
            f"cannot partition by field {name!r}: {text[:40]!r}... is longer than"
            f" {MAX_VALUE_BYTES} bytes as the name of a folder",
            field=name,
        )
    return quoted


def _hour_of(time: int, zone: str) -> tuple[int, int]:
    """The span of the local hour of a time; an hour that comes twice is one span.

    Like a day, an hour that has begun goes on until a later one begins, whatever the clock
    shows. Takes a zone to change at most once within six hours.
    """
    before, after = offset_at(time - 3 * HOUR_MS, zone), offset_at(time + 3 * HOUR_MS, zone)
    if before == after:
        start = (time + before) // HOUR_MS * HOUR_MS - before
        return start, start + HOUR_MS
    change = _change(time - 3 * HOUR_MS, time + 3 * HOUR_MS, zone)
    last = (change - 1 + before) // HOUR_MS  # the hour that ends with, or goes on over, the change
    hour = (time + before) // HOUR_MS if time < change else (time + after) // HOUR_MS
    goes_on = (change + after) // HOUR_MS <= last
    if time < change and (hour < last or not goes_on):
        return hour * HOUR_MS - before, min((hour + 1) * HOUR_MS - before, change)
    if max(hour, last) == last:
        return last * HOUR_MS - before, (last + 1) * HOUR_MS - after
    return max(hour * HOUR_MS - after, change), (hour + 1) * HOUR_MS - after


def _change(low: int, high: int, zone: str) -> int:
    """The first instant of the offset that holds at `high` and not yet at `low`."""
    before = offset_at(low, zone)
    while high - low > 1:
        middle = (low + high) // 2
        if offset_at(middle, zone) == before:
            low = middle
        else:
            high = middle
    return high


def merged(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans joined where they touch, ascending.

    >>> merged([(5, 7), (0, 2), (2, 3)])
    [(0, 3), (5, 7)]
    """
    out: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(end, out[-1][1]))
        else:
            out.append((start, end))
    return out
