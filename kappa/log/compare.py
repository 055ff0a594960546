"""The difference of two topics, most often two versions of one output.

Rows count, not appends: equal rows with equal event times cancel out, as often as they
occur. What is left on both sides with the same key and event time is one altered row;
the rest was added or removed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from kappa.codec import values
from kappa.time import Instant, format_time, span_ms

if TYPE_CHECKING:
    from kappa.log.log import Log

IDENTITY = ("window_start", "window_end")
SHOWN = 10


class Row(NamedTuple):
    """A row of one side: its event time in ms, key and value."""

    time: int
    key: Any
    value: Any


class Altered(NamedTuple):
    """A row that both sides have under the same key and time, with other values."""

    before: Row
    after: Row

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the fields that differ."""
        one, other = self.before.value, self.after.value
        if not (isinstance(one, dict) and isinstance(other, dict)):
            return ()
        names = [*one, *(name for name in other if name not in one)]
        missing = object()
        return tuple(n for n in names if not _same(one.get(n, missing), other.get(n, missing)))


@dataclass(frozen=True, slots=True)
class Diff:
    """What two topics differ in. True if they differ at all.

    Args:
        left, right: their full names.
        same: number of equal rows.
        removed: rows only on the left.
        added: rows only on the right.
        altered: rows with the same key and time, and other values.
    """

    left: str
    right: str
    same: int
    removed: tuple[Row, ...]
    added: tuple[Row, ...]
    altered: tuple[Altered, ...]

    def __bool__(self) -> bool:
        return bool(self.removed or self.added or self.altered)

    def __str__(self) -> str:
        lines = [
            f"{self.left} -> {self.right}: {self.same:,} equal, {len(self.altered):,} altered,"
            f" {len(self.removed):,} removed, {len(self.added):,} added"
        ]
        for change in self.altered[:SHOWN]:
            what = ", ".join(
                f"{name}: {_get(change.before, name)!r} -> {_get(change.after, name)!r}"
                for name in change.fields
            )
            lines.append(f"  ~ {_address(change.after)}: {what}")
        lines += [f"  - {_address(row)}: {row.value!r}" for row in self.removed[:SHOWN]]
        lines += [f"  + {_address(row)}: {row.value!r}" for row in self.added[:SHOWN]]
        return "\n".join(lines)


def diff(
    log: Log,
    left: str,
    right: str,
    *,
    since: Instant | None = None,
    until: Instant | None = None,
) -> Diff:
    """Compares the rows of two topics.

    Args:
        left, right: names, such as "delays@1" and "delays@2".
        since, until: only rows with since <= event time < until.

    Cost: reads both; memory for a digest of each row of the left, and for what differs.
    """
    return between(log, left, right, *span_ms(since, until))


def between(log: Log, left: str, right: str, since: int, until: int) -> Diff:
    """`diff` for event times in milliseconds, infinities among them."""
    span = (since, until)
    one, other = log.topic(left), log.topic(right)
    counts = Counter(digest(row) for row in _rows(log, left, span))
    total = counts.total()
    added: list[Row] = []
    for row in _rows(log, right, span):
        text = digest(row)
        if counts[text] > 0:
            counts[text] -= 1
        else:
            added.append(row)
    removed = _left_over(log, left, span, counts)
    altered, gone, new = _paired(removed, added)
    same = total - len(removed)
    return Diff(one.full_name, other.full_name, same, gone, new, altered)


def _rows(log: Log, topic: str, span: tuple[int, int]) -> Iterator[Row]:
    for record in log.read(topic):
        if span[0] <= record.time < span[1]:
            yield Row(record.time, record.key, record.value)


def digest(row: Row) -> bytes:
    """What rows that are equal, field order aside, have in common."""
    value = row.value
    if isinstance(value, dict):
        value = sorted(value.items())
    return values.encode([row.time, row.key, value])


def _left_over(log: Log, topic: str, span: tuple[int, int], counts: Counter[bytes]) -> list[Row]:
    if not counts.total():
        return []
    rows = []
    for row in _rows(log, topic, span):
        text = digest(row)
        if counts[text] > 0:
            counts[text] -= 1
            rows.append(row)
    return rows


def identity(row: Row) -> bytes:
    """What rows have in common that stand for each other: time, key and window."""
    windows = [row.value.get(name) for name in IDENTITY] if isinstance(row.value, dict) else []
    return values.encode([row.time, row.key, windows])


def _paired(
    removed: list[Row], added: list[Row]
) -> tuple[tuple[Altered, ...], tuple[Row, ...], tuple[Row, ...]]:
    waiting: dict[bytes, list[Row]] = defaultdict(list)
    for row in reversed(removed):
        waiting[identity(row)].append(row)
    altered, new = [], []
    for row in added:
        candidates = waiting.get(identity(row))
        if candidates:
            altered.append(Altered(candidates.pop(), row))
        else:
            new.append(row)
    gone = [row for rows in waiting.values() for row in reversed(rows)]
    gone.sort(key=lambda row: row.time)
    return tuple(altered), tuple(gone), tuple(new)


def _get(row: Row, name: str) -> Any:
    return row.value.get(name, "(missing)") if isinstance(row.value, dict) else None


def _address(row: Row) -> str:
    key = "" if row.key is None else f"{row.key!r} "
    return f"{key}at {format_time(row.time)}"


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and (one == other or (one != one and other != other))
