"""kappa: one log, one clock, one code path.

A durable log feeds graphs of operators with event-time windows, watermarks and
checkpointed state; a batch job is a replay of the log through the same graph.

>>> from kappa import Log, Pipeline, Tumbling, agg
>>> log = Log.memory()
>>> topic = log.create_topic("bids", key="auction", time="ts")
>>> result = log.append("bids", [{"auction": 1, "price": 250, "ts": 1_700_000_000_000}])
>>> pipeline = Pipeline("hot-items")
>>> bids = pipeline.source("bids", out_of_orderness="2s")
>>> totals = bids.key_by("auction").window(Tumbling("10s")).aggregate(total=agg.sum("price"))
>>> stream = totals.to("totals")
>>> pipeline.replay(log).records_out
1
>>> log.close()
"""

from typing import TYPE_CHECKING, Any

from kappa.version import __version__

if TYPE_CHECKING:  # at run time a name is imported when it is first asked for: see _HOMES
    from kappa.aggregates import Aggregate, agg
    from kappa.contracts import expectations
    from kappa.errors import KappaError
    from kappa.expressions import (
        Expression,
        asc,
        col,
        desc,
        left,
        lit,
        meta,
        param,
        right,
        secret,
        when,
    )
    from kappa.log import Log, Record, View
    from kappa.operators import privacy
    from kappa.pipeline import Pipeline
    from kappa.runtime.results import Progress, RunResult
    from kappa.state import BroadcastState, ListState, MapState, ValueState
    from kappa.streams import KeyedStream, Stream, Table
    from kappa.time import ManualClock
    from kappa.triggers import AtWatermark, Every, OnCount
    from kappa.windows import Calendar, Count, Global, Session, Sliding, Tumbling

__all__ = [
    "Aggregate",
    "AtWatermark",
    "BroadcastState",
    "Calendar",
    "Count",
    "Every",
    "Expression",
    "Global",
    "KappaError",
    "KeyedStream",
    "ListState",
    "Log",
    "ManualClock",
    "MapState",
    "OnCount",
    "Pipeline",
    "Progress",
    "Record",
    "RunResult",
    "Session",
    "Sliding",
    "Stream",
    "Table",
    "Tumbling",
    "ValueState",
    "View",
    "__version__",
    "agg",
    "asc",
    "col",
    "desc",
    "expectations",
    "left",
    "lit",
    "meta",
    "param",
    "privacy",
    "right",
    "secret",
    "when",
]

_HOMES = {
    "kappa.aggregates": "Aggregate agg",
    "kappa.contracts": "expectations",
    "kappa.errors": "KappaError",
    "kappa.expressions": "Expression asc col desc left lit meta param right secret when",
    "kappa.log": "Log Record View",
    "kappa.operators": "privacy",
    "kappa.pipeline": "Pipeline",
    "kappa.runtime.results": "Progress RunResult",
    "kappa.state": "BroadcastState ListState MapState ValueState",
    "kappa.streams": "KeyedStream Stream Table",
    "kappa.time": "ManualClock",
    "kappa.triggers": "AtWatermark Every OnCount",
    "kappa.windows": "Calendar Count Global Session Sliding Tumbling",
}
"""Where each name is at home. `import kappa` costs milliseconds; a program pays for the parts
that it uses."""

_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'kappa' has no attribute {name!r}")
    from importlib import import_module

    found = globals()[name] = getattr(import_module(home), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
