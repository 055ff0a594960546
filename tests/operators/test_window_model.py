"""Every kind of window, trigger, pane mode and lateness against the naive model.

Method: random logs with random watermarks; the engine takes them in with random cuts,
snapshots and restarts, as rows or as columns; each append must give what the model gives,
row by row and in order. The driver cuts wherever `due` and `bound` let it, so a bound that
is too generous shows.
"""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given
from strategies import examples
from window_cases import EARLY, ENGINE, MODEL, WINDOWS, compare, cuts, logs
from window_model import Case

from kappa.expressions import Selector
from kappa.operators import WindowAggregate
from kappa.triggers import AtWatermark, OnCount


def cases() -> list[Any]:
    """Every window with plain panes, and with every trigger that it takes."""
    found = []
    for window, (kind, _) in WINDOWS.items():
        timed = kind[0] not in ("count", "global")
        latenesses = (0, 4, 12) if timed else (0,)
        found += [(window, lateness, "accumulating", None, 1) for lateness in latenesses]
        if kind[0] == "count":
            continue
        for early in EARLY:
            for number, mode in enumerate(("accumulating", "discarding", "retracting")):
                late = (1, 3)[number % 2]
                found.append((window, latenesses[-1], mode, early, late))
    return found


@pytest.mark.parametrize("window, lateness, mode, early, late", cases())
@given(data=st.data())
@examples(25)
def test_engine_gives_what_the_model_gives(
    window: str, lateness: int, mode: str, early: str | None, late: int, data: st.DataObject
) -> None:
    kind, description = WINDOWS[window]
    paned = early is not None
    model, trigger = EARLY[early] if paned else (None, None)
    case = Case(kind, MODEL, lateness, mode, paned, model, late)
    step = WindowAggregate(
        Selector.of("k"),
        description,
        ENGINE,
        trigger=AtWatermark(early=trigger, late=OnCount(late)) if paned else None,
        panes=mode,
        lateness=lateness,
    )
    log = data.draw(logs(nulls=data.draw(st.booleans())))
    compare(case, step, log, data.draw(cuts()))
