"""One unit through the whole graph, step by step, in the plan's order.

Every edge carries, for the unit's LSNs, a list of batches in LSN order and the watermark
after each LSN. A stateless step passes the watermarks on; a stateful one holds its own
(`driver`); a fan-in orders rows by (LSN, rank) and takes the smallest watermark.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kappa.batch import Batch, RowFailure
from kappa.operators.asking import Outside
from kappa.operators.contract import Instance, Operator, OperatorContext
from kappa.plan import Edge, Plan, SinkSpec, SourceSpec, Step
from kappa.runtime.driver import Driver
from kappa.runtime.locating import StepFailed
from kappa.runtime.merge import merge
from kappa.runtime.watermarks import combine
from kappa.sinks import Sink
from kappa.state import StepState
from kappa.time import MINUS_INFINITY, PLUS_INFINITY, shift

Marks = Sequence["int | None"]


@dataclass(slots=True)
class Output:
    """What reaches one sink in a unit: a topic, or a sink outside by its step's index."""

    topic: str
    batches: list[Batch]
    marks: Marks
    outlet: int | None = None


class Executor:
    """The opened graph of one run.

    Args:
        plan: what to execute.
        states: the state of each stateful step by name; made where missing.
        params: values of the pipeline's parameters.
        outside: answers what steps ask; None where no step asks.
        side_inputs: their content by topic and key.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        states: Mapping[str, StepState] | None = None,
        params: Mapping[str, Any] | None = None,
        outside: Outside | None = None,
        side_inputs: Mapping[str, dict[Any, Any]] | None = None,
    ) -> None:
        self.plan = plan
        self.outside = outside
        self.side_inputs = side_inputs or {}
        self.states: dict[str, StepState] = dict(states or {})
        self.counters: dict[str, dict[str, int]] = {}
        self.instances: dict[int, Instance] = {}
        self.drivers: dict[int, Driver] = {}
        for step in plan.steps:
            if isinstance(step.part, Operator):
                self._open(step, step.part, params or {})

    def _open(self, step: Step, operator: Operator, params: Mapping[str, Any]) -> None:
        if step.stateful:
            state = self.states.setdefault(step.name, StepState(step.name))
        else:
            state = StepState(step.name)
        context = OperatorContext(
            step=step.name,
            state=state,
            params=params,
            ranked=step.ranked,
            shared=step.shared,
            dead_letters=self.plan.catches,
            outside=self.outside,
            side_inputs=self.side_inputs,
        )
        self.counters[step.name] = context.counters
        instance = operator.open(context)
        self.instances[step.index] = instance
        if step.stateful:
            self.drivers[step.index] = Driver(operator, instance, step.index, step.ranked)

    def run(
        self,
        lsns: Sequence[int],
        append_times: Sequence[int],
        sources: Mapping[int, tuple[list[Batch], Marks]],
        *,
        closing: bool = False,
    ) -> list[Output]:
        """Takes in one unit.

        Args:
            lsns: ascending.
            append_times: of each.
            sources: batches and watermarks by the source step's index.
            closing: it is the closing of all windows behind the LSN.

        Raises:
            StepFailed: the user's function failed on a row.
        """
        if self.outside is not None:
            self.outside.begin(lsns[0], lsns[-1], closing=closing)
        flows: dict[Edge, list[Batch]] = defaultdict(list)
        marks: dict[int, Marks] = {}
        outputs: list[Output] = []
        for step in self.plan.steps:
            if isinstance(step.part, SourceSpec):
                flows[Edge(step.index)], marks[step.index] = sources[step.index]
            elif isinstance(step.part, SinkSpec):
                edge = step.inputs[0]
                outputs.append(Output(step.part.topic, flows[edge], marks[edge.node]))
            elif isinstance(step.part, Sink):
                edge = step.inputs[0]
                outputs.append(Output("", flows[edge], marks[edge.node], step.index))
            else:
                self._step(step, step.part, flows, marks, lsns, append_times)
        outputs += [
            self._collected(name, topic, flows, marks)
            for name, topic in self.plan.collected.items()
        ]
        return outputs

    def _step(
        self,
        step: Step,
        operator: Operator,
        flows: dict[Edge, list[Batch]],
        marks: dict[int, Marks],
        lsns: Sequence[int],
        append_times: Sequence[int],
    ) -> None:
        inputs, incoming = self._inputs(step, flows, marks)
        try:
            driver = self.drivers.get(step.index)
            if driver is None:
                results = list(self.instances[step.index].process_all(inputs))
                marks[step.index] = incoming
            else:
                levels = driver.levels(incoming)
                results = driver.run(inputs, levels, lsns, append_times)
                marks[step.index] = held_back(levels, incoming, operator.holdback)
        except RowFailure as failure:
            raise StepFailed(step, failure) from failure.cause
        for result in results:
            if result.count:
                flows[Edge(step.index, result.output)].append(result)

    def _inputs(
        self, step: Step, flows: dict[Edge, list[Batch]], marks: dict[int, Marks]
    ) -> tuple[list[Batch], Marks]:
        if len(step.inputs) == 1:
            edge = step.inputs[0]
            return flows[edge], marks[edge.node]
        incoming = [marks[edge.node] for edge in step.inputs]
        together = [combine(column) for column in zip(*incoming, strict=True)]
        ranked = all(batch.ranks is not None for edge in step.inputs for batch in flows[edge])
        return merge([flows[edge] for edge in step.inputs], ranked=ranked), together

    def _collected(
        self, name: str, topic: str, flows: dict[Edge, list[Batch]], marks: dict[int, Marks]
    ) -> Output:
        """What left any step by one output."""
        lists = [flows[Edge(step.index, name)] for step in self.plan.steps]
        found = [batches for batches in lists if batches]
        batches = found[0] if len(found) == 1 else merge(found, ranked=False) if found else []
        columns = [marks[step.index] for step in self.plan.sources]
        return Output(
            topic,
            batches,
            [combine(column) for column in zip(*columns, strict=True)],
        )

    def close_all(self, lsn: int, append_time: int) -> list[Output]:
        """Fires all that is left, as if every source claimed the end of time."""
        end: tuple[list[Batch], Marks] = ([], [PLUS_INFINITY])
        sources = {step.index: end for step in self.plan.sources}
        return self.run([lsn], [append_time], sources, closing=True)

    def total(self, counter: str) -> int:
        """A counter summed over all steps."""
        return sum(counts.get(counter, 0) for counts in self.counters.values())

    def watermarks(self) -> dict[str, int]:
        """The watermark of each stateful step by name, for a checkpoint."""
        return {
            self.plan.steps[index].name: driver.watermark for index, driver in self.drivers.items()
        }

    def restore_watermarks(self, levels: Mapping[str, int]) -> None:
        """Goes on from the watermarks of a checkpoint."""
        for index, driver in self.drivers.items():
            driver.watermark = levels.get(self.plan.steps[index].name, MINUS_INFINITY)

    def close(self) -> None:
        """Closes every instance, and lets go of calls under way."""
        for instance in self.instances.values():
            instance.close()
        if self.outside is not None:
            self.outside.close()


def held_back(levels: Sequence[int], incoming: Marks, holdback: int) -> Marks:
    """The watermarks behind a stateful step; idle where its inputs are idle."""
    return [
        None if mark is None else shift(level, -holdback) if holdback else level
        for level, mark in zip(levels, incoming, strict=True)
    ]
