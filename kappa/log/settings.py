"""How a log is written."""

from __future__ import annotations

from dataclasses import dataclass

from kappa.errors import ConfigError

__all__ = ["Settings"]


@dataclass(frozen=True, slots=True)
class Settings:
    """How a log is written.

    Attributes:
        fsync: "always" (before an append returns), "interval" or "never".
        fsync_interval_s: seconds between syncs in mode "interval".
        timeout_s: how long to wait for the append lock.
        segment_bytes, journal_bytes: sizes at which a file is left for a new one.
        max_append_bytes: limit of the bodies of one append.
        max_record_bytes: limit of one record.
    """

    fsync: str = "interval"
    fsync_interval_s: float = 0.05
    timeout_s: float = 10.0
    segment_bytes: int = 64 << 20
    journal_bytes: int = 4 << 20
    max_append_bytes: int = 256 << 20
    max_record_bytes: int = 16 << 20

    def __post_init__(self) -> None:
        if self.fsync not in ("always", "interval", "never"):
            raise ConfigError(f'fsync is {self.fsync!r}: give "always", "interval" or "never"')
        for name in ("segment_bytes", "journal_bytes", "max_append_bytes", "max_record_bytes"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}, but must be at least 1")
