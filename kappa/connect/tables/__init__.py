"""Tables of files: what a stream is written into outside the log, partition by partition.

    rows ── partitions ── rolling ── formats ── staged ── table ── visible
                                                  │                  │
                                              checkpoint ── commit ── ledger

- `partitions`  the folder of a row, by event time or fields
- `rolling`     files that are being filled, and when one is closed
- `formats`     rows as bytes; JSON lines
- `stores`      folders and object stores, as one small set of verbs
- `ledger`      what a table holds, commit by commit
- `table`       a folder, its ledger, and how a file gets from one into view
- `sink`        the sink that every format shares
- `jsonl`       JSON lines
- `columns`     the types of Parquet's columns, from names or a schema
- `cells`       values in such columns, exactly or not at all
- `parquet`     Parquet
- `replacing`   whole partitions replaced in one step
- `generations` what a table was, and the way back

R1 holds for files, too: the set of files and their bytes follow from the log alone.
"""

from kappa.connect.tables.jsonl import JsonLinesSink
from kappa.connect.tables.parquet import ParquetSink
from kappa.connect.tables.partitions import ByField, ByTime
from kappa.connect.tables.table import Table

__all__ = ["ByField", "ByTime", "JsonLinesSink", "ParquetSink", "Table"]
