"""A first contract, from the data that is there: to be read and corrected by a person."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kappa.contracts.contract import Contract, FieldRule, Volume
from kappa.contracts.expectations import expect_column_values_to_be_unique
from kappa.contracts.expectations.expectation import is_missing
from kappa.contracts.expectations.types import KINDS
from kappa.log import Log
from kappa.time import Instant, instant_ms

FEW = 12
"""Different texts that are taken for all there are, if each is frequent enough."""
OFTEN = 20
"""Records per different text from which on they are taken for all there are."""
REMEMBERED = 10_000
"""Different values of a field that are counted; from then on it has many."""
DAY_MS = 86_400_000
FORMATS = (
    "%Y-%m-%d",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d.%m.%Y",
    "%Y%m%d",
    "%H:%M",
    "%H:%M:%S",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%dT%H:%M:%S.%f",
    "%Y-%m-%dT%H:%M:%SZ",
    "%Y-%m-%dT%H:%M:%S%z",
)
OFFSET = re.compile(r"(Z|[+-][\d:.]+)$")
"""What `%z` stands for at the end of a text."""
PERSONAL = {
    "email": (r"e?mail", r"[^@\s]+@[^@\s]+\.[^@\s]+"),
    "phone": (r"phone|mobile", r"\+?[\d\s()/-]{7,}"),
    "ip": (r"(^|_)ip($|_)|ip_?addr", r"\d{1,3}(\.\d{1,3}){3}"),
    "name": (r"(first|last|full|sur)_?name", ".+"),
    "address": (r"street|address", ".+"),
    "birthday": (r"birth", ".+"),
    "card": (r"(credit_?)?card(_?number)?$|iban", ".+"),
}
"""Kinds of personal data: what a field's name has in it, and what a value looks like."""


@dataclass
class Seen:
    """What was seen of one field."""

    count: int = 0
    missing: int = 0
    kinds: Counter[type] = field(default_factory=Counter)
    values: Counter[Any] = field(default_factory=Counter)
    many: bool = False
    low: Any = None
    high: Any = None

    def take(self, values: Iterable[Any]) -> None:
        """Takes values in."""
        for value in values:
            self.count += 1
            if is_missing(value):
                self.missing += 1
                continue
            self.kinds[type(value)] += 1
            self._bounds(value)
            if not self.many:
                self._value(value)

    def _value(self, value: Any) -> None:
        try:
            self.values[value] += 1
        except TypeError:  # cannot be told apart
            self.many = True
        self.many = self.many or len(self.values) > REMEMBERED

    def _bounds(self, value: Any) -> None:
        if type(value) in (int, float):
            self.low = value if self.low is None or value < self.low else self.low
            self.high = value if self.high is None or value > self.high else self.high

    @property
    def there(self) -> int:
        """How many values are not missing."""
        return self.count - self.missing

    def rule(self, name: str, records: int) -> FieldRule:
        """What can be promised of the field."""
        few = not self.many and len(self.values) <= FEW
        texts = set(self.kinds) == {str}
        closed = texts and few and self.there >= OFTEN * len(self.values)
        return FieldRule(
            type=self._type(),
            nullable=self.missing > 0,
            optional=self.count < records,
            format=self._format() if texts else None,
            values=tuple(sorted(self.values)) if closed else None,
            min=0 if self._numbers and self.low is not None and self.low >= 0 else None,
            pii=self._personal(name) if texts else None,
        )

    @property
    def _numbers(self) -> bool:
        return set(self.kinds) <= {int, float}

    def _type(self) -> str | None:
        if set(self.kinds) == {int, float}:
            return "number"
        names = {name for name, kinds in KINDS.items() for kind in self.kinds if kind in kinds} - {
            "number"
        }
        return names.pop() if len(names) == 1 else None

    def _format(self) -> str | None:
        if not self.values:
            return None
        found = next((one for one in FORMATS if all(_fits(v, one) for v in self.values)), None)
        if found is None or not found.endswith("%z"):
            return found
        zones = {value[OFFSET.search(value).start() :] for value in self.values}  # type: ignore[union-attr]
        return found.removesuffix("%z") + zones.pop() if len(zones) == 1 else found

    def _personal(self, name: str) -> str | None:
        for kind, (in_name, in_value) in PERSONAL.items():
            if re.search(in_name, name.lower()) and any(
                re.fullmatch(in_value, value) for value in list(self.values)[:FEW]
            ):
                return kind
        shape = re.compile(PERSONAL["email"][1])
        return "email" if self.values and all(map(shape.fullmatch, self.values)) else None

    @property
    def unique(self) -> bool:
        """Whether no value came twice."""
        return not self.many and self.there > OFTEN and len(self.values) == self.there


def infer(
    log: Log, topic: str, *, since: Instant | None = None, until: Instant | None = None
) -> Contract:
    """A contract that the records of a topic keep.

    Types, missing values, formats of dates, few distinct texts, non-negative numbers, fields
    that look unique or personal, and half to twice the usual number of records a day.

    Args:
        log: where the topic is.
        topic: its name.
        since, until: only records with since <= event time < until.

    Cost: one pass, 1 to 2 µs a field; memory for 10,000 values a field.
    """
    seen: dict[str, Seen] = {}
    days: Counter[int] = Counter()
    records = 0
    first = None if since is None else instant_ms(since, name="since")
    stop = None if until is None else instant_ms(until, name="until")
    for record in log.read(topic):
        if (first is not None and record.time < first) or (
            stop is not None and record.time >= stop
        ):
            continue
        records += 1
        days[record.time // DAY_MS] += 1
        if isinstance(record.value, Mapping):
            for name, value in record.value.items():
                if type(name) is str and name:  # others cannot be spoken of in a contract
                    seen.setdefault(name, Seen()).take((value,))
    return Contract(
        topic,
        fields={name: one.rule(name, records) for name, one in seen.items()},
        expectations=[
            expect_column_values_to_be_unique(name)
            for name, one in seen.items()
            if one.unique and not set(one.kinds) & {float}
        ],
        volume=_volume(days),
    )


def _volume(days: Counter[int]) -> Volume | None:
    whole = sorted(days.values())[1:-1] if len(days) >= 7 else []
    if not whole:
        return None
    usual = whole[len(whole) // 2]
    return Volume("1d", min=min(usual // 2, whole[0]), max=max(usual * 2, whole[-1]))


def _fits(value: str, form: str) -> bool:
    try:
        datetime.strptime(value, form)
    except ValueError:
        return False
    return True
