"""What an operator is: a frozen description that opens into one small instance.

The laws an instance keeps (they are what makes a replay equal the live run):

1. State lives only in the named handles of `OperatorContext.state`; timers only in its
   timer handles. An instance opened on restored state goes on as if it had never stopped.
2. No wall clock, random source, `hash()`, thread or file; nothing is open before `open`.
3. State is iterated in the order of encoded keys or of insertion, never of a set.
4. `process` judges lateness by `batch.watermark` alone. A batch may span several LSNs; the
   runtime cuts it wherever that could show, by `due` and `bound`.
5. What `process` emits is made from its batch (`compress`, `take`, `with_rows`, `emitted`),
   so that every row keeps the LSN it answers. What `advance` emits is `Batch.fired`, ordered
   by (due time, key bytes, tag).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias

from kappa.batch import Batch
from kappa.operators.asking import Outside
from kappa.state import StepState
from kappa.time import MINUS_INFINITY, PLUS_INFINITY

Fields: TypeAlias = "frozenset[str] | None"
"""Names of fields; None stands for all of them, known or not."""

Names: TypeAlias = "tuple[str, ...] | None"
"""The fields of a row in order; None where they are not certain before rows are seen."""

ALL_HISTORY = None
"""The margin of a step whose result may depend on any earlier record."""


def both(one: Fields, other: Fields) -> Fields:
    """The fields of either; all of them if either asks for all.

    >>> sorted(both(frozenset("a"), frozenset("b")))
    ['a', 'b']
    """
    return None if one is None or other is None else one | other


def widened(known: Names, names: Iterable[str]) -> Names:
    """Known fields and further ones behind them, each once.

    >>> widened(("a", "b"), ["b", "c"])
    ('a', 'b', 'c')
    """
    return None if known is None else tuple(dict.fromkeys((*known, *names)))


@dataclass(slots=True)
class OperatorContext:
    """What an instance may touch; given by the runtime, or by a harness.

    Args:
        step: the step's name, the address of its state.
        state: the step's handles.
        params: values of the pipeline's parameters.
        ranked: something behind depends on order, so fired batches need `order`.
        shared: another consumer reads the same batches; take `rows(fresh=True)`.
        dead_letters: a failing record is set aside instead of stopping the run.
        counters: counts by name, such as "late"; summed into the run's result.
        outside: answers what a step asks that `asks`; None where nothing can be asked.
        side_inputs: what was loaded before the first record, by topic and key.
    """

    step: str
    state: StepState
    params: Mapping[str, Any] = field(default_factory=dict)
    ranked: bool = False
    shared: bool = False
    dead_letters: bool = False
    counters: dict[str, int] = field(default_factory=dict)
    outside: Outside | None = None
    side_inputs: Mapping[str, dict[Any, Any]] = field(default_factory=dict)

    def count(self, name: str, number: int = 1) -> None:
        """Adds to a counter of the step."""
        self.counters[name] = self.counters.get(name, 0) + number


class Instance:
    """An opened operator. Subclasses override what they need and nothing else."""

    def process(self, batch: Batch) -> Iterable[Batch]:
        """Takes in the rows of one input port; returns what they cause at once."""
        raise NotImplementedError

    def process_all(self, batches: Sequence[Batch]) -> Iterable[Batch]:
        """Takes in all batches of a unit, where the step keeps no state; by `process`.

        Overridden where having them all at hand saves time, as it does while one waits.
        """
        return [result for batch in batches for result in self.process(batch)]

    def advance(self, watermark: int) -> Iterable[Batch]:
        """Fires, in order, all that is due at or before `watermark`."""
        return ()

    def due(self) -> int:
        """The earliest watermark at which `advance` does something."""
        return PLUS_INFINITY

    def advance_append(self, append_time: int) -> Iterable[Batch]:
        """Fires what is due at or before an append time, before that append's records."""
        return ()

    def append_due(self) -> int:
        """The earliest append time at which `advance_append` does something."""
        return PLUS_INFINITY

    def close(self) -> None:
        """Lets go of what `open` took."""


class Operator:
    """A step's description: frozen, comparable, printable; it knows no runtime.

    Subclasses are frozen dataclasses. `kind` names the step where the user did not.
    """

    kind: ClassVar[str] = "operator"
    stateful: ClassVar[bool] = False
    sides: ClassVar[tuple[str, ...]] = ()
    uses_append_time: ClassVar[bool] = False
    asks: ClassVar[bool] = False
    """Whether it asks outside; then its name is the address of its answers."""

    counts_rows: ClassVar[bool] = False
    """Every row that comes in counts as one more, also one that says `retraction`."""

    @property
    def retracts(self) -> bool:
        """Whether it sends rows again with a field `retraction` where they no longer hold."""
        return False

    @property
    def holdback(self) -> int:
        """How far the output's times may lie behind the input's watermark, in ms."""
        return 0

    @property
    def margin_before(self) -> int | None:
        """History in ms that a replay from the middle needs; None for all of it."""
        return ALL_HISTORY if self.stateful else 0

    @property
    def margin_after(self) -> int:
        """How far behind a row's time records may lie that decide it, in ms.

        A replay of a range reads so much more at its end. Meant where `margin_before` is
        known; else everything is read.
        """
        return self.holdback

    def open(self, context: OperatorContext) -> Instance:
        """The instance for one run, on the state that `context` holds."""
        raise NotImplementedError

    def required(self, wanted: Fields) -> Fields:
        """The input fields needed to make the `wanted` output fields."""
        return None

    def required_at(self, port: int, wanted: Fields) -> Fields:
        """Like `required`, of one of several inputs; the same of each unless overridden."""
        return self.required(wanted)

    def yields(self, inputs: Sequence[Names]) -> Names:
        """The fields of every output row, in order, where they are certain; else None.

        Args:
            inputs: the fields of each input's rows, likewise.
        """
        return None

    def bound(self, min_time: int) -> int:
        """The earliest watermark at which a record of `min_time` or later has an effect.

        An effect is a firing, an expiry, or the record being late. The default never
        lets several LSNs be taken in at once.
        """
        return MINUS_INFINITY if self.stateful else PLUS_INFINITY

    def describe(self) -> str:
        """One line for `explain`: what the step keeps, and for how long."""
        return "keeps nothing" if not self.stateful else "keeps state for ever"
