"""Every error that kappa raises on purpose, in one tree.

    KappaError
    ├── ConfigError (also ValueError)   wrong use; raised before any record is read
    ├── LogError
    │   ├── CorruptBatch                bytes that were durable do not read back
    │   ├── OffsetOutOfRange            the position was removed or never existed
    │   ├── LogLocked                   another process or run holds what is asked for
    │   ├── ProducerFenced              a newer epoch of the producer was opened
    │   ├── SequenceError               a sequence that is neither new nor a whole repeat
    │   ├── RecordRefused               a record that cannot be stored as it is
    │   │   └── SchemaViolation         a record that does not fit its topic's schema
    │   ├── IncompatibleSchema          a schema that does not go with the versions before it
    │   └── UnknownTopic                no topic of that name
    ├── StateError
    │   ├── CorruptCheckpoint           a checkpoint file does not read back
    │   └── IncompatibleState           state of another pipeline, version or shape
    ├── OperatorError                   the user's own function failed; raised from its error
    │   └── UnknownField                a step asks for a field that the row does not have
    ├── OutputDiffers                   output made again after a crash is not what was written
    ├── ContractViolation               data that breaks what was promised
    ├── SourceError                     reading from outside failed; `retryable`: try again or not
    ├── SinkError                       writing to the outside failed; `retryable` likewise
    ├── Stopped                         a bounded run was stopped before its end; it can go on
    ├── MissingExtra                    an optional dependency is not installed
    └── InternalError                   a bug in kappa: please report it

A message says what was wrong, where, and what to do. The fields say the same for
programs. A late record is data, not an error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = [
    "ConfigError",
    "ContractViolation",
    "CorruptBatch",
    "CorruptCheckpoint",
    "IncompatibleSchema",
    "IncompatibleState",
    "InternalError",
    "KappaError",
    "LogError",
    "LogLocked",
    "MissingExtra",
    "OffsetOutOfRange",
    "OperatorError",
    "OutputDiffers",
    "ProducerFenced",
    "RecordRefused",
    "SchemaViolation",
    "SequenceError",
    "SinkError",
    "SourceError",
    "StateError",
    "Stopped",
    "UnknownField",
    "UnknownTopic",
]

FIELDS = ("topic", "partition", "offset", "lsn", "step", "path", "position", "field")


class KappaError(Exception):
    """The root of every error kappa raises on purpose.

    Args:
        message: what was wrong, where, and what to do.
        **where: any of topic, partition, offset, lsn, step, path, position, field.

    >>> error = LogError("the segment is gone", topic="bids", partition=2)
    >>> error.topic, error.partition, error.lsn
    ('bids', 2, None)
    """

    def __init__(self, message: str, **where: Any) -> None:
        super().__init__(message)
        for name in FIELDS:
            setattr(self, name, where.pop(name, None))
        if where:
            raise TypeError(f"unknown error field(s): {', '.join(sorted(where))}")

    topic: str | None
    partition: int | None
    offset: int | None
    lsn: int | None
    step: str | None
    path: str | None
    position: int | None
    field: str | None

    @property
    def message(self) -> str:
        """The sentence without a traceback, for people."""
        return str(self.args[0]) if self.args else type(self).__name__


class ConfigError(KappaError, ValueError):
    """Wrong arguments, configuration or graph; raised before any record is read."""


class LogError(KappaError):
    """The log could not do what was asked."""


class CorruptBatch(LogError):
    """Bytes that had been made durable do not read back; never skipped."""


class OffsetOutOfRange(LogError):
    """The position was removed by retention, or does not exist yet."""


class LogLocked(LogError):
    """Another process or run holds it; the message names the holder."""


class ProducerFenced(LogError):
    """A newer epoch of this producer was opened elsewhere; this one must stop."""


class SequenceError(LogError):
    """A sequence that is neither new nor a whole repeat of one that was appended."""


class RecordRefused(LogError):
    """A record that would not come back equal in value and type, or is too large."""


class UnknownTopic(LogError):
    """No topic of that name (or of that version) is in the log."""


class StateError(KappaError):
    """Keyed state or a checkpoint could not be used."""


class CorruptCheckpoint(StateError):
    """A checkpoint's files do not read back as they were written."""


class IncompatibleState(StateError):
    """The state belongs to another pipeline, version or shape of a step."""


class OperatorError(KappaError):
    """The user's own function failed on a record; raised from its error."""


class UnknownField(OperatorError, LookupError):
    """A row does not have the field that a step asks for; the message names those it has."""


class OutputDiffers(KappaError):
    """Output made again after a crash is not what was written before it."""


class ContractViolation(KappaError):
    """Data that breaks a contract whose severity is to stop."""


class SchemaViolation(RecordRefused, ContractViolation):
    """Records that do not fit their topic's schema; none of the append was stored.

    Args:
        message: the first problem, and how many there are.
        problems: each as `kappa.schemas.Problem`, with field, row, expected and got.
        **where: as for `KappaError`.
    """

    def __init__(self, message: str, *, problems: Sequence[Any] = (), **where: Any) -> None:
        super().__init__(message, **where)
        self.problems = tuple(problems)


class IncompatibleSchema(LogError):
    """A schema that does not go with the versions before it, or with the rows that are there.

    Args:
        message: all of it, for people.
        breaks: each as `kappa.schemas.Break`: version, direction, field and problem.
        readers: pipeline versions that read a field that breaks, with the fields.
        **where: as for `KappaError`.
    """

    def __init__(
        self,
        message: str,
        *,
        breaks: Sequence[Any] = (),
        readers: Mapping[str, Sequence[str]] | None = None,
        **where: Any,
    ) -> None:
        super().__init__(message, **where)
        self.breaks = tuple(breaks)
        self.readers = dict(readers or {})


class SourceError(KappaError):
    """Reading from outside the log failed."""

    def __init__(self, message: str, *, retryable: bool = False, **where: Any) -> None:
        super().__init__(message, **where)
        self.retryable = retryable


class SinkError(KappaError):
    """Writing to the outside of the log failed."""

    def __init__(self, message: str, *, retryable: bool = False, **where: Any) -> None:
        super().__init__(message, **where)
        self.retryable = retryable


class Stopped(KappaError):
    """A bounded run was stopped before its end; started again, it goes on."""


class MissingExtra(KappaError, ImportError):
    """An optional dependency is not installed; the message names the extra.

    >>> raise MissingExtra.of("zstandard", extra="zstd")
    Traceback (most recent call last):
    kappa.errors.MissingExtra: zstandard is not installed: pip install "kappa-streams[zstd]"
    """

    @classmethod
    def of(cls, module: str, *, extra: str) -> MissingExtra:
        """The error for one `module` that belongs to one `extra`."""
        return cls(f'{module} is not installed: pip install "kappa-streams[{extra}]"')


class InternalError(KappaError):
    """A bug in kappa: please report it with the message."""
