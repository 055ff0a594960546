"""A naive matcher of patterns: tries one way after the other over all rows, and goes back.

It has the whole sequence at hand, knows nothing of watermarks, and evaluates each condition on
plain lists. A pattern is a list of `Var`; rows are (time, row), in order.

What it is asked on the way, `open_until` says: the rows are all that come at or before that
time, so a start may still be undecided.

The rules, as it has them: what follows a row is tried by preference: of a greedy variable one
more of it before what comes next, of a reluctant one the other way round. A row that can be
taken is taken before it is left out. Strict variables take the next row only; relaxed ones the
first row that anything open at that point can take; the others any row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

Taken = tuple[tuple[int, int], ...]  # (variable, row), in order
END = -1
UNKNOWN: Taken = ((-1, -1),)  # a preferred way is open, and more rows may come
NEVER, FOR_EVER = -(1 << 62), 1 << 62


@dataclass(frozen=True)
class Var:
    name: str
    test: Callable[[Sequence[Any], Taken], Any]  # all rows, and what is taken with this row
    least: int = 1
    most: int | None = 1
    greedy: bool = True
    contiguity: str = "strict"


class Matcher:
    def __init__(
        self,
        variables: Sequence[Var],
        within: int | None,
        rows: Sequence[Any],
        open_until: int = FOR_EVER,
    ) -> None:
        self.variables, self.within, self.rows = variables, within, rows
        self.open_until = open_until

    def deadline(self, start: int) -> int | None:
        """When no row can belong to a match from this start any more."""
        return None if self.within is None else self.rows[start][0] + self.within - 1

    def undecided(self, taken: Taken) -> bool:
        deadline = self.deadline(taken[0][1])
        return self.open_until < (FOR_EVER if deadline is None else deadline)

    def options(self, place: int, count: int) -> list[int]:
        if place == len(self.variables):
            return [END]
        one = self.variables[place]
        more = [place] if one.most is None or count < one.most else []
        on = self.options(place + 1, 0) if count >= one.least else []
        return more + on if one.greedy else on + more

    def fits(self, taken: Taken, variable: int, row: int) -> bool:
        if taken and self.variables[variable].contiguity == "strict" and row != taken[-1][1] + 1:
            return False
        start = self.rows[taken[0][1] if taken else row][0]
        if self.within is not None and self.rows[row][0] - start >= self.within:
            return False
        return bool(self.variables[variable].test(self.rows, (*taken, (variable, row))))

    def after(self, taken: Taken, variable: int, row: int) -> tuple[Taken, list[int]]:
        longer = (*taken, (variable, row))
        count = sum(one == variable for one, _ in longer)
        return longer, self.options(variable, count)

    def left_open(self, options: list[int], taken_by_some: bool) -> list[int]:
        kinds = {"any"} if taken_by_some else {"any", "relaxed"}
        return [one for one in options if self.variables[one].contiguity in kinds]

    # -- the preferred match of a start

    def first(self, start: int) -> Taken | None:
        for option in self.options(0, 0):
            if option != END and self.fits((), option, start):
                found = self._complete(*self.after((), option, start))
                if found is not None:
                    return found
        return None

    def _complete(self, taken: Taken, options: list[int]) -> Taken | None:
        before = options[: options.index(END)] if END in options else options
        found = self._go_on(taken, before, taken[-1][1] + 1)
        return taken if found is None and END in options else found

    def _go_on(self, taken: Taken, options: list[int], row: int) -> Taken | None:
        if options and row == len(self.rows):
            return UNKNOWN if self.undecided(taken) else None
        if not options:
            return None
        fitting = [one for one in options if self.fits(taken, one, row)]
        for option in fitting:
            found = self._complete(*self.after(taken, option, row))
            if found is not None:
                return found
        return self._go_on(taken, self.left_open(options, bool(fitting)), row + 1)

    # -- every match of a start

    def every(self, start: int) -> Iterator[Taken]:
        for option in self.options(0, 0):
            if option != END and self.fits((), option, start):
                yield from self._all(*self.after((), option, start))

    def _all(self, taken: Taken, options: list[int]) -> Iterator[Taken]:
        if END in options:
            yield taken
        yield from self._all_on(taken, [o for o in options if o != END], taken[-1][1] + 1)

    def _all_on(self, taken: Taken, options: list[int], row: int) -> Iterator[Taken]:
        if options and row < len(self.rows):
            fitting = [one for one in options if self.fits(taken, one, row)]
            for option in fitting:
                yield from self._all(*self.after(taken, option, row))
            yield from self._all_on(taken, self.left_open(options, bool(fitting)), row + 1)

    # -- all of them

    def matches(self, skip: str | tuple[str, str]) -> list[Taken]:
        """skip: "none", "to_next", "past_last", ("first", variable) or ("last", variable)."""
        found: list[Taken] = []
        start = 0
        while start < len(self.rows):
            if skip == "none":
                found += self.every(start)
            match = self.first(start) if skip != "none" else None
            start += 1
            if match is not None:
                found.append(match)
                start = max(start, self._behind(match, skip))
        return found

    def _behind(self, match: Taken, skip: str | tuple[str, str]) -> int:
        if skip == "to_next":
            return 0
        if isinstance(skip, tuple):
            names = [variable.name for variable in self.variables]
            rows = [row for variable, row in match if names[variable] == skip[1]]
            if rows:
                return rows[0] if skip[0] == "first" else rows[-1]
        return match[-1][1] + 1


class Watcher:
    """The matches of one key, told as they are decided: `add` rows, then `pass_` a watermark.

    Attributes:
        told: (instant of decision, match) of each, in order.
    """

    def __init__(self, variables: Sequence[Var], within: int | None, skip: Any) -> None:
        self.variables, self.within, self.skip = variables, within, skip
        self.rows: list[Any] = []
        self.told: list[tuple[int, Taken]] = []
        self._left: list[int] = []  # starts that are not decided
        self._next = 0
        self._instant = self._open = NEVER

    def add(self, time: int, row: Any) -> None:
        self.pass_(time - 1)
        self._left.append(len(self.rows))
        self.rows.append((time, row))
        self._instant, self._open = time, time - 1
        if self.skip == "none":
            self._tell_every()
        self._settle(self._open)

    def pass_(self, watermark: int) -> None:
        self._settle(watermark)
        self._open = max(self._open, watermark)

    def close(self) -> None:
        self._settle(FOR_EVER)
        if self.rows:
            self._instant, self._open = self.rows[-1][0], FOR_EVER
            self._settle(FOR_EVER)

    def _tell_every(self) -> None:
        """The matches that end with the row that came last."""
        matcher = Matcher(self.variables, self.within, self.rows)
        for start in range(len(self.rows)):
            for match in matcher.every(start):
                if match[-1][1] == len(self.rows) - 1:
                    self.told.append((self._instant, match))

    def _settle(self, watermark: int) -> None:
        if self.skip == "none":
            return
        if self.skip == "to_next":
            for start in list(self._left):
                if self._decide(start, watermark, []):
                    self._left.remove(start)
            return
        while self._next < len(self.rows):
            found: list[Taken] = []
            if not self._decide(self._next, watermark, found):
                return
            self._next += 1
            for match in found:
                behind = Matcher(self.variables, self.within, self.rows)._behind(match, self.skip)
                self._next = max(self._next, behind)

    def _decide(self, start: int, watermark: int, found: list[Taken]) -> bool:
        for _ in range(2):
            matcher = Matcher(self.variables, self.within, self.rows, self._open)
            match = matcher.first(start)
            if match != UNKNOWN:
                if match is not None:
                    self.told.append((self._instant, match))
                    found.append(match)
                return True
            deadline = matcher.deadline(start)
            if deadline is None or deadline > watermark:
                return False
            self._instant = self._open = deadline
        raise AssertionError("a start past its deadline is decided")
