"""How two rows become one: the condition, the fields of the result, what stands for no row.

Law: the fields of a result depend only on the two rows and the description, never on which
fields happen to be read or on how appends are taken in. One thing rests on what came before:
the None that an outer join puts where a row is not there, for fields that the plan is not
certain of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from kappa.batch import Batch, RowFailure, located, unknown_field
from kappa.errors import ConfigError
from kappa.expressions import Expression, Selector
from kappa.expressions.bound import BoundExpression, Computed, read
from kappa.expressions.nodes import Column
from kappa.operators.contract import Fields, Names, OperatorContext, both
from kappa.operators.failing import evaluate
from kappa.operators.keyed import as_mapping, key_row

SIDES = ("left", "right")
PAIR = "pair"
KINDS = ("inner", "left", "right", "full")

Two: TypeAlias = "Callable[[Any, Any], Any]"
"""A function of the left and the right row; None stands for a row that is not there."""


@dataclass(frozen=True)
class Joined:
    """What the rows of a join are made of.

    Args:
        left_key, right_key: the keys of the two inputs.
        where: only pairs for which it holds are pairs: an expression over `left(f)` and
            `right(f)`, or a function of both rows.
        select: the fields of the result: (name, expression or function of both rows), or
            a function that makes the whole row. None: the fields of both rows, where
            `suffix` tells apart what both have.
        suffix: added to a field of the right row that the left one has too. The field of
            the right key is left out where it has the name of the left one: they are equal.
        left_fields, right_fields: the fields of the inputs where they are certain: what an
            outer join fills with None.
        extra: fields that the join itself adds, such as window_start.
    """

    left_key: Selector
    right_key: Selector
    where: Expression | Two | None = None
    select: tuple[tuple[str, Any], ...] | Two | None = None
    suffix: str = "_right"
    left_fields: Names = None
    right_fields: Names = None
    extra: tuple[str, ...] = ()
    same: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.suffix, str) or not self.suffix:
            raise ConfigError(f"join: suffix is {self.suffix!r}, must be a text that is not empty")
        count = len(self.left_key.names), len(self.right_key.names)
        if count[0] != count[1]:
            raise ConfigError(
                f"join: the left stream is keyed by {self.left_key.name!r} and the right one by"
                f" {self.right_key.name!r}: {count[0]} and {count[1]} values are never equal"
            )
        pairs = zip(self.left_key.names, self.right_key.names, strict=True)
        same = frozenset(one for one, other in pairs if one == other)
        object.__setattr__(self, "same", same if _plain_key(self.right_key) else frozenset())

    @classmethod
    def parts(cls, select: Any) -> tuple[tuple[str, Any], ...] | Two | None:
        """`select` as users write it: a mapping, named expressions, or a function.

        Raises:
            ConfigError: it is none of these, or an expression in a list has no name.
        """
        if select is None or (callable(select) and not isinstance(select, Expression)):
            return select
        if isinstance(select, Mapping):
            named = tuple(select.items())
        elif isinstance(select, list | tuple):
            named = tuple((_name_of(part), part) for part in select)
        else:
            raise ConfigError(
                f"join: select is {select!r}; give a mapping from names to expressions such as"
                ' {"price": left("price")}, a list of them, or a function of both rows'
            )
        names = [name for name, _ in named]
        if not names or len(set(names)) < len(names):
            raise ConfigError(f"join: select names the fields {', '.join(names) or 'not at all'}")
        for name, part in named:
            if not isinstance(part, Expression) and not callable(part):
                raise ConfigError(
                    f'join: {name!r} is {part!r}: say whose field it is, left("...") or'
                    ' right("..."), or give a function of both rows'
                )
        return named

    # -- what the plan asks ------------------------------------------------------------------

    def required(self, port: int, wanted: Fields) -> Fields:
        """The fields of one input that the `wanted` fields of the result rest on."""
        key = (self.left_key, self.right_key)[port].fields
        where = self._reads(port, self.where)
        if self.select is None:
            chosen = wanted
            if wanted is not None:
                # A name may come from either side, with or without suffix; which, both decide.
                bare = {n.removesuffix(self.suffix) for n in wanted}
                chosen = (wanted | bare).difference(self.extra)
        elif callable(self.select):
            chosen = None
        else:
            chosen = frozenset()
            for _, part in self.select:
                chosen = both(chosen, self._reads(port, part))
        return both(both(chosen, where), key)

    def _reads(self, port: int, part: Any) -> Fields:
        if part is None:
            return frozenset()
        if not isinstance(part, Expression):
            return None
        plain = part.fields.difference(self.extra)
        bare = {name.removesuffix(self.suffix) for name in plain}
        return plain | bare | {name for side, name in part.sides if side == SIDES[port]}

    def yields(self) -> Names:
        """The fields of the result where they are certain."""
        if callable(self.select):
            return None
        if self.select is not None:
            return tuple(name for name, _ in self.select)
        if self.left_fields is None or self.right_fields is None:
            return None
        renamed = self.renamed(self.left_fields, self.right_fields)
        return (*self.left_fields, *renamed.values(), *self.extra)

    def renamed(self, left: Sequence[str], right: Sequence[str]) -> dict[str, str]:
        """The names in a result of the fields of a right row."""
        taken = set(left)
        names = {
            name: f"{name}{self.suffix}" if name in taken else name
            for name in right
            if name not in self.same
        }
        if len(taken.union(names.values(), self.extra)) < len(taken) + len(names) + len(self.extra):
            raise ConfigError(
                f"join: the fields {', '.join(left)} and {', '.join(right)} do not go together with"
                f" suffix {self.suffix!r}: give another suffix=, or select="
            )
        return names

    def learns(self, how: str) -> tuple[bool, bool]:
        """Whether the fields of left and right rows are found out from the rows there are.

        They fill what an outer join has no row for, where the plan is not certain of them.
        What an input's rows have is then state, and rests on all of its history.
        """
        if self.select is not None:
            return False, False
        return (
            how in ("right", "full") and self.left_fields is None,
            how in ("left", "full") and self.right_fields is None,
        )

    def describe(self) -> str:
        """The condition, for `explain`."""
        return "" if self.where is None else f" where {Selector.of(self.where)!r}"

    def open(self, context: OperatorContext, how: str = "inner") -> Joining:
        """What makes rows of pairs in one run."""
        return Joining(self, context, self.learns(how))


class Joining:
    """Makes rows of pairs.

    State, of an outer join that is not certain of its fields: "fields", the names that rows
    of a side have had, in the order in which they came.
    """

    def __init__(self, shape: Joined, context: OperatorContext, learns: tuple[bool, bool]) -> None:
        self._shape = shape
        self._learns = learns
        self._fields = context.state.keyed("fields") if any(learns) else None
        self._known: list[frozenset[str]] = [
            frozenset(self._fields.get(port) or () if self._fields is not None else ())
            for port in (0, 1)
        ]
        self._context = context
        self._renames: dict[tuple[Any, ...], dict[str, str]] = {}
        self._where = None if shape.where is None else [self._bound(shape.where, mask=True)]
        self._columns: list[str] | None = None
        if shape.select is None:
            self._select: list[Computed] = [Merged(self, shape.extra)]
        elif callable(shape.select):
            self._select = [self._bound(shape.select)]
        else:
            self._columns = [name for name, _ in shape.select]
            self._select = [self._bound(part) for _, part in shape.select]

    def _bound(self, part: Any, *, mask: bool = False) -> Computed:
        if isinstance(part, Expression):
            return OfPair(part, self, self._context.params, mask=mask)
        return Selector.of(lambda row: part(row["left"], row["right"])).bind()

    # -- pairs to rows -----------------------------------------------------------------------

    @staticmethod
    def columns(
        lefts: list[Any], rights: list[Any], extra: Mapping[str, list[Any]] | None = None
    ) -> dict[str, list[Any]]:
        """Pairs as the columns that `matching` and `rows` work on."""
        return {"left": lefts, "right": rights, PAIR: list(range(len(lefts))), **(extra or {})}

    def learn(self, rows: Iterable[Sequence[Any]]) -> None:
        """Notes the fields of rows as they come through `Port`."""
        if self._fields is None:
            return
        for row in rows:
            if self.is_news(row):
                port = row[0]
                known = dict.fromkeys(self._fields.get(port) or ())
                self._fields.put(port, list(known | dict.fromkeys(row[2])))
                self._known[port] = frozenset(self._fields.get(port))

    def is_news(self, row: Sequence[Any]) -> bool:
        """Whether a row has a field that is to be noted and has not been."""
        port, content = row[0], row[2]
        if content is None or not self._learns[port]:
            return False
        return not content.keys() <= self._known[port]

    def _names(self, port: int) -> Sequence[str]:
        """The fields that stand for a row of a side that is not there."""
        certain = (self._shape.left_fields, self._shape.right_fields)[port]
        if certain is None and self._fields is not None:
            return self._fields.get(port) or ()
        return certain or ()

    def matching(self, pairs: Batch) -> tuple[Batch, list[Batch]]:
        """The pairs for which the condition holds, and dead letters for those that fail."""
        if self._where is None:
            return pairs, []
        left, (mask,), dead = evaluate(self._where, pairs, self._context)
        return left.compress(mask), dead

    def holding(
        self, pairs: Sequence[tuple[Any, Any]], place: Callable[[dict[str, list[Any]]], Batch]
    ) -> tuple[list[bool], list[Batch]]:
        """Whether the condition holds for each pair; a pair on which it fails is no pair.

        Args:
            pairs: left and right rows, all there.
            place: makes a batch of columns, in the places that dead letters are to have.
        """
        if self._where is None or not pairs:
            return [True] * len(pairs), []
        columns = self.columns([one for one, _ in pairs], [other for _, other in pairs])
        made, dead = self.matching(place(columns))
        kept = set(made.column(PAIR))
        return [at in kept for at in range(len(pairs))], dead

    def rows(self, pairs: Batch) -> list[Batch]:
        """The rows of the result, in the places of the pairs; and dead letters."""
        if not pairs.count:
            return []
        left, values, dead = evaluate(self._select, pairs, self._context)
        if not left.count:
            return dead
        if self._columns is None:
            return [left.with_rows(values[0]), *dead]
        return [left.with_columns(dict(zip(self._columns, values))), *dead]

    def merged(self, pairs: Batch) -> list[dict[str, Any]]:
        """The fields of both rows of every pair."""
        one = self.one
        both = list(zip(pairs.column("left"), pairs.column("right"), strict=True))
        return located(lambda pair: one(*pair), both)

    def one(
        self, left: Mapping[str, Any] | None, right: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        """The fields of both rows; None for those of a row that is not there and are known."""
        if left is None or right is None:
            return self._half(left, right)
        names = tuple(left), tuple(right)
        renames = self._renames.get(names)
        if renames is None:
            renames = self._renames[names] = self._shape.renamed(*names)
        row = dict(left)
        for name, value in right.items():
            if name in renames:
                row[renames[name]] = value
        return row

    def _half(
        self, left: Mapping[str, Any] | None, right: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        shape = self._shape
        if left is not None:
            others = shape.renamed(tuple(left), self._names(1))
            return {**left, **dict.fromkeys(others.values())}
        assert right is not None
        row: dict[str, Any] = dict.fromkeys(self._names(0))
        if _plain_key(shape.left_key) and _plain_key(shape.right_key):
            values = [right.get(name) for name in shape.right_key.names]
            key = values[0] if len(values) == 1 else tuple(values)
            row |= key_row(shape.left_key.names, key) if values else {}
        names = shape.renamed(tuple(row), tuple(right))
        return row | {new: right[name] for name, new in names.items()}


class Merged:
    """The fields of both rows of every pair, and those that the join adds."""

    def __init__(self, owner: Joining, extra: Sequence[str]) -> None:
        self._owner = owner
        self._extra = extra

    def __call__(self, batch: Batch) -> list[Any]:
        made = self._owner.merged(batch)
        for name in self._extra:
            for row, value in zip(made, batch.column(name), strict=True):
                row[name] = value
        return made

    def kind(self, batch: Batch) -> type:
        """Rows."""
        return object


class OfPair:
    """An expression over pairs: fields of either row, and those of the two together."""

    def __init__(
        self, part: Expression, owner: Joining, params: Mapping[str, Any], *, mask: bool
    ) -> None:
        sided = {pair: f"{pair[0]}.{pair[1]}" for pair in part.sides}
        self._bound = BoundExpression(part.replaced(sided).node, params, mask=mask)
        self._sides = {column: pair for pair, column in sided.items()}
        self._owner = owner

    def __call__(self, batch: Batch) -> list[Any]:
        merged: list[dict[str, Any]] | None = None
        columns = []
        for leaf in self._bound.leaves:
            name = leaf.field if isinstance(leaf, Column) else ""
            if name in self._sides:
                side, own = self._sides[name]
                columns.append(_field(batch.column(side), own))
            elif not isinstance(leaf, Column) or batch.has(name):
                columns.append(read(leaf, batch))
            else:
                merged = self._owner.merged(batch) if merged is None else merged
                columns.append(_field(merged, name))
        return self._bound.over(columns, batch.count)

    def kind(self, batch: Batch) -> None:
        """Nothing is known of the values."""


def _field(rows: Sequence[Mapping[str, Any] | None], name: str) -> list[Any]:
    """The field of every row; None where there is no row.

    Raises:
        RowFailure: a row does not have it.
    """
    try:
        return [None if row is None else row[name] for row in rows]
    except KeyError:
        at = next(i for i, row in enumerate(rows) if row is not None and name not in row)
        known = as_mapping(rows[at])
        raise RowFailure(at, unknown_field(name, known)) from None


def _plain_key(key: Selector) -> bool:
    """Whether a key is fields of the row, so that its values stand in the row."""
    if isinstance(key.source, tuple):
        return all(map(_plain_key, key.source))
    return isinstance(key.source, Expression) and key.source.bare is not None


def _name_of(part: Any) -> str:
    name = part.name if isinstance(part, Expression) else None
    if name is None:
        raise ConfigError(f'join: {part!r} in select has no name: give one with .named("...")')
    return name


def is_null(key: Any) -> bool:
    """Whether a key is, or holds, None: it equals no other, as in SQL."""
    return key is None or (type(key) is tuple and None in key)
