"""Canaries: windows broken on purpose, which the comparison with the model must catch.

Method: one law is broken at a time, by a subclass or a patch; among random logs and cuts one
has to show it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from strategies import examples
from window_cases import ENGINE, MODEL, WINDOWS, compare, cuts, logs
from window_driver import Cuts
from window_model import Append, Case

from kappa.expressions import Selector
from kappa.operators import WindowAggregate
from kappa.operators.window_aligned import AlignedWindows
from kappa.operators.window_arrivals import Sessions
from kappa.operators.window_blocks import Blocks, cover
from kappa.operators.window_panes import Panes
from kappa.operators.window_rows import Clock
from kappa.time import PLUS_INFINITY
from kappa.triggers import AtWatermark, OnCount


@dataclass(frozen=True)
class Boundless(WindowAggregate):
    """Says that its records never have an effect."""

    def bound(self, min_time: int) -> int:
        return PLUS_INFINITY


def caught(
    window: str,
    *,
    lateness: int = 0,
    kind: Any = WindowAggregate,
    tries: int = 1_500,
    **options: Any,
) -> bool:
    """Whether some log shows that a window differs from the model."""
    model, description = WINDOWS[window]
    paned = bool(options)
    case = Case(model, MODEL, lateness, paned=paned, early=("count", 2, False) if paned else None)
    step = kind(Selector.of("k"), description, ENGINE, lateness=lateness, **options)

    def differs(drawn: tuple[Any, Any]) -> bool:
        try:
            compare(case, step, *drawn)
        except Exception:
            return True
        return False

    how = settings(
        max_examples=tries,
        phases=[Phase.generate],
        database=None,
        suppress_health_check=list(HealthCheck),
        deadline=None,
    )
    try:
        find(st.tuples(logs(False), cuts()), differs, settings=how)
    except Exception:
        return False
    return True


@pytest.mark.parametrize("window", ["tumbling", "sliding", "session"])
def test_a_bound_that_is_too_generous(window: str) -> None:
    assert caught(window, lateness=4, kind=Boundless)


def test_a_window_that_is_never_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AlignedWindows, "due", lambda self: PLUS_INFINITY)
    assert caught("tumbling")


@pytest.mark.parametrize("window, lateness", [("tumbling", 12), ("sliding", 0)])
def test_windows_that_forget_that_they_have_fired(
    window: str, lateness: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def moved(self: Clock, watermark: int) -> None:
        self.reached = max(self.reached, watermark)

    monkeypatch.setattr(Clock, "move", moved)
    assert caught(window, lateness=lateness)


def test_sessions_that_are_not_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Sessions, "note", lambda self, key, sessions: None)
    assert caught("session", lateness=4)


def test_blocks_that_are_kept_when_a_slice_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Blocks, "forget", lambda self, number: None)
    assert caught("sliding many", lateness=12)


def test_a_count_per_batch_instead_of_per_record(monkeypatch: pytest.MonkeyPatch) -> None:
    honest: Callable[..., Any] = Panes.counted
    monkeypatch.setattr(Panes, "counted", lambda self, one, n: honest(self, one, n + 1))
    assert caught("tumbling", trigger=AtWatermark(early=OnCount(2)))


def test_the_honest_ones_are_not_caught() -> None:
    assert not caught("session", lateness=4, tries=40)
    assert not caught("tumbling", trigger=AtWatermark(early=OnCount(2)), tries=40)


@pytest.mark.parametrize("window", ["tumbling", "sliding", "session", "count", "global"])
def test_appends_are_in_fact_taken_together(window: str) -> None:
    kind, description = WINDOWS[window]
    step = WindowAggregate(Selector.of("k"), description, ENGINE)
    log = [Append(((t, {"k": 0, "v": 1}),), t - 3) for t in range(0, 60, 2)]
    engine = compare(Case(kind, MODEL), step, log, Cuts(at_once=(9,)))
    assert engine.taken_together >= 3


@given(first=st.integers(-70, 70), length=st.integers(0, 70))
@examples(200)
def test_blocks_cover_a_window_exactly(first: int, length: int) -> None:
    found: list[int] = []
    blocks = list(cover(first, first + length))
    for level, number in blocks:
        found += range(number << level, (number + 1) << level)
    assert found == list(range(first, first + length))
    assert len(blocks) <= 2 * max(1, length).bit_length()
