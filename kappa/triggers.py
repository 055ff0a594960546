"""Triggers: when a window shows a result, besides (or instead of) once at its end.

A trigger repeats unless said `.once()`, and counts records, never batches. One that would
lose data, because records could come after its last firing, is refused.

| trigger | panes |
|---|---|
| none, or `AtWatermark()` | at the watermark, then at every late record |
| `AtWatermark(early=Every("10s"))` | also every 10 s of event time while there is news |
| `AtWatermark(early=Every("10s", clock="append"))` | also 10 s after a pane's first record |
| `AtWatermark(early=OnCount(100))` | also at every 100th record |
| `AtWatermark(late=OnCount(10))` | at every 10th late record, the rest at the very end |
| `OnCount(100)`, `Every("1m")` | of a global window, which has no end |
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from kappa.errors import ConfigError
from kappa.time import Duration, duration_ms, format_duration


class Trigger:
    """A description of when panes come; subclasses are frozen dataclasses."""

    kind: ClassVar[str]


@dataclass(frozen=True, slots=True, init=False)
class Every(Trigger):
    """A pane every `period`, if there is news since the last one.

    In event time, at window start + k · period, as soon as the watermark has passed it;
    one pane if it passes several at once. In append time, `period` after the append of a
    pane's first record, which replays.

    Args:
        period: a duration, at least 1 ms.
        clock: "event" or "append".

    Raises:
        ConfigError: `period` is not positive, or there is no such clock.
    """

    period: int
    clock: Literal["event", "append"]
    repeats: bool

    kind: ClassVar[str] = "every"

    def __init__(
        self,
        period: Duration,
        clock: Literal["event", "append"] = "event",
        repeats: bool = True,
    ) -> None:
        if clock not in ("event", "append"):
            raise ConfigError(f'clock is {clock!r}; use "event" or "append"')
        object.__setattr__(self, "period", duration_ms(period, name="period", minimum=1))
        object.__setattr__(self, "clock", clock)
        object.__setattr__(self, "repeats", repeats)

    def once(self) -> Every:
        """Only for the first pane."""
        return replace(self, repeats=False)

    def __str__(self) -> str:
        return f"every {format_duration(self.period)} of {self.clock} time"


@dataclass(frozen=True, slots=True, init=False)
class OnCount(Trigger):
    """A pane at every `count`-th record of a window and key since its last pane.

    Args:
        count: at least 1.

    Raises:
        ConfigError: it is not.
    """

    count: int
    repeats: bool

    kind: ClassVar[str] = "count"

    def __init__(self, count: int, repeats: bool = True) -> None:
        if type(count) is not int or count < 1:
            raise ConfigError(f"count is {count!r}, but must be a number of at least 1")
        object.__setattr__(self, "count", count)
        object.__setattr__(self, "repeats", repeats)

    def once(self) -> OnCount:
        """Only for the first pane."""
        return replace(self, repeats=False)

    def __str__(self) -> str:
        return f"at every {self.count} records" if self.count > 1 else "at every record"


@dataclass(frozen=True, slots=True, init=False)
class AtWatermark(Trigger):
    """A pane when the watermark reaches the window's end; earlier and later ones as said.

    Args:
        early: `Every` or `OnCount`, for panes before the end; none by default.
        late: `OnCount`, for panes of late records within the allowed lateness; one per
            record by default. What a count holds back is shown when the window is dropped.

    Raises:
        ConfigError: another kind of trigger, or a late one that fires only once.

    >>> AtWatermark(early=OnCount(100).once()).early.repeats
    False
    >>> AtWatermark(late=OnCount(10).once())
    Traceback (most recent call last):
    kappa.errors.ConfigError: a late trigger that fires once would lose the records behind it
    """

    early: Every | OnCount | None
    late: OnCount

    kind: ClassVar[str] = "watermark"

    def __init__(
        self, *, early: Every | OnCount | None = None, late: OnCount | None = None
    ) -> None:
        if early is not None and not isinstance(early, Every | OnCount):
            raise ConfigError(f"early is {early!r}; use Every(...) or OnCount(...)")
        if late is not None and not isinstance(late, OnCount):
            raise ConfigError(f"late is {late!r}; use OnCount(...)")
        if late is not None and not late.repeats:
            raise ConfigError("a late trigger that fires once would lose the records behind it")
        object.__setattr__(self, "early", early)
        object.__setattr__(self, "late", OnCount(1) if late is None else late)

    def __str__(self) -> str:
        early = "" if self.early is None else f"{self.early}, "
        late = "" if self.late.count == 1 else f", then {self.late} that are late"
        return f"{early}at the watermark{late}"
