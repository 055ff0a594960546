"""Tables: one row per key, as it stands after every LSN; what users chain on them.

A table comes from a stream (`keyed.table()`) or an upsert topic (`pipeline.table(topic)`).
What is computed from it follows it: a group that a row leaves gives it back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from kappa.aggregates import Aggregate
from kappa.errors import ConfigError
from kappa.expressions import Expression, Selector
from kappa.operators import (
    Filter,
    Joined,
    Map,
    Operator,
    Print,
    Select,
    TableAggregate,
    TableChanges,
    TableJoin,
    TableRows,
    Upsert,
    Versions,
    WithColumns,
    Without,
)
from kappa.operators.ports import LEFT, RIGHT
from kappa.plan.graph import Edge, Graph, SinkSpec
from kappa.plan.inputs import known_fields, port
from kappa.streams.words import JoinCondition, JoinSelect, Key, together

if TYPE_CHECKING:
    from kappa.streams.stream import Stream

T = TypeVar("T")
U = TypeVar("U")


class Table(Generic[T]):
    """One row per key, kept up to date; what is taken back is taken back behind it too.

    It changes at most once per key and LSN, so that it is consistent after every LSN.

    Attributes:
        key: what its rows replace each other by.
    """

    def __init__(
        self,
        graph: Graph,
        edge: Edge,
        key: Selector,
        *,
        upserts: tuple[Edge, Upsert] | None = None,
    ) -> None:
        self._graph = graph
        self._edge = edge
        self._upserts = upserts
        self.key = key

    def named(self, name: str) -> Self:
        """Names the step behind this table; the name is the address of its state."""
        self._graph.rename(self._edge, name)
        return self

    # -- row by row ------------------------------------------------------------------------

    def filter(self, condition: Callable[[T], Any] | Expression) -> Table[T]:
        """The rows for which `condition` is true."""
        return self._then(Filter(Selector.of(condition)))

    def map(self, function: Callable[[T], U] | Expression) -> Table[U]:
        """Another row in the place of each; the function must give equal rows for equal ones."""
        return self._then(Map(Selector.of(function)))

    def select(self, *fields: str, **columns: Expression | Callable[[T], Any]) -> Table[Any]:
        """Rows of just these fields, and of new ones; the table's key stays what it was."""
        return self._then(Select.of(*fields, **columns))

    def with_columns(self, **columns: Expression | Callable[[T], Any]) -> Table[Any]:
        """The rows with fields added or replaced."""
        return self._then(WithColumns.of(**columns))

    def without(self, *fields: str) -> Table[Any]:
        """The rows less these fields."""
        return self._then(Without(fields))

    def _then(self, part: Operator) -> Table[Any]:
        return Table(self._graph, self._graph.add(part, self._edge), self.key)

    # -- groups and joins --------------------------------------------------------------------

    def group_by(self, *keys: Key) -> GroupedTable:
        """The rows in groups, to be aggregated: by fields, expressions or a function.

        Without arguments all rows are one group.
        """
        selector = Selector.of(keys[0]) if len(keys) == 1 else Selector.of(tuple(keys))
        return GroupedTable(self, selector)

    def join(
        self,
        other: Table[Any],
        *,
        on: Key | tuple[Key, ...] | None = None,
        where: JoinCondition | None = None,
        select: JoinSelect | None = None,
        suffix: str = "_right",
    ) -> Table[Any]:
        """The rows of both tables that belong together, as a table that follows both.

        Args:
            other: the table to join.
            on: what of this table's rows is the key of `other`, a foreign key; by default
                this table's own key.
            where, select, suffix: as for streams.
        """
        return self._joined("inner", other, on, where, select, suffix)

    def left_join(
        self,
        other: Table[Any],
        *,
        on: Key | tuple[Key, ...] | None = None,
        where: JoinCondition | None = None,
        select: JoinSelect | None = None,
        suffix: str = "_right",
    ) -> Table[Any]:
        """Like `join`; rows of this table that find none are there too."""
        return self._joined("left", other, on, where, select, suffix)

    def right_join(
        self,
        other: Table[Any],
        *,
        where: JoinCondition | None = None,
        select: JoinSelect | None = None,
        suffix: str = "_right",
    ) -> Table[Any]:
        """Like `join`; rows of `other` that find none are there too."""
        return self._joined("right", other, None, where, select, suffix)

    def full_join(
        self,
        other: Table[Any],
        *,
        where: JoinCondition | None = None,
        select: JoinSelect | None = None,
        suffix: str = "_right",
    ) -> Table[Any]:
        """Like `join`; rows of either table that find none are there too."""
        return self._joined("full", other, None, where, select, suffix)

    def _joined(
        self,
        how: str,
        other: Table[Any],
        on: Any,
        where: Any,
        select: Any,
        suffix: str,
    ) -> Table[Any]:
        graph = self._graph
        if not isinstance(other, Table):
            raise ConfigError(
                f"join: {other!r} is no table; a stream joins a table: stream.join(table)"
            )
        if other._graph is not graph:
            raise ConfigError(
                f"the tables belong to two pipelines, {graph.name!r} and {other._graph.name!r}"
            )
        foreign = None if on is None else Selector.of(on)
        shape = Joined(
            self.key if foreign is None else foreign,
            other.key,
            where=where,
            select=Joined.parts(select),
            suffix=suffix,
            left_fields=known_fields(graph, self._edge),
            right_fields=known_fields(graph, other._edge),
        )
        left = port(graph, self._edge, LEFT, foreign, table=True)
        right = port(graph, other._edge, RIGHT, None, table=True)
        part = TableJoin(shape, how, foreign=foreign is not None)
        return Table(graph, graph.add(part, left, right), self.key)

    # -- out of it -----------------------------------------------------------------------------

    def changes(self) -> Stream[dict[str, Any]]:
        """Every change as rows of a stream, with a field `retraction`: old row, new row."""
        return self._stream(TableChanges())

    def rows(self) -> Stream[T]:
        """Every new or changed row as a row of a stream; removals do not show."""
        return self._stream(TableRows())

    def _stream(self, part: Operator) -> Stream[Any]:
        from kappa.streams.stream import Stream

        return Stream(self._graph, self._graph.add(part, self._edge))

    def print(self, prefix: str = "") -> Self:
        """Shows every change on standard output as it passes."""
        self._graph.add(Print(prefix), self._graph.add(TableChanges(), self._edge))
        return self

    def to(self, topic: str, *, partitions: int = 1) -> Self:
        """Writes the table into an upsert topic that this pipeline owns.

        A record has the table's key, and the row as its value; None where the row is gone.
        `pipeline.view(topic)`, `log.view(topic)` and `kappa query` read it as a table.

        Args:
            topic: name without a version.
            partitions: number of partitions.
        """
        self._graph.add(SinkSpec.checked(topic, None, partitions, upsert=True), self._edge)
        return self

    def _versions(self) -> Edge:
        """Its rows as versions, for a join as of event time: each that arrives, if it can."""
        if self._upserts is None:
            return self._edge
        edge, upsert = self._upserts
        return self._graph.add(Versions(upsert.key, upsert.delete), edge, key=upsert.key)

    def __repr__(self) -> str:
        node = self._graph.nodes[self._edge.node]
        return f"<Table behind {node.name or node.part.kind} by {self.key.name}>"


class GroupedTable:
    """A table's rows in groups; ends in `aggregate`."""

    def __init__(self, table: Table[Any], key: Selector) -> None:
        self._table = table
        self._key = key

    def aggregate(
        self, aggregates: Mapping[str, Aggregate] | None = None, /, **named: Aggregate
    ) -> Table[dict[str, Any]]:
        """One row per group: the key field(s) and the aggregates, of the rows held now."""
        graph = self._table._graph
        part = TableAggregate(self._key, together(aggregates, named))
        return Table(graph, graph.add(part, self._table._edge, key=self._key), self._key)
