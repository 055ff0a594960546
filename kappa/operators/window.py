"""Windowed aggregation: the description, and which instance carries it out.

A window of another kind gets its instance in `_instance`; all else here holds for any kind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from kappa.aggregates import Aggregate, Layout
from kappa.errors import ConfigError
from kappa.expressions import Selector
from kappa.operators.contract import ALL_HISTORY, Fields, Instance, Names, Operator, OperatorContext
from kappa.operators.keyed import check_names
from kappa.operators.window_aligned import AlignedWindows
from kappa.operators.window_counted import NEVER, OverlappingCounts, PlainWindows
from kappa.operators.window_global import GlobalPanes
from kappa.operators.window_rows import BOUNDS, END, LATE, START, Spec
from kappa.operators.window_session import SessionWindows
from kappa.operators.window_session_panes import SessionPanes
from kappa.operators.window_sliding import SlidingWindows
from kappa.operators.window_triggered import TriggeredWindows
from kappa.time import MINUS_INFINITY, Duration, duration_ms, format_duration
from kappa.triggers import AtWatermark, Every, OnCount, Trigger
from kappa.windows import Calendar, Count, Global, Session, Sliding, Tumbling, Window

PANES = ("accumulating", "discarding", "retracting")


@dataclass(frozen=True)
class WindowAggregate(Operator):
    """The aggregates of each key and window.

    The output row is the key field(s), `window_start`, `window_end` and the aggregates, at
    event time end - 1. With a trigger, or with other panes than accumulating ones, it also
    says which pane it is: `pane_index` from 0, `pane_timing` ("early", "on_time", "late"),
    `pane_last` (no other can follow) and, in retracting mode, `retraction`. Rows that no
    window takes go to the side "late", with `window_start`, `window_end` and `late_by`.

    Args:
        key: what groups the rows.
        window: how event time is cut.
        aggregates: by output name.
        trigger: when results come; by default at the watermark, then at every late record.
        panes: "accumulating", "discarding" or "retracting".
        lateness: how long after its end a window still takes records, as a duration.

    Raises:
        ConfigError: an argument is wrong, or does not go with the others.

    >>> from kappa.aggregates import agg
    >>> step = WindowAggregate(Selector.of("auction"), Tumbling("10s"), {"n": agg.count()})
    >>> step.describe()
    'keeps n per auction and window until the watermark reaches its end'
    >>> step.bound(12_000)
    19999
    """

    key: Selector
    window: Window
    aggregates: Mapping[str, Aggregate]
    trigger: Trigger | None = None
    panes: str = "accumulating"
    lateness: Duration = 0

    kind: ClassVar[str] = "window"
    stateful: ClassVar[bool] = True
    counts_rows: ClassVar[bool] = True
    sides: ClassVar[tuple[str, ...]] = (LATE,)

    def __post_init__(self) -> None:
        late = duration_ms(self.lateness, name="lateness", minimum=0)
        object.__setattr__(self, "lateness", late)
        if not isinstance(self.window, Window):
            raise ConfigError(f'window is {self.window!r}; use Tumbling("10s"), for example')
        if self.panes not in PANES:
            raise ConfigError(f"panes is {self.panes!r}; use one of {', '.join(PANES)}")
        if late and not self.window.timed:
            raise ConfigError(f"lateness is {late}: nothing is late in a {self.window.kind} window")
        check_names(self.key, (*self.reserved, *self.layout.names), self.kind)
        for name in self.layout.names:
            if name in self.reserved:
                raise ConfigError(f"aggregate {name!r} has the name of a field of every result")
        self._check_merges()
        assert self.resolved is not None

    def _check_merges(self) -> None:
        stuck = self.layout.unmergeable()
        window = self.window
        merges = window.merging or (isinstance(window, Sliding) and not self.paned)
        merges = merges or (isinstance(window, Count) and window.slide < window.size)
        if stuck and merges:
            raise ConfigError(
                f"aggregate {stuck[0]!r} cannot be put together from parts, which"
                f" {window.kind} windows need: give reduce a merge=, or no initial="
            )

    # -- its parts, resolved -----------------------------------------------------------------

    @cached_property
    def layout(self) -> Layout:
        """The accumulator of the aggregates."""
        return Layout(self.aggregates)

    @cached_property
    def resolved(self) -> AtWatermark:
        """The trigger as one `AtWatermark`; a bare one of a global window is an early one.

        Raises:
            ConfigError: the trigger does not go with the window, or would lose data.
        """
        trigger, window = self.trigger, self.window
        if window.kind == "count" and self.paned:
            raise ConfigError("a count window is its own trigger, and has one pane")
        if trigger is None or isinstance(trigger, AtWatermark):
            return trigger or AtWatermark()
        if not isinstance(trigger, Every | OnCount):
            raise ConfigError(f"trigger is {trigger!r}; use AtWatermark, Every or OnCount")
        if isinstance(window, Global):
            return AtWatermark(early=trigger)
        raise ConfigError(
            f"{trigger!r} alone would lose the records behind its last firing when a"
            f" {window.kind} window ends: use AtWatermark(early={trigger!r})"
        )

    @property
    def paned(self) -> bool:
        """Whether rows say which pane they are."""
        return self.trigger is not None or self.panes != "accumulating"

    @property
    def retracts(self) -> bool:
        """Whether a pane takes the one before back."""
        return self.panes == "retracting"

    @property
    def reserved(self) -> tuple[str, ...]:
        """The fields of a row besides key and aggregates."""
        panes = ("pane_index", "pane_timing", "pane_last") if self.paned else ()
        retraction = ("retraction",) if self.panes == "retracting" else ()
        return (*sorted(BOUNDS, reverse=True), *panes, *retraction)

    @property
    def spec(self) -> Spec:
        """What its instance needs to know."""
        assert isinstance(self.lateness, int)
        return Spec(self.key, self.window, self.layout, self.lateness)

    # -- the contract --------------------------------------------------------------------------

    def open(self, context: OperatorContext) -> Instance:
        """The instance for this kind of window, on the step's state."""
        return _instance(self, context)

    @property
    def margin_before(self) -> int | None:
        """The longest window and the lateness; all history where windows have no bounds."""
        margin = self.window.margin
        assert isinstance(self.lateness, int)
        return ALL_HISTORY if margin is None else margin + self.lateness

    def required(self, wanted: Fields) -> Fields:
        """The fields of the key and of the aggregates."""
        fields, key = self.layout.fields, self.key.fields
        return None if fields is None or key is None else fields | key

    def yields(self, inputs: Sequence[Names]) -> Names:
        """Those of a result row; not certain where it says which pane it is."""
        return None if self.paned else (*self.key.names, START, END, *self.layout.names)

    @property
    def uses_append_time(self) -> bool:  # type: ignore[override]
        """Whether early panes go by append time."""
        early = self.resolved.early
        return isinstance(early, Every) and early.clock == "append"

    def bound(self, min_time: int) -> int:
        """The window's own, but never for sessions whose marks move with their records.

        Marks of other windows lie on a grid that `due` knows. A count trigger fires at its
        record, whatever else is in the batch.
        """
        if isinstance(self.window, Session) and isinstance(self.resolved.early, Every):
            return MINUS_INFINITY
        return self.window.bound(min_time)

    def describe(self) -> str:
        """What it keeps, and for how long."""
        names = ", ".join(self.layout.names)
        per = self.key.name or "group"
        if not self.window.timed:
            until = "its records are there" if self.window.kind == "count" else "the very end"
            return f"keeps {names} per {per} until {until}"
        assert isinstance(self.lateness, int)
        late = f" and {format_duration(self.lateness)} more" if self.lateness else ""
        return f"keeps {names} per {per} and window until the watermark reaches its end{late}"


def _instance(step: WindowAggregate, context: OperatorContext) -> Instance:
    spec, window = step.spec, step.window
    if isinstance(window, Count):
        if window.slide < window.size:
            return OverlappingCounts(spec, window, context)
        return PlainWindows(spec, window.size, context)
    if isinstance(window, Global):
        if step.paned:
            return GlobalPanes(spec, step.resolved, step.panes, context)
        return PlainWindows(spec, NEVER, context)
    if isinstance(window, Session):
        if step.paned:
            return SessionPanes(spec, window, step.resolved, step.panes, context)
        return SessionWindows(spec, window, context)
    if step.paned:
        return TriggeredWindows(spec, step.resolved, step.panes, context)
    if isinstance(window, Sliding):
        return SlidingWindows(spec, window, context)
    if isinstance(window, Tumbling | Calendar):
        return AlignedWindows(spec, window, context)
    raise ConfigError(f"windows of kind {window.kind!r} have no instance")
