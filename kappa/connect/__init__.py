"""Doors between the log and the world outside: one file per kind of source.

`load` reads JSON lines or CSV, from a file or a stream, into a topic. It is
idempotent: the source is a producer in monotone mode whose sequence is the line a
record begins on, so loading a file again, or after a crash, appends only what is new.

- `lines`     raw lines with their numbers, from a path or a stream; gzip by suffix
- `jsonlines` one JSON value per line
- `csvrows`   CSV with a header; `celltypes` decides what its cells become
- `times`     a field's text or number as an event time
- `load`      the loop: read, convert, send, count

A line that cannot be read is a `Broken`: the loader stops at it (the default), skips
it, or sends it to the topic's dead letters.
"""

from kappa.connect.celltypes import CellTypes
from kappa.connect.lines import Broken
from kappa.connect.load import LoadProgress, LoadResult, Reading, load
from kappa.connect.times import TimeField

__all__ = ["Broken", "CellTypes", "LoadProgress", "LoadResult", "Reading", "TimeField", "load"]
