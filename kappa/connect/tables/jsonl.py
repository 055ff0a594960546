"""JSON lines in folders by time or by fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from kappa.connect.tables.formats import Format, JsonLinesFormat
from kappa.connect.tables.sink import TableSink


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonLinesSink(TableSink):
    """Files of JSON lines, partitioned by event time or fields, exactly once.

    A file is one JSON object a line, with the fields in the order of their names, so that
    its bytes follow from its rows. It is closed when it is full (`rows`, `size`), old
    (`every`) or its partition is complete, and shows at the checkpoint after that.

    Args:
        path, by, zone, rows, size, every, delay, late_delay, generations: see `TableSink`.
        success: a complete partition gets an empty file `_SUCCESS`; here it does by default.
        compression: "none" or "gzip".

    >>> JsonLinesSink("out", by=("date", "hour"), delay="5m").describe()
    'files by date/hour in out, visible at the checkpoint after one is closed'
    """

    success: bool = True
    compression: str = "none"

    kind: ClassVar[str] = "json lines"

    def format(self) -> Format:
        """JSON lines, less what the path says."""
        return JsonLinesFormat(frozenset(self.partitioning.fields), self.compression)
