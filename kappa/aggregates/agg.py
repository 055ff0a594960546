"""The aggregates under the names that users write: `agg.count()`, `agg.sum("price")`.

>>> from kappa.aggregates import agg
>>> agg.sum("price", where="open").kind
'sum'
"""

from kappa.aggregates.distinct import ApproxDistinct as approx_distinct
from kappa.aggregates.distinct import CountDistinct as count_distinct
from kappa.aggregates.ordered import Collect as collect
from kappa.aggregates.ordered import First as first
from kappa.aggregates.ordered import Last as last
from kappa.aggregates.ordered import MaxBy as max_by
from kappa.aggregates.ordered import MinBy as min_by
from kappa.aggregates.ordered import TopK as top_k
from kappa.aggregates.quantiles import Quantile as quantile
from kappa.aggregates.reducing import Reduce as reduce
from kappa.aggregates.totals import Count as count
from kappa.aggregates.totals import Max as max
from kappa.aggregates.totals import Mean as mean
from kappa.aggregates.totals import Min as min
from kappa.aggregates.totals import Stddev as stddev
from kappa.aggregates.totals import Sum as sum
from kappa.aggregates.totals import Variance as variance

__all__ = [
    "approx_distinct",
    "collect",
    "count",
    "count_distinct",
    "first",
    "last",
    "max",
    "max_by",
    "mean",
    "min",
    "min_by",
    "quantile",
    "reduce",
    "stddev",
    "sum",
    "top_k",
    "variance",
]
