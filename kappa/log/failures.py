"""The log's one edge to the system's errors: what `OSError` means to who uses a log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kappa.errors import LogError
from kappa.log.heads import Head
from kappa.log.journal import Part
from kappa.log.segments import Segments

__all__ = ["missing_part", "not_written", "unreadable"]


def not_written(path: str, error: OSError) -> LogError:
    """An append or control record failed: disk full, a limit, a device error."""
    return LogError(
        f"{path}: the append could not be written ({error.strerror or error}), and is not in the"
        " log; nothing before it is touched",
        path=path,
    )


def unreadable(path: str, error: OSError) -> LogError:
    """A file could not be read."""
    return LogError(f"{path} could not be read ({error.strerror or error})", path=path)


def missing_part(
    segments: Segments, heads: Mapping[int, Sequence[Head]], parts: Sequence[Part]
) -> LogError:
    """One of the parts lies in a segment that is not there: removed, deleted, or lost."""
    for part in parts:
        try:
            segments.file(part[:3])
        except FileNotFoundError:
            known = heads.get(part.topic_id)
            deleted = part.base_offset + part.count
            start = deleted if known is None else known[part.partition].start_offset
            return segments.missing(part, start)
    return LogError("a segment was missing for a moment; read again")
