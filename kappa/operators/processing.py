"""A process function at work: the object of the user's class, its context, what it emits."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from kappa.batch import Batch, RowFailure, describe_error
from kappa.codec import check_key, encode_key
from kappa.errors import ConfigError, OperatorError
from kappa.expressions import Selector
from kappa.operators.contract import Instance, OperatorContext
from kappa.operators.failing import evaluate
from kappa.operators.keyed import dead_letter, refusal
from kappa.operators.letters import DEAD_LETTER, letter_of_timer
from kappa.state import detached
from kappa.state.broadcast import broadcast
from kappa.state.handles import EXPIRY, Scope, declared, expire
from kappa.time import MINUS_INFINITY, PLUS_INFINITY, format_time, instant_ms
from kappa.time.instants import Instant

TIMERS = ".timers"


class Misuse(ConfigError):
    """The class breaks a law of process functions: stops the run, never a dead letter."""


@dataclass(slots=True)
class Emitted:
    """Rows for one output, and what caused each: a row's index, or its place in the order."""

    causes: list[Any] = field(default_factory=list)
    rows: list[Any] = field(default_factory=list)
    times: list[int] = field(default_factory=list)

    def drop(self, cause: Any) -> None:
        """Takes back what `cause`, the latest, has emitted."""
        while self.causes and self.causes[-1] == cause:
            del self.causes[-1], self.rows[-1], self.times[-1]


class ProcessContext:
    """What `on_record`, `on_timer` and `open` get as `ctx`.

    Attributes:
        key: of the record or timer.
        time: event time of the record, or due time of the timer, in ms.
        lsn: of the record's append; None in `on_timer`.
        params: values of the pipeline's parameters.
    """

    __slots__ = ("_cause", "_main", "_owner", "key", "lsn", "params", "time")

    def __init__(self, owner: Processing, params: Mapping[str, Any]) -> None:
        self._owner = owner
        self._main = Emitted()
        self._cause: Any = None  # index of the row at work, or place in the order of timers
        self.params = params
        self.key: Any = None
        self.time = MINUS_INFINITY
        self.lsn: int | None = None

    @property
    def watermark(self) -> int:
        """The watermark: before the record's append, or the one that the timer was due at."""
        return self._owner.visible_watermark()

    def emit(self, row: Any, time: Instant | None = None) -> None:
        """Sends a row on, as it is now, with the time of its cause or another one."""
        if time is None and row is not None and self._cause is not None:
            main = self._main
            main.causes.append(self._cause)
            main.rows.append(detached(row))
            main.times.append(self.time)
        else:
            self._owner.emit("", row, time)

    def side(self, name: str, row: Any, time: Instant | None = None) -> None:
        """Sends a row to a side output."""
        self._owner.emit(name, row, time)

    def set_timer(self, time: Instant, tag: Hashable = 0) -> None:
        """Has `on_timer` called for the key once the watermark reaches `time`."""
        self._owner.set_timer(time, tag)

    def delete_timer(self, time: Instant, tag: Hashable = 0) -> bool:
        """Takes a timer of the key back; says whether it was set."""
        return self._owner.delete_timer(time, tag)


class Processing(Instance):
    """One object of the user's class.

    Args:
        context: the step's.
        key: what groups the rows.
        cls: the user's class.
        sides: names of side outputs that it may use; None for any.
        timer_delay: how soon after its record a timer may be due.
        reads_watermark: every append comes by itself, so the watermark may be seen.
        ported: rows come through `Port`, those of the second one are broadcast.
    """

    def __init__(
        self,
        context: OperatorContext,
        *,
        key: Selector,
        cls: type,
        sides: tuple[str, ...] | None,
        timer_delay: int | None,
        reads_watermark: bool,
        ported: bool = False,
    ) -> None:
        self._context = context
        self._parts = [key.bind(context.params, fresh=context.shared)]
        self._sides = sides
        self._delay = timer_delay
        self._reads_watermark = reads_watermark
        self._scope = Scope()
        self._timers = context.state.timers(TIMERS)
        self._expiry = context.state.timers(EXPIRY)
        self._watermark = MINUS_INFINITY
        self._firing = False
        self._fired: set[tuple[Any, Any]] | None = None  # only at the end, only asked `in`
        self._outputs: dict[str, Emitted] = {}  # of the present call
        self._ctx = ProcessContext(self, context.params)
        handles = declared(cls)
        self._handles = {n: h.bound(context.state, self._scope) for n, h in handles.items()}
        shared = {n: h.bound(context.state, self._scope) for n, h in broadcast(cls).items()}
        self._ported = ported
        self._user = opened(cls, {**self._handles, **shared}, self._ctx)
        self._on_broadcast: Callable[[Any, ProcessContext], None] | None = getattr(
            self._user, "on_broadcast", None
        )
        self._on_record: Callable[[Any, ProcessContext], None] = self._user.on_record
        self._on_timer: Callable[..., None] | None = getattr(self._user, "on_timer", None)

    # -- records -----------------------------------------------------------------------

    def process(self, batch: Batch) -> Iterable[Batch]:
        """Calls `on_record` for every row."""
        self._begin(batch.watermark)
        out: list[Batch] = []
        if self._ported:
            marked = batch.rows()
            keys, rows = [one[1] for one in marked], [one[2] for one in marked]
            run = partial(self._both, [one[0] for one in marked], keys, batch.times, rows)
        else:
            batch, (keys,), out = evaluate(self._parts, batch, self._context)
            rows = batch.rows(fresh=self._context.shared)
            check = None if sure(keys) else check_key
            run = partial(self._records, keys, batch.times, rows, check)
        lsns, start = batch.lsns(), 0
        while start < batch.count:
            try:
                run(start, lsns)
                break
            except Exception as error:
                index = self._ctx._cause
                if isinstance(error, Misuse):
                    raise RowFailure(index, error, batch) from error
                self._drop(index)
                out.append(dead_letter(batch, index, refusal(keys[index]) or error, self._context))
                start = index + 1
        for name, made in self._outputs.items():
            if made.rows:
                causes, rows, times = made.causes, made.rows, made.times
                out.append(batch.emitted(causes, rows=rows, times=times, output=name))
        return out

    def _begin(self, watermark: int) -> None:
        self._watermark = watermark
        self._ctx._main = Emitted()
        self._outputs = {"": self._ctx._main}

    def _drop(self, cause: Any) -> None:
        for emitted in self._outputs.values():
            emitted.drop(cause)

    def _both(
        self,
        ports: list[int],
        keys: list[Any],
        times: list[int],
        rows: list[Any],
        start: int,
        lsns: list[int],
    ) -> None:
        """Rows of both inputs; what is broadcast belongs to no key."""
        scope, index = self._scope, start
        while index < len(keys):
            stop = index + 1
            while stop < len(keys) and ports[stop] == ports[index]:
                stop += 1
            if ports[index] == 0:
                self._records(keys[:stop], times, rows, None, index, lsns)
            else:
                scope.broadcasting = True
                try:
                    self._records(keys[:stop], times, rows, None, index, lsns, self._on_broadcast)
                finally:
                    scope.broadcasting = False
            index = stop

    def _records(
        self,
        keys: list[Any],
        times: list[int],
        rows: list[Any],
        check: Callable[[object], None] | None,
        start: int,
        lsns: list[int],
        call: Callable[[Any, ProcessContext], None] | None = None,
    ) -> None:
        """The rows from `start` on; the context says at which of them it failed."""
        ctx, scope, on_record = self._ctx, self._scope, call or self._on_record
        for index in range(start, len(keys)):
            ctx._cause = index
            ctx.key = scope.key = keys[index]
            ctx.time = scope.time = times[index]
            ctx.lsn = lsns[index]
            if check is not None:
                check(ctx.key)
            on_record(rows[index], ctx)

    # -- timers ------------------------------------------------------------------------

    def due(self) -> int:
        """When the next timer is due, or the next state expires."""
        return min(self._timers.due(), self._expiry.due())

    def advance(self, watermark: int) -> Iterable[Batch]:
        """Calls `on_timer` for every timer that is due, and forgets what has expired."""
        self._begin(watermark)
        self._firing = True
        self._fired = set() if watermark >= PLUS_INFINITY else None
        ctx, scope = self._ctx, self._scope
        ctx.lsn = None
        order = Order()
        try:
            for time, key, tag in self._timers.firing(watermark):
                if self._expiry.due() < time:
                    expire(self._handles, self._expiry, time - 1)
                ctx.key = scope.key = key
                ctx.time = scope.time = time
                ctx._cause = order.next(time, key)
                if self._fired is not None:
                    self._fired.add((key, tag))
                self._fire(time, key, tag)
        finally:
            self._firing, self._fired = False, None
        if self._expiry.due() <= watermark:
            expire(self._handles, self._expiry, watermark)
        return list(self._fired_batches(sort=order.turned))

    def _fire(self, time: int, key: Any, tag: Any) -> None:
        try:
            if self._on_timer is not None:
                self._on_timer(time, tag, self._ctx)
        except Exception as error:
            self._drop(self._ctx._cause)
            if isinstance(error, Misuse) or not self._context.dead_letters:
                raise OperatorError(
                    f"step {self._context.step!r}: on_timer failed at {format_time(time)}"
                    f" for key {key!r}, tag {tag!r}: {describe_error(error)}",
                    step=self._context.step,
                ) from error
            record = {"key": key, "time": time, "tag": tag}
            letter = letter_of_timer(describe_error(error), self._context, record)
            self._append(DEAD_LETTER, letter, time)

    def _fired_batches(self, *, sort: bool) -> Iterator[Batch]:
        for name, emitted in self._outputs.items():
            rows, times = emitted.rows, emitted.times
            if not rows:
                continue
            order: list[tuple[Any, ...]] | None = None
            if sort or self._context.ranked:
                order = [(due, encode_key(key), n) for due, key, n in emitted.causes]
                places = sorted(range(len(order)), key=order.__getitem__)
                rows, times = [rows[i] for i in places], [times[i] for i in places]
                order = [order[i] for i in places] if self._context.ranked else None
            yield Batch.fired(times=times, rows=rows, order=order, output=name)

    # -- what the context does -----------------------------------------------------------

    def visible_watermark(self) -> int:
        """The watermark, where it is the same however appends are taken in."""
        if not (self._firing or self._reads_watermark):
            raise Misuse(
                f"step {self._context.step!r}: on_record reads ctx.watermark; say so in the class"
                " with reads_watermark = True, so that every append is taken in by itself"
            )
        return self._watermark

    def emit(self, output: str, row: Any, time: Instant | None) -> None:
        """Adds a row to an output."""
        self._check_open()
        if row is None:
            raise TypeError("emit: the row is None")
        if output and self._sides is not None and output not in self._sides:
            known = ", ".join(self._sides) or "none"
            raise Misuse(f"side output {output!r} is not among the class's sides: {known}")
        self._append(output, detached(row), self._ctx.time if time is None else instant_ms(time))

    def _check_open(self) -> None:
        if self._ctx._cause is None:
            raise Misuse("open() emits no rows and sets no timers: there is no key yet")

    def _append(self, output: str, row: Any, time: int) -> None:
        emitted = self._outputs.get(output)
        if emitted is None:
            emitted = self._outputs[output] = Emitted()
        emitted.causes.append(self._ctx._cause)
        emitted.rows.append(row)
        emitted.times.append(time)

    def set_timer(self, time: Instant, tag: Hashable) -> None:
        """Makes a timer of the present key pending."""
        self._check_open()
        if self._scope.broadcasting:
            raise Misuse("on_broadcast sets no timers: what is broadcast belongs to no key")
        at, key = instant_ms(time, name="timer"), self._scope.key
        if self._on_timer is None:
            raise Misuse(f"{type(self._user).__name__} sets a timer but has no method on_timer")
        if type(tag) is not int and type(tag) is not str:
            check_key(tag)
        if not self._firing:
            if self._delay is not None and at < self._ctx.time + self._delay:
                raise Misuse(
                    f"a timer at {format_time(at)} lies less than timer_delay = {self._delay} ms"
                    f" after its record at {format_time(self._ctx.time)}; make timer_delay smaller"
                )
        elif self._fired is not None and (key, tag) in self._fired:
            return
        self._timers.set(at, key, tag)

    def delete_timer(self, time: Instant, tag: Hashable) -> bool:
        """Takes a timer of the present key back."""
        return self._timers.delete(instant_ms(time, name="timer"), self._scope.key, tag)


class Order:
    """The places of fired timers in the order of output: (due time, key, number).

    A key's places ascend as its timers fire, also where one timer sets another for an
    earlier time; so they do not depend on what other keys there are.
    """

    def __init__(self) -> None:
        self.turned = False  # they have not come in ascending order
        self._last: dict[Any, tuple[int, int]] = {}
        self._highest = MINUS_INFINITY
        self._previous: Any = None

    def next(self, time: int, key: Any) -> tuple[int, Any, int]:
        """The place of what a timer emits."""
        due, number = self._last.get(key, (MINUS_INFINITY, -1))
        place = (max(due, time), number + 1)
        self._last[key] = place
        if time < self._highest or (due == time and key != self._previous):
            self.turned = True
        self._highest = max(self._highest, time)
        self._previous = key
        return place[0], key, place[1]


def sure(keys: list[Any]) -> bool:
    """Whether all keys are known to be keys, judged once per distinct one."""
    try:
        for key in dict.fromkeys(keys):
            check_key(key)
    except Exception:
        return False
    return True


def opened(cls: type, handles: Mapping[str, Any], ctx: ProcessContext) -> Any:
    """An object of a user's class with its handles, opened; then no attribute can be set.

    Raises:
        ConfigError: the class needs arguments.
    """
    sealed = False

    def refuse(self: Any, name: str, *value: Any) -> None:
        if sealed:
            raise Misuse(
                f"{cls.__qualname__}.{name} is set while records are handled: what a step"
                f" remembers lives in declared state, such as {name} = ValueState(); only"
                " open(self, ctx) may set plain attributes"
            )
        if value:
            super(guarded, self).__setattr__(name, *value)
        else:
            super(guarded, self).__delattr__(name)

    members = {"__setattr__": refuse, "__delattr__": refuse, "__module__": cls.__module__}
    guarded: Any = type(cls.__name__, (cls,), {**members, "__qualname__": cls.__qualname__})
    try:
        user = guarded()
    except TypeError as error:
        raise ConfigError(
            f"process: {cls.__qualname__}() failed: {error}; the class is made without arguments,"
            " use ctx.params for settings"
        ) from error
    if hasattr(user, "open"):
        user.open(ctx)
    vars(user).update(handles)
    sealed = True
    return user
