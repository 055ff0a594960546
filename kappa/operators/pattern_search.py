"""The search for matches of a pattern among the rows of one key, row by row.

From a starting row all ways through the pattern are followed at once, in the order of
preference: what a greedy variable takes more of comes first, what a reluctant one leaves
comes first, and taking a row comes before skipping it. The first way in that order which
comes to the end is the match, as a search that tries one way after the other and goes back
would find it. A way that has come to the end cuts off all behind it; the match is decided
when none before it is left.

A way waits for its next row. What may take that row, by preference, are its options:

- strict: only the next row at all;
- relaxed: the first row that any option of the way can take;
- any: every row; the way also goes on without the row.

A start whose ways have all died is given up, and so is every way at a row `within` or more
after the first. Where matches must not overlap one start is followed at a time, and when it
is decided the rows behind the next one are gone through again; else each row is a start.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from kappa.errors import OperatorError
from kappa.operators.pattern_words import Link, Memory, Rows, Words, chain
from kappa.patterns import ANY, NONE, RELAXED, STRICT, TO_NEXT, PatternRow, Skip

END: Final = -1
"""Among the options of a way: it may end here."""

Test = Callable[[Rows, int, Memory, "Link | None"], Any]


class Program:
    """A pattern, ready to be searched for.

    Args:
        variables: in order; each with its contiguity resolved.
        within: all rows of a match lie less than this behind its first, in ms; or None.
        skip: where to go on behind a match.
        words: the memory of its expressions.
        tests: the condition of each variable, or None for any row.
        lookback: how many rows before the first the conditions may look at.
        max_ways: through the pattern that may be under way from one first row.
    """

    def __init__(
        self,
        variables: Sequence[PatternRow],
        within: int | None,
        skip: str | Skip,
        words: Words,
        tests: Sequence[Test | None],
        lookback: int,
        max_ways: int,
    ) -> None:
        self.variables = variables
        self.within = within
        self.skip = skip
        self.max_ways = max_ways
        self.words = words
        self.tests = tests
        self.lookback = lookback
        self.contiguity = [one.contiguity for one in variables]
        self.every = skip == NONE
        self.apart = skip not in (NONE, TO_NEXT)
        self.begin = options_at(variables, 0, 0)
        self._options: dict[tuple[int, int], tuple[int, ...]] = {}

    def options(self, variable: int, count: int) -> tuple[int, ...]:
        """What may come after a variable has taken so many rows."""
        one = self.variables[variable]
        place = (variable, min(count, one.least if one.most is None else one.most))
        found = self._options.get(place)
        if found is None:
            found = self._options[place] = options_at(self.variables, *place)
        return found


def options_at(variables: Sequence[PatternRow], place: int, count: int) -> tuple[int, ...]:
    """Which variables may take the next row, by preference, and where among them is the end.

    Args:
        variables: of the pattern.
        place: of the variable at work.
        count: the rows it has taken.
    """
    if place == len(variables):
        return (END,)
    one = variables[place]
    more = (place,) if one.most is None or count < one.most else ()
    on = options_at(variables, place + 1, 0) if count >= one.least else ()
    return more + on if one.greedy else on + more


class Way(NamedTuple):
    """One way through the pattern: where it stands, and what may take its next row."""

    variable: int
    times: int
    last: int
    memory: Memory
    link: Link | None
    options: tuple[int, ...]


@dataclass(slots=True)
class Start:
    """A row that a match may begin with, and the ways from there, by preference.

    Args:
        number: of the row.
        time: its event time.
        ways: those under way.
        found: the way that came to the end, if one has; all others come before it.
        ended: where every match counts, those that the row at hand has brought.
    """

    number: int
    time: int
    ways: list[Way]
    found: Link | None = None
    ended: list[Link] = field(default_factory=list)


class Search:
    """The search among the rows of one key.

    Args:
        program: what to search for.
        entries: rows that have been gone through, [time, row, key]; kept up to date.
        lead: how many of them lie before the first start.
    """

    def __init__(self, program: Program, entries: list[Any], lead: int) -> None:
        self.program = program
        self.rows = Rows(entries)
        self.starts: list[Start] = []
        self._next = lead  # where the next start is, if matches must not overlap
        self._instant = 0
        self._emit: Callable[[int, Link], None] = _nothing
        self._fail: Callable[[int, list[Any], Exception], None] = _raise
        known, entries[lead:] = entries[lead:], []
        for entry in known:
            self.take(entry)

    @property
    def lead(self) -> int:
        """How many of the rows lie before the first start."""
        first = self.starts[0].number if self.starts else self.rows.end
        return first - self.rows.base

    @property
    def deadline(self) -> int | None:
        """The watermark at which the first start is decided, if it ever is by time."""
        within = self.program.within
        return self.starts[0].time + within - 1 if self.starts and within is not None else None

    def run(
        self,
        entries: Sequence[list[Any]],
        watermark: int,
        closing: bool,
        emit: Callable[[int, Link], None],
        fail: Callable[[int, list[Any], Exception], None],
    ) -> None:
        """Goes through more rows, then decides what the watermark decides.

        Args:
            entries: [time, row, key], later than those before.
            watermark: no row at or before it will come.
            closing: no row will come at all.
            emit: called with the instant of decision and the last link of each match.
            fail: called with the instant, a row on which a condition failed, and the error.
        """
        self._emit, self._fail = emit, fail
        for entry in entries:
            self.take(entry)
        self._expire(watermark)
        if closing and self.starts:
            self._instant = self.rows[self.rows.end - 1][0]
            while self.starts:
                self._decide(self.starts[0])
                self._catch_up()
        first = self.rows.base + self.lead
        self.rows.drop(max(self.rows.base, first - self.program.lookback))

    def take(self, entry: list[Any]) -> None:
        """Goes through one more row."""
        self._expire(entry[0] - 1)
        self._instant = entry[0]
        self.rows.entries.append(entry)
        if self.program.apart:
            self._catch_up()
        else:
            self._try_all()

    # -- one start after the other -----------------------------------------------------------

    def _catch_up(self) -> None:
        """Follows one start after the other until all rows have been gone through."""
        if not self.program.apart:
            return
        while True:
            if self.starts:
                number = self.rows.end - 1  # all before it have been gone through
            elif self._next < self.rows.end:
                number = self._next
                self.starts = [self._started(number)]
            else:
                return
            if self._follow(self.starts[0], number):
                return

    def _follow(self, start: Start, number: int) -> bool:
        """Goes through the rows from `number` on; whether the start is still undecided."""
        while number < self.rows.end:
            try:
                stepped(self.program, self.rows, start, number)
            except Exception as error:
                self._remove(number, error)
                if number == start.number:
                    self.starts = []
                    return False
                continue
            if not start.ways:
                break
            number += 1
        else:
            return True
        self._decide(start)
        return False

    def _remove(self, number: int, error: Exception) -> None:
        """Takes out a row on which a condition failed, as if it had not come."""
        entry = self.rows[number]
        del self.rows.entries[number - self.rows.base]
        self._fail(self._instant, entry, error)

    # -- all starts together -----------------------------------------------------------------

    def _try_all(self) -> None:
        """Goes through the last row, with every start."""
        number = self.rows.end - 1
        starts = [
            Start(one.number, one.time, one.ways, one.found)
            for one in [*self.starts, self._started(number)]
        ]
        try:
            for start in starts:
                stepped(self.program, self.rows, start, number)
        except Exception as error:
            self._remove(number, error)
            return
        self.starts = starts
        for start in starts:
            for link in start.ended:
                self._emit(self._instant, link)
        for start in [one for one in starts if not one.ways]:
            self._decide(start)

    # -- both --------------------------------------------------------------------------------

    def _started(self, number: int) -> Start:
        program = self.program
        way = Way(END, 0, number - 1, program.words.empty, None, program.begin)
        return Start(number, self.rows[number][0], [way])

    def _decide(self, start: Start) -> None:
        """Ends a start: its match comes out, if it has one."""
        self.starts = [one for one in self.starts if one is not start]
        self._next = start.number + 1
        if start.found is not None:
            self._next = max(self._next, self._behind(start.found))
            self._emit(self._instant, start.found)

    def _behind(self, link: Link) -> int:
        """Where the search goes on behind a match."""
        skip = self.program.skip
        if isinstance(skip, Skip):
            names = self.program.words.names
            taken = [one.number for one in chain(link) if names[one.variable] == skip.variable]
            if taken:
                return taken[0] if skip.first else taken[-1]
        return link.number + 1

    def _expire(self, watermark: int) -> None:
        """Decides the starts that no row after the watermark can belong to."""
        while (deadline := self.deadline) is not None and deadline <= watermark:
            self._instant = deadline
            self._decide(self.starts[0])
            self._catch_up()


def stepped(program: Program, rows: Rows, start: Start, number: int) -> None:
    """Lets the ways of a start go on with one more row; changes it only if nothing fails.

    Raises:
        OperatorError: there would be too many ways.
    """
    ways: list[Way] = []
    ended: list[Link] = []
    found = start.found
    for way in start.ways:
        taken = False
        for option in way.options:
            strict = program.contiguity[option] == STRICT or way.link is None
            if strict and number != way.last + 1:
                continue
            memory = program.words.taken(way.memory, option, rows, number)
            test = program.tests[option]
            if test is not None and not test(rows, number, memory, way.link):
                continue
            taken = True
            link = Link(way.link, option, number)
            times = way.times + 1 if option == way.variable else 1
            options = program.options(option, times)
            if END in options:
                ended.append(link)
                end = options.index(END)
                after = options[end + 1 :] if program.every else ()
                options = options[:end] + after
            if options:
                ways.append(Way(option, times, number, memory, link, options))
            if ended and not program.every:
                break
        if ended and not program.every:
            found = ended[0]
            break
        stay = tuple(o for o in way.options if waits(program, way, o, taken))
        if stay:
            ways.append(way._replace(options=stay))
        if len(ways) + len(ended) > program.max_ways:
            raise _too_many(program.max_ways)
    start.ways = ways
    start.found = found
    start.ended = ended if program.every else []


def _too_many(most: int) -> OperatorError:
    return OperatorError(
        f"more than {most:,} ways through the pattern are under way from one row: bound them by"
        ' within=, by an end to times=, or by contiguity "relaxed" or "strict"; max_ways= allows'
        " more"
    )


def waits(program: Program, way: Way, option: int, taken: bool) -> bool:
    """Whether an option of a way is still open behind a row, which another may have taken."""
    contiguity = program.contiguity[option]
    return way.link is not None and (contiguity == ANY or (contiguity == RELAXED and not taken))


def _nothing(instant: int, link: Link) -> None:
    """What was decided before is not told again."""


def _raise(instant: int, entry: list[Any], error: Exception) -> None:
    raise error
