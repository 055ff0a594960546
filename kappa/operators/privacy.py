"""Personal data made harmless: hashed, masked, turned into tokens, cut short, or dropped.

Every transform is a frozen description of what becomes of one field; missing values stay
missing. `Protect` applies them to a stream, `Protection` to rows anywhere. The key of a hash
is a `secret(...)`: it is read from the environment when a step is opened, and is in no plan,
fingerprint, checkpoint or log.

>>> Mask(keep_last=4).function({})("4929 1234 5678")
'**********5678'
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from hashlib import sha256
from typing import Any, ClassVar, TypeAlias

from kappa.batch import Batch, plain
from kappa.codec import encode_key
from kappa.errors import ConfigError
from kappa.expressions import Expression
from kappa.expressions.bound import resolved
from kappa.expressions.nodes import Secret
from kappa.operators.contract import Fields, Instance, Operator, OperatorContext
from kappa.operators.failing import passed

LOOKUP = "lookup"
"""The side output of `Protect` for what tokens stand for."""
REMEMBERED = 4096
"""Values of a batch that are looked up and not computed again."""

Change: TypeAlias = Callable[[Any], Any]


class Transform:
    """What becomes of a field."""

    keeps: ClassVar[str] = ""
    """How `kappa contract pii` names what is left of the field; nothing if it is gone."""

    def function(self, params: Mapping[str, Any]) -> Change:
        """What to do with a value that is not missing."""
        raise NotImplementedError


@dataclass(frozen=True)
class Keyed(Transform):
    """A transform by a secret key."""

    key: Any

    def __post_init__(self) -> None:
        node = self.key.node if isinstance(self.key, Expression) else None
        if not isinstance(node, Secret):
            raise ConfigError(
                f'{type(self).__name__}: the key is {type(self.key).__name__}: give secret("NAME"),'
                " so that it is never recorded"
            )

    def digest(self) -> Callable[[Any], str]:
        """The keyed digest of a value, 64 hex digits: equal for equal values."""
        secret = resolved(self.key.node, {}).encode()

        def digest(value: Any) -> str:
            data = value.encode() if type(value) is str else encode_key(value)
            return hmac.new(secret, data, sha256).hexdigest()

        return digest


@dataclass(frozen=True)
class Hash(Keyed):
    """A keyed hash (HMAC-SHA-256) in place of the value: equal values stay equal, so they
    can be joined and counted, and nobody without the key can try values out.

    Args:
        key: `secret("NAME")`.
        length: hex digits that are kept, 16 to 64.
    """

    length: int = 32

    keeps: ClassVar[str] = "hashed"

    def __post_init__(self) -> None:
        super().__post_init__()
        if type(self.length) is not int or not 16 <= self.length <= 64:
            raise ConfigError(f"Hash: length is {self.length!r}: 16 to 64 hex digits")

    def function(self, params: Mapping[str, Any]) -> Change:
        digest, length = self.digest(), self.length
        return lambda value: digest(value)[:length]


@dataclass(frozen=True)
class Tokenise(Keyed):
    """A token in place of the value, and a row of what it stands for in a lookup topic.

    The lookup can be kept apart, or deleted: then no token leads back, but equal values
    still have equal tokens.

    Args:
        key: `secret("NAME")`.
        prefix: of every token.
    """

    prefix: str = "tok_"

    keeps: ClassVar[str] = "tokens"

    def function(self, params: Mapping[str, Any]) -> Change:
        digest, prefix = self.digest(), self.prefix
        return lambda value: prefix + digest(value)[:24]


@dataclass(frozen=True)
class Mask(Transform):
    """All characters but some of the first and last are hidden.

    Args:
        keep_first, keep_last: how many stay; a text that is not longer is hidden whole.
        character: that hides them.
    """

    keep_first: int = 0
    keep_last: int = 0
    character: str = "*"

    keeps: ClassVar[str] = "masked"

    def __post_init__(self) -> None:
        if min(self.keep_first, self.keep_last) < 0 or len(self.character) != 1:
            raise ConfigError("Mask: keep_first and keep_last from 0, and one character")

    def function(self, params: Mapping[str, Any]) -> Change:
        first, last, character = self.keep_first, self.keep_last, self.character

        def mask(value: Any) -> str:
            text = str(value)
            hidden = len(text) - first - last
            if hidden <= 0:
                return character * len(text)
            return text[:first] + character * hidden + text[first + hidden :]

        return mask


MOMENTS = {
    "year": {"month": 1, "day": 1, "hour": 0, "minute": 0, "second": 0, "microsecond": 0},
    "month": {"day": 1, "hour": 0, "minute": 0, "second": 0, "microsecond": 0},
    "day": {"hour": 0, "minute": 0, "second": 0, "microsecond": 0},
    "hour": {"minute": 0, "second": 0, "microsecond": 0},
}


@dataclass(frozen=True)
class Truncate(Transform):
    """The value with less in it: the beginning of a text, a number in steps, a date's month.

    Args:
        length: of a text: characters that stay.
        step: of a number: it is rounded down to a multiple.
        to: of a date or timestamp: "year", "month", "day" or "hour".

    Raises:
        ConfigError: not exactly one of them is given.
    """

    length: int | None = None
    step: float | None = None
    to: str | None = None

    keeps: ClassVar[str] = "truncated"

    def __post_init__(self) -> None:
        given = [one for one in (self.length, self.step, self.to) if one is not None]
        if len(given) != 1 or (self.to is not None and self.to not in MOMENTS):
            raise ConfigError(
                f"Truncate: give one of length=, step= and to= ({', '.join(MOMENTS)})"
            )
        if (self.length is not None and self.length < 0) or (
            self.step is not None and self.step <= 0
        ):
            raise ConfigError("Truncate: length from 0, step above 0")

    def function(self, params: Mapping[str, Any]) -> Change:
        if self.length is not None:
            length = self.length
            return lambda value: str(value)[:length]
        if self.step is not None:
            step = self.step
            return lambda value: value // step * step
        assert self.to is not None
        fields = MOMENTS[self.to]

        def shortened(value: Any) -> Any:
            if isinstance(value, datetime):
                return value.replace(**fields)  # type: ignore[arg-type]
            if isinstance(value, date):
                return value.replace(**{k: v for k, v in fields.items() if k in ("month", "day")})
            raise TypeError(f"{type(value).__name__} is no date or timestamp")

        return shortened


@dataclass(frozen=True)
class Drop(Transform):
    """The field is left out."""

    def function(self, params: Mapping[str, Any]) -> Change:
        return lambda value: None


@dataclass(frozen=True)
class Protection:
    """What becomes of which field.

    Args:
        fields: (name, transform); a record without a field is left as it is.

    Raises:
        ConfigError: there is none, or one is no transform.
    """

    fields: tuple[tuple[str, Transform], ...]

    def __post_init__(self) -> None:
        if not self.fields:
            raise ConfigError('protect needs a field: protect(email=Hash(secret("KEY")))')
        for name, one in self.fields:
            if not isinstance(one, Transform):
                raise ConfigError(f"protect: {name} is {one!r}: see kappa.privacy")

    @classmethod
    def of(cls, **fields: Transform) -> Protection:
        """From transforms by field."""
        return cls(tuple(fields.items()))

    @property
    def tokens(self) -> bool:
        """Whether some field becomes tokens."""
        return any(isinstance(one, Tokenise) for _, one in self.fields)

    def rows(self, rows: Iterable[Mapping[str, Any]]) -> tuple[list[Any], list[Any]]:
        """Rows made harmless, and what their tokens stand for: for use before an append.

        >>> from datetime import date
        >>> Protection.of(born=Truncate(to="year"), name=Drop()).rows(
        ...     [{"id": 1, "name": "Ann", "born": date(1990, 5, 17)}])[0]
        [{'id': 1, 'born': datetime.date(1990, 1, 1)}]
        """
        changes = [(name, one, one.function({})) for name, one in self.fields]
        out: list[Any] = []
        lookups: dict[str, Any] = {}
        for row in rows:
            made = dict(row)
            for name, one, change in changes:
                value = made.get(name)
                if isinstance(one, Drop):
                    made.pop(name, None)
                elif value is not None:
                    made[name] = change(value)
                    if isinstance(one, Tokenise):
                        lookups[made[name]] = token_row(name, made[name], value)
            out.append(made)
        return out, list(lookups.values())


def token_row(name: str, token: str, value: Any) -> dict[str, Any]:
    """A row of a lookup."""
    return {"token": token, "field": name, "value": value}


@dataclass(frozen=True)
class Protect(Operator):
    """Rows made harmless; what tokens stand for goes to the side "lookup".

    Args:
        protection: what becomes of which field.
    """

    protection: Protection

    kind: ClassVar[str] = "protect"

    @property
    def sides(self) -> tuple[str, ...]:  # type: ignore[override]
        """The lookup, where there are tokens."""
        return (LOOKUP,) if self.protection.tokens else ()

    def open(self, context: OperatorContext) -> Instance:
        """The instance; reads the keys."""
        return ProtectInstance(self.protection, context)

    def required(self, wanted: Fields) -> Fields:
        """What is wanted, and what becomes tokens."""
        if wanted is None:
            return None
        tokens = {n for n, one in self.protection.fields if isinstance(one, Tokenise)}
        return wanted | tokens

    def describe(self) -> str:
        """What becomes of which field."""
        changes = [f"{name} {one.keeps or 'dropped'}" for name, one in self.protection.fields]
        return f"protects {', '.join(changes)}"


class ProtectInstance(Instance):
    """Transforms with their keys."""

    def __init__(self, protection: Protection, context: OperatorContext) -> None:
        self.context = context
        self.changes = [
            (name, one, Remembering(one.function(context.params)))
            for name, one in protection.fields
        ]

    def process(self, batch: Batch) -> Sequence[Batch]:
        """Columns are replaced, tokens also told."""
        kind, content = batch.columns_or_rows()
        if kind == "rows":
            return self._by_rows(batch, content)
        columns: dict[str, list[Any]] = dict(content)
        out: list[Batch] = []
        for name, one, change in self.changes:
            column = columns.get(name)
            if column is None:
                continue
            if isinstance(one, Drop):
                del columns[name]
                continue
            columns[name] = changed = [None if v is None else change(v) for v in column]
            if isinstance(one, Tokenise):
                out.append(_lookup(batch, name, column, changed))
        solid = batch.solid.difference(name for name, _, _ in self.changes)
        return [batch.with_columns(columns, solid=solid), *(one for one in out if one.count)]

    def _by_rows(self, batch: Batch, rows: list[Any]) -> Sequence[Batch]:
        """Rows of different fields; what has no fields passes."""
        made = [dict(row) if isinstance(row, Mapping) else row for row in map(plain, rows)]
        out: list[Batch] = []
        for name, one, change in self.changes:
            before = [row.get(name) if isinstance(row, dict) else None for row in made]
            after = [None if value is None else change(value) for value in before]
            for row, value, new in zip(made, before, after):
                if isinstance(one, Drop) and isinstance(row, dict):
                    row.pop(name, None)
                elif value is not None:
                    row[name] = new
            if isinstance(one, Tokenise):
                out.append(_lookup(batch, name, before, after))
        return [passed(batch.with_rows(made), self.context), *(one for one in out if one.count)]


def _lookup(batch: Batch, name: str, values: list[Any], tokens: list[Any]) -> Batch:
    places = [at for at, value in enumerate(values) if value is not None]
    rows = [token_row(name, tokens[at], values[at]) for at in places]
    return batch.emitted(places, rows=rows, output=LOOKUP)


@dataclass
class Remembering:
    """A function whose last results are at hand."""

    change: Change
    known: dict[Any, Any] = field(default_factory=dict)

    def __call__(self, value: Any) -> Any:
        try:
            found = self.known.get((value.__class__, value))
        except TypeError:  # it cannot be a key
            return self.change(value)
        if found is None:
            if len(self.known) >= REMEMBERED:
                self.known.clear()
            found = self.known[value.__class__, value] = self.change(value)
        return found


__all__ = ["Drop", "Hash", "Mask", "Protect", "Protection", "Tokenise", "Transform", "Truncate"]
