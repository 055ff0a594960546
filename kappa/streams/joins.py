"""Joins on the graph: the two inputs, each behind its port, and the step between them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypedDict

from kappa.errors import ConfigError
from kappa.expressions import Selector
from kappa.operators import AsOfJoin, Join, Joined, Lookup, Operator, Process, WindowJoin
from kappa.operators.join import FOREVER
from kappa.operators.ports import LEFT, RIGHT
from kappa.plan.graph import Edge
from kappa.plan.inputs import known_fields, port
from kappa.streams.tables import Table
from kappa.streams.words import JoinCondition, JoinSelect
from kappa.time import Duration, duration_ms
from kappa.windows import Window

if TYPE_CHECKING:
    from kappa.streams.keyed import KeyedStream
    from kappa.streams.stream import Stream

WINDOW_BOUNDS = ("window_start", "window_end")


class Options(TypedDict):
    """What all joins of `KeyedStream` take besides their kind; see `KeyedStream.join`."""

    window: Window | None
    within: Duration | tuple[Duration, Duration] | None
    where: JoinCondition | None
    select: JoinSelect | None
    suffix: str
    keep: Duration | None


def joined(
    stream: KeyedStream[Any], other: KeyedStream[Any] | Table[Any], how: str, options: Options
) -> Edge:
    """The step that joins a stream with a stream or a table.

    Raises:
        ConfigError: the inputs, or the options, do not go together.
    """
    check(other)
    bounds = {name: options[name] for name in ("window", "within", "keep")}
    given = [name for name, value in bounds.items() if value is not None]
    if len(given) > 1:
        raise ConfigError(f"join: give one of {' and '.join(given)}")
    shape = shape_of(
        stream, other._edge, other.key, options["where"], options["select"], options["suffix"]
    )
    if isinstance(other, Table):
        if given:
            raise ConfigError(
                f"join: {given[0]} goes with another stream; with a table each row meets what"
                " the table holds when it arrives, or use as_of_join"
            )
        return fan_in(stream, Lookup(shape, how), other, None, table=True)
    window = options["window"]
    if window is not None:
        part: Operator = WindowJoin(replace(shape, extra=WINDOW_BOUNDS), how, window)
    else:
        part = Join(shape, how, span_ms(options["within"]), _kept(options["keep"]))
    return fan_in(stream, part, other, other.key)


def as_of(
    stream: KeyedStream[Any],
    table: KeyedStream[Any] | Table[Any],
    how: str,
    within: Duration | None,
    select: JoinSelect | None,
    suffix: str,
) -> Edge:
    """The step that joins a stream with versions as of event time."""
    check(table)
    span = None if within is None else duration_ms(within, name="within", minimum=0)
    signed = isinstance(table, Table)
    edge = table._versions() if isinstance(table, Table) else table._edge
    part = AsOfJoin(shape_of(stream, edge, table.key, None, select, suffix), how, span)
    return fan_in(stream, part, table, None if signed else table.key, table=signed, edge=edge)


def check(other: Any) -> None:
    """Refuses what has no key."""
    if not isinstance(other, Table) and not hasattr(other, "key"):
        raise ConfigError(f"join: {other!r} has no key: give a stream behind key_by, or a table")


def shape_of(
    stream: KeyedStream[Any],
    edge: Edge,
    key: Selector,
    where: JoinCondition | None,
    select: JoinSelect | None,
    suffix: str,
) -> Joined:
    """What the rows of the result are made of."""
    return Joined(
        stream.key,
        key,
        where=where,
        select=Joined.parts(select),
        suffix=suffix,
        left_fields=known_fields(stream._graph, stream._edge),
        right_fields=known_fields(stream._graph, edge),
    )


def fan_in(
    stream: KeyedStream[Any],
    part: Operator,
    other: Stream[Any] | Table[Any],
    key: Selector | None,
    *,
    table: bool = False,
    edge: Edge | None = None,
) -> Edge:
    """Both inputs behind their ports, and the step.

    Args:
        stream: the left input.
        part: the step.
        other: the right input.
        key: of its rows; None for a table's own.
        table: its rows are a table's.
        edge: where its rows are, if not where the stream or table ends.
    """
    graph = stream._graph
    if other._graph is not graph:
        raise ConfigError(
            f"the streams belong to two pipelines, {graph.name!r} and {other._graph.name!r}"
        )
    mappings = not isinstance(part, Process)  # the user's code gets rows as they are
    left = port(graph, stream._edge, LEFT, stream.key, table=False, mappings=mappings)
    right = port(graph, edge or other._edge, RIGHT, key, table=table, mappings=mappings)
    return graph.add(part, left, right, key=stream.key)


def _kept(keep: Duration | None) -> int | str | None:
    if keep is None or keep == FOREVER:
        return keep  # type: ignore[return-value]
    return duration_ms(keep, name="keep", minimum=1)


def span_ms(within: Duration | tuple[Duration, Duration] | None) -> tuple[int, int] | None:
    """`within` as (lower, upper) in ms: one duration reaches as far both ways.

    >>> span_ms("5s"), span_ms(("-1s", "2s"))
    ((-5000, 5000), (-1000, 2000))
    """
    if within is None:
        return None
    if isinstance(within, tuple):
        if len(within) != 2:
            raise ConfigError(f"within is {within!r}: give one duration, or a lower and an upper")
        lower, upper = (duration_ms(one, name="within") for one in within)
        return lower, upper
    span = duration_ms(within, name="within", minimum=0)
    return -span, span
