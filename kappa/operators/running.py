"""Aggregates without a window: one row per record, with the values of its key so far.

The loop is generated for exactly the aggregates that were asked for, once per combination
of columns known to hold only numbers; `kappa.aggregates.layout` has the texts. Time plays no
part, so late records count like any other, and batches of any number of LSNs are taken in
at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from kappa.aggregates import Layout, Part, indented
from kappa.batch import Batch
from kappa.codec import check_key
from kappa.expressions import Selector
from kappa.operators.contract import Instance, OperatorContext
from kappa.operators.failing import evaluate
from kappa.operators.grouped import GroupAggregate
from kappa.operators.keyed import key_columns, run_rows
from kappa.state import detached


@dataclass(frozen=True)
class RunningAggregate(GroupAggregate):
    """The aggregates of all records of a key so far; one row out per record in.

    The output row is the key field(s) and the aggregates, with the record's time.

    >>> from kappa.aggregates import agg
    >>> RunningAggregate(Selector.of("user"), {"n": agg.count()}).describe()
    'keeps n per user, for ever'
    """

    kind: ClassVar[str] = "running_aggregate"
    counts_rows: ClassVar[bool] = True

    def open(self, context: OperatorContext) -> Instance:
        """The instance on the step's state."""
        return Running(self.key, self.layout, context)


class Running(Instance):
    """Accumulators by key, in the step's state."""

    def __init__(self, key: Selector, layout: Layout, context: OperatorContext) -> None:
        read = (key, *layout.values, *layout.conditions)
        self._parts = [one.bind(context.params, fresh=context.shared) for one in read]
        self._names = key.names
        self._layout = layout
        self._inputs = layout.bind(context.params)
        self._context = context
        self._state = context.state.keyed("accumulators")
        self._kernels: dict[tuple[bool, ...], Callable[..., None]] = {}
        self._loose: bool | None = None

    def process(self, batch: Batch) -> Iterable[Batch]:
        """One row per row."""
        context = self._context
        batch, (keys, *columns), dead = evaluate(self._parts, batch, context)
        kernel, state = self._kernel(self._inputs.solid(batch)), self._state
        outs: list[Any] = []

        def run(*columns: list[Any]) -> None:
            kernel(state.new, state.touch, outs.append, *columns)

        failed = run_rows(run, batch, keys, [batch.times, *columns], outs, context)
        if failed:
            kept = [index for index, out in enumerate(outs) if out is not None]
            batch = batch.take(kept)
            keys = [keys[index] for index in kept]
            outs = [outs[index] for index in kept]
        results = map(list, zip(*outs, strict=True)) if outs else ([] for _ in self._layout.names)
        made = key_columns(self._names, keys) | dict(zip(self._layout.names, results, strict=True))
        return [batch.with_columns(made), *dead, *failed]

    def _kernel(self, solid: tuple[bool, ...]) -> Callable[..., None]:
        if self._loose is None:  # what was restored may have met rows without a value
            self._loose = bool(self._state)
        if not self._loose and self._layout.loosens(solid):
            self._loose = True
            self._kernels.clear()
        kernel = self._kernels.get(solid)
        if kernel is None:
            guarded = self._context.dead_letters
            source = kernel_source(self._layout, solid, loose=self._loose, guarded=guarded)
            kernel = self._layout.build(source, "run", check=check_key, detached=detached)
            self._kernels[solid] = kernel
        return kernel


def kernel_source(
    layout: Layout, solid: tuple[bool, ...], *, loose: bool, guarded: bool = False
) -> str:
    """The text of the loop over a batch.

    Args:
        layout: the accumulator.
        solid: per source, whether its column holds only numbers.
        loose: accumulators may lack values.
        guarded: a row that fails leaves its accumulator as it was.

    >>> from kappa.aggregates import Layout, agg
    >>> print(kernel_source(Layout({"n": agg.count()}), (), loose=False))
    def run(new, touch, emit, ck, ct):
        get = new.get
        for k, t in zip(ck, ct):
            a = get(k)
            if a is None:
                a = touch(k)
            if a is None:
                check(k)
                a = [1]
                new[k] = a
            else:
                a[0] += 1
            emit((a[0],))
    <BLANKLINE>
    """
    adds = layout.adds(solid, loose=loose)
    if guarded:
        adds = [
            "s = a[:]",
            "try:",
            *indented(adds),
            "except:",
            "    a[:] = s",
            "    raise",
        ]
    arguments = ", ".join(("ck", "ct", *(f"c{name}" for name in layout.variables)))
    targets = ", ".join(("k", "t", *layout.variables))
    results = "".join(f"{_result(part)}, " for part in layout.parts).strip(" ")
    lines = [
        f"def run(new, touch, emit, {arguments}):",
        "    get = new.get",
        f"    for {targets} in zip({arguments}):",
        "        a = get(k)",
        "        if a is None:",
        "            a = touch(k)",
        "        if a is None:",
        "            check(k)",
        f"            a = [{layout.start(solid)}]",
        *indented(layout.rest(solid), 3),
        "            new[k] = a",
        "        else:",
        *indented(adds, 3),
        f"        emit(({results if len(layout.parts) == 1 else results.rstrip(',')}))",
        "",
    ]
    return "\n".join(lines)


def _result(part: Part) -> str:
    text = part.fill(part.code.result)
    # A function of the user's may go on changing what it returned.
    return f"detached({text})" if part.aggregate.kind == "reduce" else text
