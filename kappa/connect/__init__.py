"""Doors between the log and the world outside: one file per kind of source.

`load` reads JSON lines, CSV, Parquet or Avro, from a file or a stream, into a topic. It is
idempotent: the source is a producer in monotone mode whose sequence is the line or row of a
record, so loading a file again, or after a crash, appends only what is new.

- `places`    files of a folder, a pattern or an object store, and what folders tell
- `listing`   the files of a place; of a table, those that its ledger shows
- `sources`   one of them opened: positions, and what stands there
- `lines`     raw lines with their numbers, from a path or a stream; gzip by suffix
- `jsonlines` one JSON value per line
- `csvrows`   CSV with a header; `celltypes` decides what its cells become
- `parquet`   columns of Parquet, as `arrow` makes values of them; `avro` Avro's records
- `times`     a field's text or number as an event time
- `load`      the loop: read, convert, send, count
- `files`     files that a pipeline reads through a topic, whole or as they come
- `tables`    sinks that write files, partition by partition
- `lake`      such a table for those who look after it

A line that cannot be read is a `Broken`: the loader stops at it (the default), skips
it, or sends it to the topic's dead letters.
"""

from kappa.connect.celltypes import CellTypes
from kappa.connect.files import Files
from kappa.connect.lake import Lake
from kappa.connect.lines import Broken
from kappa.connect.load import LoadProgress, LoadResult, load, load_all
from kappa.connect.sources import Reading
from kappa.connect.tables import ByField, ByTime, JsonLinesSink, ParquetSink
from kappa.connect.times import TimeField

__all__ = [
    "Broken",
    "ByField",
    "ByTime",
    "CellTypes",
    "Files",
    "JsonLinesSink",
    "Lake",
    "LoadProgress",
    "LoadResult",
    "ParquetSink",
    "Reading",
    "TimeField",
    "load",
    "load_all",
]
