"""Process functions: a class of the user's, with declared state and event-time timers.

    class Unpaid:
        "Says which orders were not paid within a minute."
        paid = MapState(ttl="1h")

        def on_record(self, row, ctx):
            if row["what"] == "paid":
                self.paid.put(row["order"], ctx.time)
            else:
                ctx.set_timer(ctx.time + 60_000, tag=row["order"])

        def on_timer(self, time, tag, ctx):
            if self.paid.get(tag, time + 1) > time:
                ctx.emit({"user": ctx.key, "order": tag})

    stream.key_by("user").process(Unpaid)

Laws, which make a replay equal the live run:

- what is remembered lives in declared handles; setting a plain attribute outside of `open`
  is refused;
- timers fire in the order of (time, key, tag); one set at or before the watermark fires at
  the end of the same LSN. While a timer of time T is handled, state that expires before T
  is gone;
- a record that fails leaves no output, but what it did to its key's state and timers stays.

At the end of a bounded replay all timers fire. One that is set then fires too, unless one of
the same key and tag has fired since the end: a timer that sets itself again would never end.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import ClassVar

from kappa.errors import ConfigError
from kappa.expressions import Selector
from kappa.operators.contract import Instance, Operator, OperatorContext
from kappa.operators.processing import Processing
from kappa.state.broadcast import broadcast
from kappa.state.handles import declared
from kappa.time import MINUS_INFINITY, PLUS_INFINITY, duration_ms, format_duration, shift


@dataclass(frozen=True)
class Process(Operator):
    """Calls `on_record` of a user's class for every row, and `on_timer` for every timer.

    The class may declare, beside state:

    - `on_timer(self, time, tag, ctx)` and `open(self, ctx)`, called once, before any row;
    - `timer_delay = "3s"`: `on_record` sets no timer sooner than this after its record's
      time. Then several appends are taken in at once, which is faster;
    - `holdback = "5s"`: rows are emitted with times up to this far behind the watermark;
    - `sides = ("alerts",)`: the side outputs; any name may be used where it is not given;
    - `reads_watermark = True`, if `on_record` reads `ctx.watermark` where it cannot be
      found out, in a function outside of the class.

    Args:
        key: what groups the rows.
        function: the class.
        broadcast: its rows and those of a broadcast stream come through `Port`; the latter
            go to `on_broadcast(self, row, ctx)`, which writes `BroadcastState`.

    Raises:
        ConfigError: it is no class, has no `on_record`, or declares something wrong.

    >>> from kappa.state import ValueState
    >>> class Numbered:
    ...     n = ValueState(default=0, ttl="1h")
    ...     def on_record(self, row, ctx):
    ...         self.n.set(self.n.get() + 1)
    ...         ctx.emit({**row, "n": self.n.get()})
    >>> Process(Selector.of("user"), Numbered).describe()
    "keeps n (ValueState(default=0, ttl='1h')) per user"
    """

    key: Selector
    function: type
    broadcast: bool = False

    kind: ClassVar[str] = "process"
    stateful: ClassVar[bool] = True

    def __post_init__(self) -> None:
        cls = self.function
        if not isinstance(cls, type):
            raise ConfigError(f"process: {cls!r} is not a class; give the class, not an instance")
        for name in ("on_record", "on_timer", "on_broadcast", "open"):
            if name in declared(cls) or not callable(getattr(cls, name, _nothing)):
                raise ConfigError(f"process: {cls.__qualname__}.{name} is not a method")
        if not hasattr(cls, "on_record"):
            raise ConfigError(
                f"process: {cls.__qualname__} has no method on_record(self, row, ctx)"
            )
        if not all(isinstance(name, str) for name in self.declared_sides or ()):
            raise ConfigError(f"process: {cls.__qualname__}.sides is not a tuple of names")
        _ = self.timer_delay, self.holdback
        self._check_broadcast()

    def _check_broadcast(self) -> None:
        name, listens = self.function.__qualname__, hasattr(self.function, "on_broadcast")
        if self.broadcast and not listens:
            raise ConfigError(f"process: {name} has no method on_broadcast(self, row, ctx)")
        if not self.broadcast and (listens or broadcast(self.function)):
            raise ConfigError(
                f"process: {name} listens to a broadcast stream: give broadcast=stream"
            )

    @property
    def declared_sides(self) -> tuple[str, ...] | None:
        """The side outputs it declares; None if it declares none, and may use any."""
        sides = getattr(self.function, "sides", None)
        return None if sides is None else tuple(sides)

    @property
    def has_timers(self) -> bool:
        """Whether it handles timers."""
        return hasattr(self.function, "on_timer")

    @property
    def timer_delay(self) -> int | None:
        """How long after its record a timer is due at the earliest, in ms; None: not said."""
        return self._duration("timer_delay")

    @property
    def holdback(self) -> int:
        """How far what it emits may lie behind the watermark, in ms."""
        return self._duration("holdback") or 0

    def _duration(self, name: str) -> int | None:
        value = getattr(self.function, name, None)
        where = f"{self.function.__qualname__}.{name}"
        return None if value is None else duration_ms(value, name=where, minimum=0)

    @property
    def reads_watermark(self) -> bool:
        """Whether `on_record` may read the watermark, so that every append must be its own."""
        said = getattr(self.function, "reads_watermark", None)
        return names_watermark(self.function) if said is None else bool(said)

    def open(self, context: OperatorContext) -> Instance:
        """The instance: an object of the class, with its state."""
        return Processing(
            context,
            key=self.key,
            cls=self.function,
            sides=self.declared_sides,
            timer_delay=self.timer_delay if self.has_timers else None,
            reads_watermark=self.reads_watermark,
            ported=self.broadcast,
        )

    def bound(self, min_time: int) -> int:
        """When a record's timers may be due, or what it wrote expires."""
        if self.reads_watermark:
            return MINUS_INFINITY
        effects = [handle.ttl for handle in declared(self.function).values()]
        if self.has_timers:
            if self.timer_delay is None:
                return MINUS_INFINITY
            effects.append(self.timer_delay)
        return min((shift(min_time, ms) for ms in effects if ms is not None), default=PLUS_INFINITY)

    def describe(self) -> str:
        """What it keeps."""
        kept = [f"{name} ({handle!r})" for name, handle in declared(self.function).items()]
        if self.has_timers:
            delay = self.timer_delay
            kept.append("timers" + (f" ({format_duration(delay)} ahead)" if delay else ""))
        return f"keeps {', '.join(kept) or 'nothing'} per {self.key.name or 'group'}"


def _nothing() -> None:
    """Stands for a method that a class does not have."""


def names_watermark(cls: type) -> bool:
    """Whether any method but `on_timer` names `watermark`.

    >>> class Reads:
    ...     def on_record(self, row, ctx):
    ...         ctx.emit({"behind": ctx.watermark - ctx.time})
    >>> names_watermark(Reads)
    True
    """
    members = [
        value for base in cls.__mro__ for name, value in vars(base).items() if name != "on_timer"
    ]
    functions = filter(None, map(_function, members))
    return any(_names(function.__code__, "watermark") for function in functions)


def _function(value: object) -> FunctionType | None:
    inner: object = getattr(value, "fget", None) or getattr(value, "__func__", None) or value
    while hasattr(inner, "__wrapped__"):
        inner = inner.__wrapped__
    return inner if isinstance(inner, FunctionType) else None


def _names(code: CodeType, name: str) -> bool:
    inner = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return name in code.co_names or any(_names(part, name) for part in inner)
