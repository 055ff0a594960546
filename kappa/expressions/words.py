"""The functions on text that need more than one Python expression."""

from __future__ import annotations

import re

TRUE = frozenset({"true", "t", "yes", "y", "1"})
FALSE = frozenset({"false", "f", "no", "n", "0"})


def truth_of(value: object) -> bool:
    """`value` as a bool; text by what it says, not by being non-empty.

    >>> truth_of("false"), truth_of(2.5)
    (False, True)
    """
    if not isinstance(value, str):
        return bool(value)
    word = value.strip().lower()
    if word in TRUE:
        return True
    if word in FALSE:
        return False
    raise ValueError(f"{value!r} is neither true nor false")


def split(text: str, separator: str, index: int) -> str | None:
    """One part of a text; None if there are not that many.

    >>> split("a/b", "/", 1), split("a/b", "/", 2)
    ('b', None)
    """
    parts = text.split(separator)
    return parts[index] if -len(parts) <= index < len(parts) else None


def concat(text: object, other: object) -> str:
    """Both as text, one behind the other."""
    return f"{text}{other}"


def extract(text: str, pattern: re.Pattern[str], group: int | str) -> str | None:
    """A group of the first match; None without a match.

    >>> extract("order 66", re.compile(r"(\\d+)"), 1)
    '66'
    """
    match = pattern.search(text)
    return None if match is None else match[group]


def matches(text: str, pattern: re.Pattern[str]) -> bool:
    """Whether the pattern is found anywhere in the text."""
    return pattern.search(text) is not None
