"""What a run is told, and what it tells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from kappa.errors import ConfigError
from kappa.time import MINUS_INFINITY, Duration, duration_ms, format_time

READ_RECORDS = 4096
"""Records taken in at once: more leave the processor's cache, fewer pay per batch."""

KEEP_CHECKPOINTS = 3


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a run goes about its work; none of it changes a result (R1).

    Args:
        read_records: records to take in at once.
        checkpoint_every_ms: time between checkpoints; None for only one at the end.
        keep_checkpoints: how many to keep besides named ones.
        poll_seconds: how long a live run waits before it looks at its clock again.
        throttle: records per second at most; None for as fast as it goes.
    """

    read_records: int = READ_RECORDS
    checkpoint_every_ms: int | None = 5_000
    keep_checkpoints: int = KEEP_CHECKPOINTS
    poll_seconds: float = 0.2
    throttle: float | None = None

    @classmethod
    def of(
        cls,
        *,
        checkpoint_every: Duration | None,
        read_records: int,
        keep_checkpoints: int,
        throttle: float | None = None,
    ) -> RunOptions:
        """Checked options.

        Raises:
            ConfigError: a number that makes no sense.
        """
        every = None
        if checkpoint_every is not None:
            every = duration_ms(checkpoint_every, name="checkpoint_every", minimum=1)
        if read_records < 1:
            raise ConfigError(f"read_records is {read_records}, must be at least 1")
        if keep_checkpoints < 1:
            raise ConfigError(f"keep_checkpoints is {keep_checkpoints}, must be at least 1")
        if throttle is not None:
            if throttle <= 0:
                raise ConfigError(f"throttle is {throttle}, must be a positive number per second")
            read_records = max(1, min(read_records, int(throttle)))  # a second's at a time
        return cls(read_records, every, keep_checkpoints, throttle=throttle)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is.

    Args:
        records: read so far in this run.
        lsn: last LSN handled.
        end_lsn: where the log ends, or the replay.
        seconds: since the run began.
        watermark: smallest watermark of the sources, ms.
    """

    records: int
    lsn: int
    end_lsn: int
    seconds: float
    watermark: int

    @property
    def rate(self) -> float:
        """Records per second."""
        return self.records / self.seconds if self.seconds > 0 else 0.0


OnProgress: TypeAlias = "Callable[[Progress], None]"


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a finished run did.

    Args:
        version: of the outputs it wrote.
        records_in: read from the sources, in this run.
        records_out: written to the outputs, in this run.
        late: records that no window took, in this run.
        dead_letters: records that were set aside: a function failed on them, or they
            break an expectation.
        seconds: wall time.
        checkpoints: taken in this run.
        watermark: smallest watermark of the sources at the end, ms.
        exact: the rows are those of a full replay (R8); False after a shortened warm-up.
        lsn: last LSN handled.
        notes: what a person should know, such as a damaged checkpoint that was passed over.
        breaches: results of expectations, in this run, that did not hold.
    """

    version: int
    records_in: int
    records_out: int
    late: int
    dead_letters: int
    seconds: float
    checkpoints: int
    watermark: int = MINUS_INFINITY
    exact: bool = True
    lsn: int = 0
    notes: tuple[str, ...] = ()
    breaches: int = 0

    def __str__(self) -> str:
        breaches = f" {self.breaches:,} breaches of expectations," if self.breaches else ""
        return (
            f"version {self.version}: {self.records_in:,} records in, {self.records_out:,} out,"
            f"{breaches} {self.late:,} late, {self.dead_letters:,} dead letters in"
            f" {self.seconds:.2f} s; watermark {format_time(self.watermark)}"
        )
