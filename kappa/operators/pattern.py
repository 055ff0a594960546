"""pattern: sequences of rows of a key, in event time, as SQL's MATCH_RECOGNIZE finds them.

`pattern_search` finds them row by row, `pattern_words` says what conditions see; here are the
description, and rows that wait until the watermark has passed them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, TypeAlias

from kappa.batch import Batch
from kappa.errors import ConfigError
from kappa.expressions import Expression, Selector
from kappa.operators.contract import (
    ALL_HISTORY,
    Fields,
    Instance,
    Names,
    Operator,
    OperatorContext,
    both,
)
from kappa.operators.forgetting import Forgetting
from kappa.operators.keyed import check_names, key_row
from kappa.operators.pattern_checks import check_pattern, lookback
from kappa.operators.pattern_search import Program, Search, Test
from kappa.operators.pattern_words import Link, Match, Memory, Rows, Words, chain, takes_match
from kappa.operators.waiting import Firing, Firings, Waiting
from kappa.operators.window_rows import LATE
from kappa.patterns import MAX_WAYS, NONE, PAST_LAST, STRICT, TO_NEXT, PatternRow, Skip
from kappa.time import MAX_TIME, PLUS_INFINITY, Duration, duration_ms, format_duration

Result: TypeAlias = "Callable[[Rows, Link, Memory], Any]"
Results: TypeAlias = "Mapping[str, Expression | Callable[[Match], Any]]"


@dataclass(frozen=True)
class Pattern(Operator):
    """One row per match: the key field(s) and the results.

    Rows of a key are taken by event time, then arrival, as the watermark passes them; late
    ones go to the side "late". Of all matches that begin at a row the preferred one counts,
    which a search that goes back where it is stuck would find first: greedy variables take
    as many rows as the rest allows, reluctant ones as few. A match comes out, with that event
    time, when it is decided: at the row after which no preferred one is possible, or `within`
    after its first row; what is undecided comes when the pipeline is closed.

    Args:
        key: what groups the rows.
        rows: the variables, in order.
        select: the results by name: expressions, in which a bare field is that of the last
            row, or functions of the `Match`.
        within: the last row lies less than this behind the first.
        skip: where the search goes on behind a match: "past_last" row, "to_next" row behind
            the first, `to_first(variable)`, `to_last(variable)`; a match never begins where
            the last one did. "none": every match from every row comes out.
        contiguity: of variables that do not say: "strict", "relaxed" or "any".

        max_ways: through the pattern that may be under way from one row; with "any" and an
            open end they can double with every row. One more is an error of that row.

    Raises:
        ConfigError: an argument is wrong, or a name unknown.

    Cost: per row, a few microseconds for each way through the pattern that is under way. With
    "to_next" and "none" every row of an unfinished match is a start.

    >>> from kappa.expressions import col
    >>> from kappa.patterns import matched, prev, row
    >>> Pattern(
    ...     Selector.of("user"),
    ...     [row("first"), row("more", col("price") > prev("price"), times="+")],
    ...     {"n": matched("more").count()},
    ...     within="10s",
    ... ).describe()
    'keeps rows per user that may belong to a match, for 10s behind the watermark'
    """

    key: Selector
    rows: Sequence[PatternRow]
    select: Results
    within: Duration | None = None
    skip: str | Skip = PAST_LAST
    contiguity: str = STRICT
    max_ways: int = MAX_WAYS

    kind: ClassVar[str] = "pattern"
    stateful: ClassVar[bool] = True
    counts_rows: ClassVar[bool] = True
    sides: ClassVar[tuple[str, ...]] = (LATE,)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", tuple(self.rows))
        if self.within is not None:
            within = duration_ms(self.within, name="pattern: within", minimum=1)
            object.__setattr__(self, "within", within)
        if type(self.max_ways) is not int or self.max_ways < 1:
            raise ConfigError(f"pattern: max_ways is {self.max_ways!r}, must be at least 1")
        check_pattern(self.rows, self.select, self.skip, self.contiguity, self.span)
        check_names(self.key, tuple(self.select), self.kind)

    @property
    def span(self) -> int | None:
        """`within` in ms."""
        return None if self.within is None else duration_ms(self.within)

    @cached_property
    def variables(self) -> tuple[PatternRow, ...]:
        """The rows, each with its contiguity."""
        return tuple(
            replace(one, contiguity=one.contiguity or self.contiguity) for one in self.rows
        )

    @property
    def expressions(self) -> list[Expression]:
        """All conditions and results that are expressions."""
        every = [*(one.condition for one in self.rows), *self.select.values()]
        return [one for one in every if isinstance(one, Expression)]

    @property
    def lookback(self) -> int:
        """How many rows before the first of a match its expressions look at."""
        return lookback(self.rows, self.select)

    def open(self, context: OperatorContext) -> Instance:
        """The instance on the step's state."""
        return PatternInstance(self, context)

    def required(self, wanted: Fields) -> Fields:
        """The fields of the key, the conditions and the results."""
        fields = self.key.fields
        for one in (*(one.condition for one in self.rows), *self.select.values()):
            if isinstance(one, Expression):
                fields = both(fields, one.fields)
            elif one is not None:
                fields = both(fields, None if takes_match(one) else _reads(one, self.select))
        return fields

    @property
    def margin_before(self) -> int | None:
        """`within`, where matches do not depend on where others began or on rows before."""
        alone = self.skip in (NONE, TO_NEXT) and not self.lookback
        return self.span if alone else ALL_HISTORY

    @property
    def margin_after(self) -> int:
        """`within`: so much later a row may still decide on a match."""
        return self.span or 0

    def yields(self, inputs: Sequence[Names]) -> Names:
        """The key field(s) and the results."""
        return (*self.key.names, *self.select)

    def bound(self, min_time: int) -> int:
        """When the row is gone through, or is late."""
        return min_time

    def describe(self) -> str:
        """What it keeps, and for how long."""
        name = self.key.name or "group"
        what = f"keeps rows per {name} that may belong to a match"
        before = f", and {self.lookback} before, for ever" if self.lookback else ""
        if self.span is None:
            return f"{what}, for ever{before}; give within= to bound it"
        return f"{what}, for {format_duration(self.span)} behind the watermark{before}"


def _reads(function: Any, results: Results) -> Fields:
    """The fields that a condition reads of its row; a result sees whole rows."""
    if any(function is one for one in results.values()):
        return None
    return Selector.of(function).fields


class PatternInstance(Instance):
    """Rows that wait, and those under way, in state: "rows", key -> [lead, entries].

    The ways through the pattern are made anew from these rows when the step is opened.
    """

    def __init__(self, operator: Pattern, context: OperatorContext) -> None:
        self._context = context
        self._within = operator.span
        self._key_names = operator.key.names
        every = [*(one.condition for one in operator.rows), *operator.select.values()]
        self._typed = any(one is not None and not isinstance(one, Expression) for one in every)
        self._names = [one.name for one in operator.rows]
        words = Words(operator.rows, operator.expressions, context.params)
        self._results = [(name, self._result(one, words)) for name, one in operator.select.items()]
        tests = [_test(one.condition, words, self._names) for one in operator.rows]
        self._program = Program(
            operator.variables,
            operator.span,
            operator.skip,
            words,
            tests,
            operator.lookback,
            operator.max_ways,
        )
        self._parts = [operator.key.bind(context.params, fresh=context.shared)]
        self._waiting = Waiting(context)
        self._state = context.state.keyed("rows")
        self._searches: dict[Any, Search] = {}
        self._deadlines = Forgetting(self._known_deadlines)

    def _result(self, result: Any, words: Words) -> Result:
        """What gives a result of a match, from its rows, last link and memory."""
        if isinstance(result, Expression):
            formula = words.formula(result)
            return lambda rows, link, memory: formula(rows, link.number, memory)
        function: Callable[[Match], Any] = result
        return lambda rows, link, memory: function(Match(rows, link, self._names))

    def _known_deadlines(self) -> Iterator[tuple[int, Any]]:
        if self._within is not None:
            for key, (lead, entries) in self._state.items():
                if lead < len(entries):
                    yield entries[lead][0] + self._within - 1, key

    # -- the contract --------------------------------------------------------------------------

    def process(self, batch: Batch) -> Iterable[Batch]:
        """Has rows wait; late ones and dead letters come at once."""
        return self._waiting.take(batch, self._parts, typed=self._typed)

    def due(self) -> int:
        """When the next row is gone through, or a start is decided by time."""
        return min(self._waiting.due(), self._deadlines.due())

    def advance(self, watermark: int) -> Iterable[Batch]:
        """Goes through the rows that the watermark has passed; the matches."""
        firings = Firings(self._context)
        closing = watermark >= PLUS_INFINITY
        passed = dict(self._waiting.pop(watermark))
        keys = dict.fromkeys([*passed, *self._deadlines.pop(watermark)])
        if closing:
            keys |= dict.fromkeys(self._state.keys())
        for key in keys:
            self._run(firings, key, passed.get(key, []), watermark, closing)
        return firings.batches()

    def _run(
        self, firings: Firings, key: Any, entries: list[Any], watermark: int, closing: bool
    ) -> None:
        search = self._search(key)

        def emit(instant: int, link: Link) -> None:
            self._emit(firings, search, instant, link)

        def fail(instant: int, entry: list[Any], error: Exception) -> None:
            time, row, own, *_ = entry
            firings.fail(instant, own, time, row, error)

        noted = search.deadline
        search.run(entries, watermark, closing, emit, fail)
        self._keep(key, search, noted)

    def _search(self, key: Any) -> Search:
        search = self._searches.get(key)
        if search is None:
            lead, entries = self._state.get(key) or (0, [])
            search = self._searches[key] = Search(self._program, entries, lead)
        return search

    def _keep(self, key: Any, search: Search, noted: int | None) -> None:
        """Puts the rows under way in state."""
        add = self._deadlines.adder()
        if search.rows.entries:
            self._state.put(key, [search.lead, search.rows.entries])
        else:
            self._state.delete(key)
            del self._searches[key]
        deadline = search.deadline
        if deadline is not None and deadline != noted:
            add(deadline, key)

    # -- matches -------------------------------------------------------------------------------

    def _emit(self, firings: Firings, search: Search, instant: int, link: Link) -> None:
        """The row of a match; a result that fails makes its last row a dead letter."""
        rows, words = search.rows, self._program.words
        taken = chain(link)
        key = rows[taken[0].number][2]
        try:
            memory = words.empty
            for one in taken:
                memory = words.taken(memory, one.variable, rows, one.number)
            made = {name: result(rows, link, memory) for name, result in self._results}
        except Exception as error:
            time, row, *_ = rows[link.number]
            firings.fail(instant, key, time, row, error)
            return
        row = key_row(self._key_names, key) | made
        firings.add(Firing(instant, key, min(instant, MAX_TIME), row))


def _test(condition: Any, words: Words, names: list[str]) -> Test | None:
    """What tells whether a row meets a condition; None if any does."""
    if condition is None:
        return None
    if isinstance(condition, Expression):
        formula = words.formula(condition, mask=True)
        return lambda rows, number, memory, link: formula(rows, number, memory)
    function: Callable[..., Any] = condition
    if takes_match(function):
        return lambda rows, number, memory, link: function(
            rows[number][1], Match(rows, link, names)
        )
    return lambda rows, number, memory, link: function(rows[number][1])
