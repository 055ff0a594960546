"""SQL over a log's topics, through DuckDB.

    statement   what a query names: tables, columns, AS OF; DuckDB's own parser says it
    columns     from values to Arrow: the type of a column, and what widens it
    newest      the last record of each key, for compacted topics
    table       a topic as an Arrow dataset: fields and times pushed down into the log
    folders     files and folders of them, as a sink writes them
    ledgers     which files of a table are in view, commit by commit
    places      folders here and in object stores, as names
    run         from a query to a `Result`
    result      rows, as Python values, a file, or records of a topic

Invariants:

- A query sees the log as of one LSN: the end when it starts, or the one that it names.
  Later appends, and what was voided or promoted later, do not show.
- Closing appends are seen; voided ones are not.
- Only the fields that the query names are decoded, and only the parts of the log whose
  event times and LSNs its conditions allow are read.
- DuckDB and pyarrow (extra `sql`) are imported only once a query runs.
"""

from kappa.log.query.result import FORMATS, Result
from kappa.log.query.run import query

__all__ = ["FORMATS", "Result", "query"]
