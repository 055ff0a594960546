"""Several aggregates on one accumulator: who has which slots, and the compiled work on them.

An accumulator is one flat list. A `Layout` gives every aggregate its slots, every distinct
source one column and every distinct condition another, and fills the templates of `Code`.
Generated text names the columns' values `v0`, `v1` … (sources) and `w0`, `w1` …
(conditions), the event time `t`, and helpers `h<aggregate>_<name>`.

A part is *tight* in a batch if it has no condition and its columns hold no null there: the
first row of a key sets its slots, and every later row finds them set. A kernel for tight
parts leaves out the tests for null and for slots without a value, unless the accumulators
are *loose*: some part that has no condition may have met rows without a value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from kappa.aggregates.contract import Aggregate, Code, Exactness, number
from kappa.batch import Batch
from kappa.batch.generated import build
from kappa.errors import ConfigError
from kappa.expressions import Selector

Accumulator = list[Any]


@dataclass(frozen=True)
class Part:
    """One aggregate's place: its first slot, its columns and its condition's column."""

    name: str
    number: int
    aggregate: Aggregate
    code: Code
    at: int
    values: tuple[int, ...]
    condition: int | None

    @property
    def flat(self) -> bool:
        """Whether its slots can be copied as they are: they hold no container."""
        return not self.code.copied and all(text in ("0", "None") for text in self.code.empty)

    @property
    def risk(self) -> int:
        """0 where slots are replaced, 1 where they are changed in place, 2 without fail."""
        return 0 if self.flat else 2 if self.aggregate.sure else 1

    def fill(self, template: str, *, a: str = "a", b: str = "b", solid: bool = False) -> str:
        """A template with its names in braces filled in."""
        words = {name: f"h{self.number}_{name}" for name in self.code.names}
        for slot in range(len(self.code.empty)):
            words[f"a{slot}"] = f"{a}[{self.at + slot}]"
            words[f"b{slot}"] = f"{b}[{self.at + slot}]"
        for letter, value in zip("xy", self.values):
            words[letter] = f"v{value}"
        if self.values:
            words["n"] = words["x"] if solid else f"number({words['x']})"
        words["t"] = "t"
        return template.format_map(words)


class Layout:
    """The accumulator of several aggregates by output name.

    Args:
        aggregates: by name, in the order of the output's columns.

    Attributes:
        width: number of slots.
        values: the distinct sources.
        conditions: the distinct conditions.
        timed: whether a row's event time is used.
        whole: names of aggregates whose results are ints.
        shares: numbers of aggregates whose results may share objects with the slots.

    Raises:
        ConfigError: there are none, or one is something else.

    >>> from kappa.aggregates import agg
    >>> layout = Layout({"bids": agg.count(), "open": agg.sum("price", where="open")})
    >>> accumulator = layout.fresh()
    >>> layout.add(accumulator, 0, 250, True)
    >>> layout.add(accumulator, 0, 100, False)
    >>> accumulator, layout.read(accumulator)
    ([2, 250], (2, 250))
    """

    def __init__(self, aggregates: Mapping[str, Aggregate]) -> None:
        if not aggregates:
            raise ConfigError("aggregate needs at least one aggregate, such as n=agg.count()")
        self.values: list[Selector] = []
        self.conditions: list[Selector] = []
        self.width = 0
        parts: list[Part] = []
        for name, aggregate in aggregates.items():
            if not isinstance(aggregate, Aggregate):
                raise ConfigError(
                    f"aggregate {name!r} is {aggregate!r}: use agg.count(), agg.sum(...) …"
                )
            parts.append(self._part(name, len(parts), aggregate))
        self.parts = tuple(parts)
        self.names = tuple(part.name for part in parts)
        self.whole = frozenset(part.name for part in parts if part.aggregate.whole)
        self.shares = tuple(part.number for part in parts if part.aggregate.shares)
        self.timed = any(aggregate.timed for aggregate in aggregates.values())
        self.namespace: dict[str, object] = {"number": number, "Exception": Exception}
        for part in parts:
            for name, value in part.code.names.items():
                self.namespace[f"h{part.number}_{name}"] = value

    def _part(self, name: str, index: int, aggregate: Aggregate) -> Part:
        code = aggregate.code()
        values = tuple(_place(self.values, source) for source in aggregate.sources)
        where = aggregate.where
        condition = None if where is None else _place(self.conditions, where)
        part = Part(name, index, aggregate, code, self.width, values, condition)
        self.width += len(code.empty)
        return part

    # -- what it asks of its input ---------------------------------------------------------

    @property
    def fields(self) -> frozenset[str] | None:
        """The fields read; None for all, because a function is among the sources."""
        found: frozenset[str] = frozenset()
        for selector in (*self.values, *self.conditions):
            if selector.fields is None:
                return None
            found |= selector.fields
        return found

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of a row's values and conditions in generated text, in column order."""
        values = [f"v{number}" for number in range(len(self.values))]
        return (*values, *(f"w{number}" for number in range(len(self.conditions))))

    def bind(self, params: Mapping[str, Any], *, fresh: bool = False) -> Inputs:
        """What computes the columns of a batch, with the parameters' values.

        Args:
            fresh: functions get rows that no other consumer sees.
        """
        return Inputs(self, params, fresh=fresh)

    @property
    def exact_merge(self) -> Exactness:
        """The weakest of the aggregates'."""
        kinds = {part.aggregate.exact_merge for part in self.parts}
        return "never" if "never" in kinds else "ints" if "ints" in kinds else "always"

    def unmergeable(self) -> list[str]:
        """Names of the aggregates whose accumulators cannot be merged."""
        return [part.name for part in self.parts if not part.aggregate.mergeable]

    # -- source text -------------------------------------------------------------------------

    def tight(self, part: Part, solid: Sequence[bool]) -> bool:
        """Whether every row of a batch with these solid columns gives the part a value."""
        return part.condition is None and all(solid[value] for value in part.values)

    def loosens(self, solid: Sequence[bool]) -> bool:
        """Whether such a batch may leave a part without condition without a value."""
        return any(
            part.code.unset and part.condition is None and not self.tight(part, solid)
            for part in self.parts
        )

    @property
    def empty(self) -> str:
        """Items of the list before any row."""
        return ", ".join(part.fill(text) for part in self.parts for text in part.code.empty)

    def start(self, solid: Sequence[bool]) -> str:
        """Items of the list after one row: set where the part is tight, else empty."""
        items: list[str] = []
        for part in self.parts:
            tight = self._starts(part, solid)
            templates = part.code.first if tight else part.code.empty
            items += [part.fill(template, solid=tight) for template in templates]
        return ", ".join(items)

    def _starts(self, part: Part, solid: Sequence[bool]) -> bool:
        return bool(part.code.first) and self.tight(part, solid)

    def rest(self, solid: Sequence[bool], *, a: str = "a") -> list[str]:
        """Statements that take in the first row where `start` left slots empty."""
        parts = [part for part in self.parts if not self._starts(part, solid)]
        return self._adds(parts, solid, loose=True, a=a)

    def adds(self, solid: Sequence[bool], *, loose: bool, a: str = "a") -> list[str]:
        """Statements that take a row into an accumulator.

        Args:
            solid: per source, whether its column holds no null (and only numbers).
            loose: test every slot for having no value yet.
            a: the accumulator's name in the text.
        """
        return self._adds(self.parts, solid, loose=loose, a=a)

    def _adds(
        self, parts: Sequence[Part], solid: Sequence[bool], *, loose: bool, a: str
    ) -> list[str]:
        # What is changed in place comes last, and what cannot fail comes very last: of a row
        # that fails, a copy of the list taken before then brings all slots back.
        guarded: dict[tuple[int, str], list[str]] = {}
        for part in sorted(parts, key=lambda part: part.risk):
            tests = [] if part.condition is None else [f"w{part.condition}"]
            tests += [f"v{value} is not None" for value in part.values if not solid[value]]
            body = self._add(part, solid, loose=loose, a=a)
            test = " and ".join(dict.fromkeys(tests))
            guarded.setdefault((part.risk, test), []).extend(body)
        lines: list[str] = []
        for (_, test), body in guarded.items():
            lines += [f"if {test}:", *indented(body)] if test else body
        return lines

    def _add(self, part: Part, solid: Sequence[bool], *, loose: bool, a: str) -> list[str]:
        code, numbers = part.code, all(solid[value] for value in part.values)
        add = [part.fill(line, a=a, solid=numbers) for line in code.add]
        if not code.unset or (self.tight(part, solid) and not loose):
            return add
        first = [
            f"{a}[{part.at + slot}] = {part.fill(template, solid=numbers)}"
            for slot, template in enumerate(code.first)
        ]
        return [f"if {part.fill(code.unset, a=a)}: {'; '.join(first)}", "else:", *indented(add)]

    def merges(self, *, a: str = "a", b: str = "b") -> list[str]:
        """Statements that take accumulator `b` into `a`."""
        lines: list[str] = []
        for part in self.parts:
            code = part.code
            body = [part.fill(line, a=a, b=b) for line in code.merge]
            if not code.unset:
                lines += body
                continue
            copies = code.copied or tuple(f"{{b{slot}}}" for slot in range(len(code.empty)))
            copy = [
                f"{a}[{part.at + slot}] = {part.fill(template, a=a, b=b)}"
                for slot, template in enumerate(copies)
            ]
            lines += [
                f"if {part.fill(code.unset, a=b)}: pass",
                f"elif {part.fill(code.unset, a=a)}: {'; '.join(copy)}",
                "else:",
                *indented(body),
            ]
        return lines

    def copies(self, *, a: str = "a", b: str = "b") -> list[str]:
        """Statements that make `a` a copy of accumulator `b`."""
        if all(part.flat for part in self.parts):
            return [f"{a} = [{', '.join(f'{b}[{slot}]' for slot in range(self.width))}]"]
        return [f"{a} = [{self.empty}]", *self.merges(a=a, b=b)]

    # -- compiled ------------------------------------------------------------------------------

    def build(self, source: str, name: str, **namespace: object) -> Callable[..., Any]:
        """A function of generated text that may name this layout's helpers."""
        return build(source, name, {**self.namespace, **namespace})

    @cached_property
    def fresh(self) -> Callable[[], Accumulator]:
        """An accumulator without values."""
        return self.build(f"def fresh():\n    return [{self.empty}]\n", "fresh")

    @cached_property
    def add(self) -> Callable[..., None]:
        """`add(accumulator, time, *values, *conditions)` takes in one row."""
        unsure = (False,) * len(self.values)
        body = indented(self.adds(unsure, loose=True))
        head = ", ".join(("a", "t", *self.variables))
        return self.build("\n".join([f"def add({head}):", *body, ""]), "add")

    @cached_property
    def merge(self) -> Callable[[Accumulator, Accumulator], None]:
        """`merge(a, b)` takes the later accumulator `b` into `a`."""
        return self.build("\n".join(["def merge(a, b):", *indented(self.merges()), ""]), "merge")

    @cached_property
    def read(self) -> Callable[[Accumulator], tuple[Any, ...]]:
        """The results of one accumulator, in the order of `names`."""
        items = "".join(f"{part.fill(part.code.result)}, " for part in self.parts)
        return self.build(f"def read(a):\n    return ({items})\n", "read")

    @cached_property
    def results(self) -> Callable[[Sequence[Accumulator]], list[list[Any]]]:
        """The results of many accumulators: one column per aggregate."""
        items = "".join(
            f"        [{part.fill(part.code.result)} for a in rows],\n" for part in self.parts
        )
        return self.build(f"def results(rows):\n    return [\n{items}    ]\n", "results")


class Inputs:
    """The columns an accumulator takes in, computed from a batch: sources, then conditions.

    Attributes:
        parts: what computes each, in the order of the layout's variables.
    """

    def __init__(self, layout: Layout, params: Mapping[str, Any], *, fresh: bool) -> None:
        self._values = layout.values
        self.parts = [selector.bind(params, fresh=fresh) for selector in layout.values]
        self.parts += [
            condition.bind(params, fresh=fresh, mask=True) for condition in layout.conditions
        ]

    def columns(self, batch: Batch) -> list[list[Any]]:
        """One list per variable of the layout.

        Raises:
            RowFailure: a row does not have a field, or a function failed on it.
        """
        return [part(batch) for part in self.parts]

    def solid(self, batch: Batch) -> tuple[bool, ...]:
        """Per source, whether its column is known to hold only numbers and no null."""
        return tuple(selector.solid(batch) for selector in self._values)


def indented(lines: Sequence[str], by: int = 1) -> list[str]:
    """Lines moved in by steps of four spaces."""
    return ["    " * by + line for line in lines]


def _place(selectors: list[Selector], selector: Selector) -> int:
    """The selector's number among those known, added if it is new."""
    if selector not in selectors:
        selectors.append(selector)
    return selectors.index(selector)
