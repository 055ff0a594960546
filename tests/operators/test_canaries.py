"""What the harness of keyed steps must catch: parts broken on purpose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import Phase, find, settings
from hypothesis import strategies as st
from operators.keyed_runs import cuts, histories, outputs, same_however_cut

from kappa.batch import Batch
from kappa.expressions import Selector
from kappa.operators import Deduplicate, Process, RunningAggregate
from kappa.operators.contract import Instance, OperatorContext
from kappa.state import KeyedState
from kappa.time import PLUS_INFINITY

KEY = Selector.of("k")
GENERATE = settings(max_examples=2_000, phases=[Phase.generate], database=None)


def caught(operator: Any) -> None:
    """Some small history shows the fault, through R1 alone or through an error."""

    def differs(case: Any) -> bool:
        history, cut = case
        try:
            same_however_cut(operator, history, cut)
        except AssertionError:
            return True
        return False

    find(st.tuples(histories(), cuts()), differs, settings=GENERATE)


@dataclass(frozen=True)
class Unbounded(Deduplicate):
    """Says that a record's time has no effect, though it is forgotten."""

    def bound(self, min_time: int) -> int:
        return PLUS_INFINITY


class Hidden:
    """Remembers in a list what it should declare."""

    def open(self, ctx: Any) -> None:
        self.seen: list[Any] = []

    def on_record(self, row: Any, ctx: Any) -> None:
        self.seen.append(row["n"])
        ctx.emit(len(self.seen))


class Sneaky:
    """Sees the watermark, and says that it does not."""

    reads_watermark = False

    def on_record(self, row: Any, ctx: Any) -> None:
        ctx.emit(ctx._owner._watermark)


@dataclass(frozen=True)
class Forgetful(RunningAggregate):
    """Keeps accumulators beside its state."""

    def open(self, context: OperatorContext) -> Instance:
        instance: Any = super().open(context)
        instance._state = KeyedState("elsewhere")
        return instance  # type: ignore[no-any-return]


def test_the_harness_catches_what_is_broken() -> None:
    from kappa.aggregates import agg

    caught(Unbounded(KEY, within=5))
    caught(Process(KEY, Hidden))
    caught(Process(KEY, Sneaky))
    caught(Forgetful(KEY, {"n": agg.count()}))


def test_a_batch_that_was_emitted_does_not_change() -> None:
    """A process function that shares its state with its output would be seen to."""

    class Shares:
        def on_record(self, row: Any, ctx: Any) -> None:
            ctx.emit(row)
            row["n"] = -1

    history: Any = [([(0, {"k": "a", "n": 5})], 0)]
    assert outputs(Process(KEY, Shares), history) == {(1, ""): [(0, {"k": "a", "n": 5})]}
    batch = Batch.of_rows([{"n": 5}], [0], lsn=1)
    with pytest.raises(AssertionError):
        batch.rows()[0]["n"] = -1
        assert batch.rows() == [{"n": 5}]
