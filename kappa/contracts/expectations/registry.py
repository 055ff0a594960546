"""Expectations by name: what reads them from files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from difflib import get_close_matches
from typing import Any

from kappa.contracts.expectations import drift, records, references, series, statistics, values
from kappa.contracts.expectations.expectation import Expectation
from kappa.errors import ConfigError


def _concrete(kind: type[Expectation]) -> Iterator[type[Expectation]]:
    for one in kind.__subclasses__():
        if one.name and one.__module__.startswith("kappa."):
            yield one
        yield from _concrete(one)


MODULES = (drift, records, references, series, statistics, values)
ALIASES = {"partition_object": "reference"}
"""Great Expectations' names of arguments, where they differ."""
KNOWN: dict[str, type[Expectation]] = {one.name: one for one in _concrete(Expectation)}
"""Every expectation by its name."""


def expectation_of(plain: Mapping[str, Any]) -> Expectation:
    """An expectation from its plain form: `{name: {argument: value}}`.

    Great Expectations' own form, `{"type": name, "kwargs": {…}}`, is read too.

    Raises:
        ConfigError: there is none of that name, or an argument is wrong.

    >>> print(expectation_of({"expect_column_values_to_be_in_set":
    ...     {"column": "carrier", "value_set": ["AA", "UA"]}}))
    expect_column_values_to_be_in_set(column='carrier', value_set=['AA', 'UA'])
    """
    if not isinstance(plain, Mapping):
        raise ConfigError(f"{plain!r:.80} is no expectation: write its name, a colon, arguments")
    given = plain.get("type", plain.get("expectation_type"))
    if isinstance(given, str):
        name, arguments = given, plain.get("kwargs", {})
    elif len(plain) == 1:
        ((name, arguments),) = plain.items()
    else:
        raise ConfigError(f"{dict(plain)!r:.80}: one expectation has one name")
    kind = KNOWN.get(name)
    if kind is None:
        close = get_close_matches(str(name), KNOWN, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise ConfigError(f"there is no expectation {name!r}{hint}")
    if not isinstance(arguments, Mapping):
        raise ConfigError(f"{name}: its arguments are {arguments!r:.80}, not names with values")
    return made(kind, arguments)


def made(kind: type[Expectation], arguments: Mapping[str, Any]) -> Expectation:
    """An expectation of a kind.

    Raises:
        ConfigError: an argument is unknown, missing or wrong.
    """
    arguments = {ALIASES.get(name, name): value for name, value in arguments.items()}
    known = [one.name for one in fields(kind)]
    unknown = [str(name) for name in arguments if name not in known]
    if unknown:
        raise ConfigError(
            f"{kind.name} has no argument {unknown[0]!r}; it takes {', '.join(known)}"
        )
    try:
        return kind(**arguments)
    except TypeError as error:
        raise ConfigError(f"{kind.name}: {error}") from None
