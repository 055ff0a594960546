"""What two contracts differ in, and whether the second promises more or less."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from kappa.contracts.contract import Contract, FieldRule
from kappa.contracts.expectations import Expectation
from kappa.contracts.expectations.expectation import COMMON

STRICTER, LOOSER, OTHER = "stricter", "looser", "other"
ABOUT_PEOPLE = ("owner", "description")


@dataclass(frozen=True)
class Change:
    """One difference.

    Args:
        what: the part of the contract, such as "field price: min".
        before, after: its plain values; None where it is not there.
        effect: "stricter" if records that were fine may not be any more, "looser" if it is
            the other way round, else "other".
    """

    what: str
    before: Any
    after: Any
    effect: str

    def __str__(self) -> str:
        if self.before is None:
            return f"+ {self.what}: {self.after!r} ({self.effect})"
        if self.after is None:
            return f"- {self.what}: {self.before!r} ({self.effect})"
        return f"~ {self.what}: {self.before!r} -> {self.after!r} ({self.effect})"


def compare(before: Contract, after: Contract) -> list[Change]:
    """Every difference, part by part.

    >>> one = Contract("bids", fields={"price": {"type": "int", "min": 0}})
    >>> other = Contract("bids", fields={"price": {"type": "int", "min": 5}, "who": "str"})
    >>> [str(change) for change in compare(one, other)]
    ['~ field price: min: 0 -> 5 (stricter)', "+ field who: {'type': 'str'} (stricter)"]
    """
    found: list[Change] = []
    for name in (*ABOUT_PEOPLE, "on_violation", "other_fields", "freshness"):
        one, other = getattr(before, name), getattr(after, name)
        if one != other:
            found.append(Change(name, one, other, _choice_effect(name, other)))
    found += _fields(before.fields, after.fields)
    found += _expectations(before.expectations, after.expectations)
    one, other = before.volume, after.volume
    if one != other:
        plain = (one and one.to_plain(), other and other.to_plain())
        found.append(Change("volume", *plain, _presence(one, other)))
    return found


def _choice_effect(name: str, after: Any) -> str:
    if name == "other_fields":
        return STRICTER if after == "refuse" else LOOSER
    return OTHER


def _presence(before: Any, after: Any) -> str:
    return STRICTER if before is None else LOOSER if after is None else OTHER


def _fields(before: Mapping[str, FieldRule], after: Mapping[str, FieldRule]) -> Iterator[Change]:
    for name in (*before, *(name for name in after if name not in before)):
        one, other = before.get(name), after.get(name)
        if one is None or other is None:
            plain = (one and one.to_plain(), other and other.to_plain())
            yield Change(f"field {name}", *plain, _presence(one, other))
            continue
        for part in fields(FieldRule):
            old, new = getattr(one, part.name), getattr(other, part.name)
            if old != new:
                effect = _part_effect(part.name, old, new)
                yield Change(f"field {name}: {part.name}", old, new, effect)


def _part_effect(part: str, old: Any, new: Any) -> str:
    if part in ("nullable", "optional"):
        return LOOSER if new else STRICTER
    if part in ("pii", "description"):
        return OTHER
    if old is None or new is None:
        return _presence(old, new)
    if part == "values":
        return LOOSER if set(new) > set(old) else STRICTER if set(new) < set(old) else OTHER
    try:
        if part == "min":
            return STRICTER if new > old else LOOSER
        if part == "max":
            return STRICTER if new < old else LOOSER
    except TypeError:
        return OTHER
    return OTHER


def _expectations(before: Sequence[Expectation], after: Sequence[Expectation]) -> Iterator[Change]:
    """Rules are the same one if name and columns are, in order of occurrence."""
    left = list(after)
    for one in before:
        if one in left:
            left.remove(one)
            continue
        twin = next((other for other in left if _alike(one, other) and other not in before), None)
        if twin is None:
            yield Change(_title(one), _arguments(one), None, LOOSER)
        else:
            left.remove(twin)
            yield Change(_title(one), _arguments(one), _arguments(twin), OTHER)
    for other in left:
        yield Change(_title(other), None, _arguments(other), STRICTER)


def _alike(one: Expectation, other: Expectation) -> bool:
    return one.name == other.name and one.columns == other.columns


def _title(rule: Expectation) -> str:
    return f"{rule.name} of {rule.subject}" if rule.subject else rule.name


def _arguments(rule: Expectation) -> dict[str, Any]:
    hidden = {"column", "column_A", "column_B", "column_list"}
    found = {name: value for name, value in rule.kwargs.items() if name not in hidden}
    return {name: found[name] for name in sorted(found, key=lambda name: name in COMMON)}
