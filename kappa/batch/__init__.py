"""Batches: the unit that flows between steps, as columns, rows or both.

A batch has event times, and columns or rows, each made from the other on demand. `batch`
is the class, `places` its part that knows where rows come from, `runs` the arithmetic of
which row belongs to which LSN, `rows` what a row may be, `failures` how a failing row is
named, `frame` columns on their way into a log, `generated` the one place that compiles text.
"""

from kappa.batch.batch import Batch
from kappa.batch.failures import RowFailure, describe_error, located, unknown_field
from kappa.batch.frame import Frame
from kappa.batch.rows import MISSING, field_names, plain, value_of
from kappa.batch.runs import Runs

__all__ = [
    "MISSING",
    "Batch",
    "Frame",
    "RowFailure",
    "Runs",
    "describe_error",
    "field_names",
    "located",
    "plain",
    "unknown_field",
    "value_of",
]
