"""The driver: what reaches a stateful step in one LSN reaches it as one arrival."""

from __future__ import annotations

from kappa import Session, agg
from kappa.batch import Batch
from kappa.expressions import Selector
from kappa.operators import OperatorContext, WindowAggregate
from kappa.runtime.driver import Driver, together
from kappa.state import StepState


def at(*times: int, lsn: int) -> Batch:
    return Batch.of_rows([{"k": 1} for _ in times], list(times), lsn=lsn)


def test_two_batches_of_one_lsn_are_one_arrival_for_a_session():
    """Section 4: records of one append and key merge first; a merged session is judged once.

    The first row alone would give a late pane of a session that the second row reopens.
    """
    step = WindowAggregate(Selector.of("k"), Session(15), {"n": agg.count()}, lateness=50)
    driver = Driver(step, step.open(OperatorContext("w", StepState("w"))), 1, False)
    fired = driver.run([at(0, lsn=1)], [25], [1], [0])
    assert [row["n"] for batch in fired for row in batch.rows()] == [1]
    assert driver.run([at(5, lsn=2), at(18, lsn=2)], [25], [2], [0]) == []
    closed = driver.run([], [40], [3], [0])
    assert [row["n"] for batch in closed for row in batch.rows()] == [3]


def test_only_batches_that_share_an_lsn_are_joined():
    joined = together([at(1, lsn=1), at(2, 3, lsn=1), at(4, lsn=2)])
    assert [(batch.count, batch.runs) for batch in joined] == [(3, [(1, 3)]), (1, [(2, 1)])]
