"""A contract: what a topic's owner promises of its records, in one readable form.

It holds the fields with their types, expectations, an owner, and promises of freshness and
volume. What a *field* promises becomes expectations too (`rules`), so that there is one way
to judge. The plain form (dicts, lists, scalars) is what files and the log hold; its names
are the arguments of `Contract`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from difflib import get_close_matches
from functools import cached_property
from typing import Any

from kappa.contracts.expectations import Expectation, RecordExpectation, expectation_of
from kappa.contracts.expectations.expectation import plain
from kappa.contracts.expectations.records import ColumnsMatchSet, HasColumn
from kappa.contracts.expectations.types import kinds_of, type_name
from kappa.contracts.expectations.values import (
    Between,
    InSet,
    Matches,
    MatchesStrftime,
    NotNull,
    OfType,
)
from kappa.errors import ConfigError
from kappa.time import Duration, duration_ms, format_duration

ON_VIOLATION = ("dead_letter", "refuse")
OTHER_FIELDS = ("allow", "refuse")
NUMBERS = frozenset({int, float, Decimal})
"""Types that can be held against each other's bounds."""
SEVERITY_OF = {"dead_letter": "dead_letter", "refuse": "stop"}


@dataclass(frozen=True)
class FieldRule:
    """What is promised of one field.

    Args:
        type: see `kappa.contracts.expectations.types`; None for any.
        nullable: the value may be missing.
        optional: the field itself may be missing; then the value may too.
        format: of a text with a date or time, as for `strptime`.
        values: the value is one of these.
        min, max: bounds, both inside.
        pattern: found in the text.
        pii: what kind of personal data it is: "email", "name", "phone", "id", …
        description: for people.
    """

    type: str | None = None
    nullable: bool = False
    optional: bool = False
    format: str | None = None
    values: tuple[Any, ...] | None = None
    min: Any = None
    max: Any = None
    pattern: str | None = None
    pii: str | None = None
    description: str | None = None

    @classmethod
    def of(cls, name: str, given: Any) -> FieldRule:
        """From its plain form: a mapping, or just a type.

        Raises:
            ConfigError: something in it is unknown or makes no sense.
        """
        if isinstance(given, FieldRule):
            return given
        if isinstance(given, str | type):
            given = {"type": given}
        known = _arguments(cls, given or {}, f"field {name!r}")

        def wrong(text: str) -> ConfigError:
            return ConfigError(f"field {name!r}: {text}")

        if known.get("type") is not None:
            known["type"] = type_name(known["type"], wrong)
        if known.get("values") is not None:
            if not isinstance(known["values"], list | tuple | set | frozenset):
                raise wrong(f"values is {known['values']!r}: give a list")
            known["values"] = tuple(InSet(name, known["values"]).value_set)
        for flag in ("nullable", "optional"):
            if not isinstance(known.get(flag, False), bool):
                raise wrong(f"{flag} is {known[flag]!r}: give true or false")
        made = cls(**known)
        made.check(wrong)
        return made

    def check(self, wrong: Callable[[str], ConfigError]) -> None:
        """Raises where what is said of values goes against the type."""
        kinds = None if self.type is None else kinds_of(self.type)
        if kinds is not None and not kinds.isdisjoint(NUMBERS):
            kinds = kinds | NUMBERS
        for what in ("min", "max"):
            bound = getattr(self, what)
            if kinds is not None and bound is not None and type(bound) not in kinds:
                raise wrong(f"{what} is {bound!r}, and the type is {self.type}")
        odd = [one for one in self.values or () if kinds is not None and type(one) not in kinds]
        if odd and odd[0] is not None:
            raise wrong(f"values has {odd[0]!r}, and the type is {self.type}")
        texts = [what for what in ("format", "pattern") if getattr(self, what) is not None]
        if texts and self.type not in (None, "str"):
            raise wrong(f"{texts[0]} is said of texts, and the type is {self.type}")

    def rules(self, name: str, severity: str) -> Iterator[RecordExpectation]:
        """The same as expectations."""
        if not self.optional:
            if self.nullable:
                yield HasColumn(name, severity=severity)
            else:
                yield NotNull(name, severity=severity)
        if self.type is not None:
            yield OfType(name, self.type, severity=severity)
        if self.format is not None:
            yield MatchesStrftime(name, self.format, severity=severity)
        if self.values is not None:
            yield InSet(name, self.values, severity=severity)
        if self.min is not None or self.max is not None:
            yield Between(name, self.min, self.max, severity=severity)
        if self.pattern is not None:
            yield Matches(name, self.pattern, severity=severity)

    def to_plain(self) -> dict[str, Any]:
        """The arguments that differ from their defaults."""
        return {
            one.name: plain(getattr(self, one.name))
            for one in fields(self)
            if getattr(self, one.name) != one.default
        }


@dataclass(frozen=True)
class Volume:
    """How many records a span of event time has.

    Args:
        per: the span, as a duration.
        min, max: bounds, both inside; None for none.
    """

    per: Duration = "1d"
    min: int | None = None
    max: int | None = None

    def __post_init__(self) -> None:
        per = duration_ms(self.per, name="volume: per", minimum=1)
        object.__setattr__(self, "per", format_duration(per))
        bounds = [one for one in (self.min, self.max) if one is not None]
        if not bounds or any(type(one) is not int or one < 0 for one in bounds):
            raise ConfigError("volume: give min, max or both, numbers of records")

    @property
    def per_ms(self) -> int:
        """The span in ms."""
        return duration_ms(self.per)

    def to_plain(self) -> dict[str, Any]:
        """For files."""
        return {
            one.name: getattr(self, one.name)
            for one in fields(self)
            if getattr(self, one.name) is not None
        }


@dataclass(frozen=True)
class Contract:
    """What is promised of a topic.

    Args:
        topic: its name.
        fields: by name, a `FieldRule`, its plain form, or just a type.
        expectations: `Expectation`s or their plain forms. One without a severity of its
            own gets that of `on_violation` if it judges records, else "warn".
        owner: who answers for it.
        description: for people.
        on_violation: what becomes of a record that breaks a promise about records:
            "dead_letter" diverts it, "refuse" refuses the append that it is part of.
        other_fields: "allow", or "refuse" for fields that are not listed.
        freshness: how old the newest record may be, as a duration.
        volume: a `Volume`, or its plain form.

    Raises:
        ConfigError: something is unknown or makes no sense.

    >>> contract = Contract("bids", fields={"price": {"type": "int", "min": 0}}, owner="ann")
    >>> [rule.name for rule in contract.rules]
    ['expect_column_values_to_not_be_null', 'expect_column_values_to_be_of_type', \
'expect_column_values_to_be_between']
    """

    topic: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    expectations: Sequence[Any] = ()
    owner: str | None = None
    description: str | None = None
    on_violation: str = "dead_letter"
    other_fields: str = "allow"
    freshness: Duration | None = None
    volume: Any = None

    def __post_init__(self) -> None:
        if not isinstance(self.topic, str) or not self.topic:
            raise ConfigError(f"contract: topic is {self.topic!r}: give the name of a topic")
        self._choice("on_violation", ON_VIOLATION)
        self._choice("other_fields", OTHER_FIELDS)
        if not isinstance(self.fields, Mapping):
            raise self._wrong(f"fields is {self.fields!r:.80}: give names with what they promise")
        rules = {str(name): self._field(str(name), given) for name, given in self.fields.items()}
        self._put("fields", rules)
        if isinstance(self.expectations, str | Mapping):
            raise self._wrong("expectations is a list")
        self._put("expectations", tuple(map(self._expectation, self.expectations)))
        if self.freshness is not None:
            age = duration_ms(self.freshness, name="freshness", minimum=1)
            self._put("freshness", format_duration(age))
        if self.volume is not None and not isinstance(self.volume, Volume):
            self._put("volume", Volume(**_arguments(Volume, self.volume, "volume")))
        assert self.rules is not None  # makes every rule, so that a wrong one is said here

    def _choice(self, name: str, choices: tuple[str, ...]) -> None:
        if getattr(self, name) not in choices:
            raise self._wrong(f"{name} is {getattr(self, name)!r}: give {' or '.join(choices)}")

    def _put(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def _wrong(self, text: str) -> ConfigError:
        return ConfigError(f"contract of {self.topic!r}: {text}")

    def _field(self, name: str, given: Any) -> FieldRule:
        try:
            return FieldRule.of(name, given)
        except ConfigError as error:
            raise self._wrong(error.message) from None

    def _expectation(self, given: Any) -> Expectation:
        if isinstance(given, Expectation):
            return given
        try:
            made = expectation_of(given)
        except ConfigError as error:
            raise self._wrong(error.message) from None
        if isinstance(made, RecordExpectation) and made.mostly == 1 and not _says(given):
            return replace(made, severity=self.severity)
        return made

    @property
    def severity(self) -> str:
        """The severity of what is promised of each record."""
        return SEVERITY_OF[self.on_violation]

    @cached_property
    def rules(self) -> tuple[Expectation, ...]:
        """All promises but freshness and volume, as expectations."""
        found: list[Expectation] = []
        for name, rule in self.fields.items():
            found += rule.rules(name, self.severity)
        if self.other_fields == "refuse" and self.fields:
            optional = [name for name, rule in self.fields.items() if rule.optional]
            if optional:
                raise self._wrong(
                    f"other_fields: refuse goes with fields that every record has, and"
                    f" {optional[0]!r} is optional"
                )
            found.append(ColumnsMatchSet(tuple(self.fields), severity=self.severity))
        return (*found, *self.expectations)

    @property
    def record_rules(self) -> tuple[RecordExpectation, ...]:
        """The promises about single records that have consequences: what appends are held to."""
        return tuple(
            rule
            for rule in self.rules
            if isinstance(rule, RecordExpectation)
            and (rule.mostly, rule.referential) == (1, False)
            and rule.severity != "warn"
        )

    @property
    def personal(self) -> dict[str, str]:
        """The fields that hold personal data, with its kind."""
        return {name: rule.pii for name, rule in self.fields.items() if rule.pii is not None}

    def to_plain(self) -> dict[str, Any]:
        """The one form for files and the log."""
        found: dict[str, Any] = {"topic": self.topic}
        for name in ("owner", "description"):
            if getattr(self, name) is not None:
                found[name] = getattr(self, name)
        found["on_violation"] = self.on_violation
        if self.other_fields != "allow":
            found["other_fields"] = self.other_fields
        if self.fields:
            found["fields"] = {name: rule.to_plain() for name, rule in self.fields.items()}
        if self.expectations:
            found["expectations"] = [self._plain_of(rule) for rule in self.expectations]
        if self.freshness is not None:
            found["freshness"] = self.freshness
        if self.volume is not None:
            found["volume"] = self.volume.to_plain()
        return found

    def _plain_of(self, rule: Expectation) -> dict[str, Any]:
        ((name, arguments),) = rule.to_plain().items()
        arguments.pop("severity", None)
        usual = isinstance(rule, RecordExpectation) and rule.mostly == 1
        if rule.severity != (self.severity if usual else "warn"):
            arguments["severity"] = rule.severity
        return {name: arguments}

    @classmethod
    def from_plain(cls, given: Any) -> Contract:
        """What `to_plain` was made of.

        Raises:
            ConfigError: it is something else; the message says what.
        """
        if isinstance(given, Contract):
            return given
        known = _arguments(cls, given, "contract")
        if "topic" not in known:
            raise ConfigError("contract: topic is missing")
        return cls(**known)


def _says(given: Any) -> bool:
    """Whether a plain expectation says its severity."""
    ((_, arguments),) = given.items() if len(given) == 1 else ((None, given.get("kwargs")),)
    return isinstance(arguments, Mapping) and "severity" in arguments


def _arguments(kind: Any, given: Any, what: str) -> dict[str, Any]:
    """Arguments of a dataclass from a mapping.

    Raises:
        ConfigError: it is no mapping, or has names that the class does not.
    """
    if not isinstance(given, Mapping):
        raise ConfigError(f"{what} is {given!r:.80}: give names with values")
    known = [one.name for one in fields(kind)]
    for name in given:
        if name not in known:
            close = get_close_matches(str(name), known, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(known)}"
            raise ConfigError(f"{what} has no {name!r}{hint}")
    return dict(given)
