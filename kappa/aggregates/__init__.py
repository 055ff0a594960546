"""Aggregates: what users write as `agg.count()`, `agg.sum("price")` and so on.

An aggregate is a frozen description with `Code`, the source text of its work on the slots
of an accumulator (`contract`). A `Layout` puts several on one flat list and compiles them,
so that windows and running aggregates generate one loop for exactly what was asked
(`layout`). Nothing here knows of windows or of who runs it.

`totals`, `ordered`, `distinct` (over `hyperloglog`), `quantiles` (over `sketch`) and
`reducing` hold the aggregates, `agg` their public names. A new aggregate is one class in
the file of its kind and one name in `agg`.
"""

from kappa.aggregates import agg
from kappa.aggregates.contract import Aggregate, Code
from kappa.aggregates.layout import Inputs, Layout, Part, indented

__all__ = ["Aggregate", "Code", "Inputs", "Layout", "Part", "agg", "indented"]
