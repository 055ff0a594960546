"""What to compute from a row, as data: `col("price") * 0.9`, and selectors over them.

`expression` is what users write, `nodes` the frozen tree below it, `rules` the table of
functions, `compiler` turns a tree into one comprehension over columns, `bound` runs it on
batches and finds the row that failed. `selector` is the one type for fields, expressions
and functions alike. Nothing here is evaluated from text that a user gave.
"""

from kappa.expressions.expression import Expression, Operand, Value
from kappa.expressions.functions import When, col, left, lit, meta, param, right, secret, when
from kappa.expressions.nodes import Param
from kappa.expressions.order import Order, SortKey, asc, desc, orders_of, sort_key, sorted_by
from kappa.expressions.selector import Selector

__all__ = [
    "Expression",
    "Operand",
    "Order",
    "Param",
    "Selector",
    "SortKey",
    "Value",
    "When",
    "asc",
    "col",
    "desc",
    "left",
    "lit",
    "meta",
    "orders_of",
    "param",
    "right",
    "secret",
    "sort_key",
    "sorted_by",
    "when",
]
