"""`sink(function)`: rows handed to a function of the user's, at least once, each with an id.

What a function does outside cannot be taken back, and a crash may fall between it and the
checkpoint that would say so. So rows behind the last checkpoint come again, each under the id
that it had: it names the version, the step, the LSN that caused the row and its number.

Law: within one version, the same id is the same row, in every run and after every crash.
The log is durable as far as a row's LSN before the function sees it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from inspect import isasyncgenfunction, iscoroutinefunction
from typing import Any, ClassVar

from kappa.batch import Batch
from kappa.errors import ConfigError, KappaError, OperatorError, SinkError
from kappa.sinks import PLACE, Sink, SinkContext, SinkInstance


class Hidden:
    """A function whose code is no part of what a version is bound to."""

    __slots__ = ("call",)

    def __init__(self, call: Callable[..., Any]) -> None:
        self.call = call

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Hidden) and self.call == other.call

    def __hash__(self) -> int:
        return hash(self.call)


@dataclass(frozen=True, slots=True)
class FunctionSink(Sink):
    """A function that gets every row.

    Args:
        name: of the function.
        function: no row depends on it, so it may change within a version.
        batch: it gets the rows that one append caused, as a list.
        ids: it gets their ids, too.

    Raises:
        ConfigError: nobody would await what it gives.

    >>> FunctionSink.of(print).describe()
    'calls print with each row, at least once; left out of replays but for sinks="all"'
    """

    name: str
    function: Hidden = field(metadata=PLACE)
    batch: bool = False
    ids: bool = False

    kind: ClassVar[str] = "call"
    reaches_outside: ClassVar[bool] = True

    @classmethod
    def of(
        cls, function: Callable[..., Any], *, batch: bool = False, ids: bool = False
    ) -> FunctionSink:
        """The sink that calls a function, under its name."""
        name = getattr(function, "__name__", type(function).__name__)
        if iscoroutinefunction(function) or isasyncgenfunction(function):
            raise ConfigError(
                f"sink({name}): nobody awaits what an async function gives; give a plain one, or"
                " ask outside with map_async, which calls many at once and keeps the answers"
            )
        return cls(name, Hidden(function), batch, ids)

    @property
    def label(self) -> str:
        """The function's name."""
        return self.name

    def open(self, context: SinkContext) -> SinkInstance:
        return FunctionSinkInstance(self, context)

    def describe(self) -> str:
        what = "the rows of each append" if self.batch else "each row"
        return (
            f'calls {self.name} with {what}, at least once; left out of replays but for sinks="all"'
        )


class FunctionSinkInstance(SinkInstance):
    """Calls as the rows come; it keeps nothing."""

    def __init__(self, sink: FunctionSink, context: SinkContext) -> None:
        self.function = sink.function.call
        self.batch = sink.batch
        self.ids = sink.ids
        self.step = context.step
        self.names = f"{context.owner}/{context.made}/{context.step}"

    def write(self, lsn: int, append_time: int, batch: Batch) -> None:
        self._call(lsn, batch, str(lsn))

    def finish(self, lsn: int, append_time: int, batch: Batch | None) -> Any:
        if batch is not None:  # what that LSN caused by itself has come before
            self._call(lsn, batch, f"{lsn}/closing")

    def _call(self, lsn: int, batch: Batch, cause: str) -> None:
        rows = batch.rows(fresh=True)
        ids = [f"{self.names}/{cause}/{number}" for number in range(len(rows))]
        if self.batch:
            self._guarded(lsn, rows, *((rows, ids) if self.ids else (rows,)))
            return
        for row, one in zip(rows, ids, strict=True):
            self._guarded(lsn, row, *((row, one) if self.ids else (row,)))

    def _guarded(self, lsn: int, shown: Any, *arguments: Any) -> None:
        try:
            self.function(*arguments)
        except KappaError:
            raise
        except Exception as error:
            what = "the rows" if self.batch else "the row"
            said = (
                f"sink {self.step!r} failed on {what} {shown!r:.200} at LSN {lsn}:"
                f" {type(error).__name__}: {error}"
            )
            if isinstance(error, OSError):
                raise SinkError(
                    f"{said}; started again, the run goes on behind its last checkpoint",
                    retryable=True, step=self.step, lsn=lsn,
                ) from error  # fmt: skip
            raise OperatorError(said, step=self.step, lsn=lsn) from error
