"""Functions on text, as `col("name").str...`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kappa.errors import ConfigError
from kappa.expressions.expression import Expression, Operand, call
from kappa.expressions.nodes import Literal


@dataclass(frozen=True, slots=True, eq=False)
class Text:
    """What can be done with text; null stays null.

    >>> Text(Expression(Literal("Ada"))).lower()
    lit('Ada').str.lower()
    """

    of: Expression

    def lower(self) -> Expression:
        """In small letters."""
        return call("str_lower", self.of)

    def upper(self) -> Expression:
        """In capitals."""
        return call("str_upper", self.of)

    def strip(self) -> Expression:
        """Without white space at either end."""
        return call("str_strip", self.of)

    def length(self) -> Expression:
        """Number of characters."""
        return call("str_length", self.of)

    def contains(self, part: Operand) -> Expression:
        """Whether `part`, as it stands, is in it."""
        return call("str_contains", self.of, part)

    def count(self, part: str) -> Expression:
        """How often `part`, as it stands, is in it; occurrences do not overlap."""
        if not part:
            raise ConfigError("count needs a text to look for")
        return call("str_count", self.of, part)

    def starts_with(self, part: Operand) -> Expression:
        """Whether it begins with `part`."""
        return call("str_starts_with", self.of, part)

    def ends_with(self, part: Operand) -> Expression:
        """Whether it ends with `part`."""
        return call("str_ends_with", self.of, part)

    def replace(self, old: Operand, new: Operand) -> Expression:
        """With every `old` replaced by `new`."""
        return call("str_replace", self.of, old, new)

    def split(self, separator: str, index: int) -> Expression:
        """The part with this index (negative: from the end); null if there are not as many."""
        if not separator:
            raise ConfigError("split needs a separator")
        return call("str_split", self.of, separator, index)

    def slice(self, start: int, stop: int | None = None) -> Expression:
        """Characters [start, stop)."""
        if stop is None:
            return call("str_slice_from", self.of, start)
        return call("str_slice", self.of, start, stop)

    def concat(self, *others: Operand) -> Expression:
        """Followed by the others, each as text; null if any of them is."""
        result = self.of
        for other in others:
            result = call("str_concat", result, other)
        return result

    def extract(self, pattern: str, group: int | str = 1) -> Expression:
        """A group of a regular expression's first match; null without one."""
        return call("str_extract", self.of, _compiled(pattern, group), group)

    def matches(self, pattern: str) -> Expression:
        """Whether a regular expression is found anywhere in it."""
        return call("str_matches", self.of, _compiled(pattern))


def _compiled(pattern: str, group: int | str = 0) -> Literal:
    try:
        found = re.compile(pattern)
    except re.error as cause:
        raise ConfigError(f"regular expression {pattern!r}: {cause}") from cause
    known = group in found.groupindex or group in range(found.groups + 1)
    if not known:
        raise ConfigError(f"regular expression {pattern!r} has no group {group!r}")
    return Literal(found, repr(pattern))
