"""What users chain: each method is one line that adds a description to the graph.

A stream is a handle on one output of one step. Nothing runs here; wrong use fails at
once, with the line that built it. `stream` holds what needs no key, `keyed` what does,
`windowed` what comes between a window and its result, `tables` streams that became
tables, `joins` how two inputs meet, `calling` functions that rows end in.
"""

from kappa.streams.keyed import KeyedStream
from kappa.streams.stream import Stream
from kappa.streams.tables import GroupedTable, Table
from kappa.streams.windowed import WindowedStream
from kappa.streams.words import Key, Row

__all__ = ["GroupedTable", "Key", "KeyedStream", "Row", "Stream", "Table", "WindowedStream"]
