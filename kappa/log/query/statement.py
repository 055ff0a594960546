"""What a query names, as DuckDB's own parser sees it.

The parser's tree is read, never evaluated. What is found may be too much (the name of a
common table expression looks like a table's) but never too little.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kappa.errors import ConfigError

__all__ = ["LATEST", "RECORDS", "Statement", "TableName", "parse"]

RECORDS, LATEST = "records", "latest"
"""Schemas that say how a topic is seen: every record, or the last one of each key."""

_PLAIN = frozenset({"BASE_TABLE", "JOIN", "SUBQUERY", "EMPTY", "EXPRESSION_LIST", "TABLE_FUNCTION"})
"""Kinds of FROM whose columns are only those that the query names."""


@dataclass(frozen=True, slots=True)
class TableName:
    """A table that a query may mean.

    Args:
        schema: in front of the dot, or "".
        name: behind it.
        as_of: LSN of the table's own AT (VERSION => n), or None.
    """

    schema: str
    name: str
    as_of: int | None = None

    @property
    def internal(self) -> str:
        """What it is called in the query that DuckDB gets."""
        schema = f"{self.schema}." if self.schema in (RECORDS, LATEST) else ""
        at = "" if self.as_of is None else f" at {self.as_of}"
        return f"{schema}{self.name}{at}"


@dataclass(frozen=True, slots=True)
class Statement:
    """A query, parsed.

    Args:
        text: for DuckDB, without AS OF.
        tables: that it may mean, each once.
        words: lower-case names that it uses as columns; None if it may use any.
        mentioned: lower-case names that stand in it, whether as columns alone or not.
        as_of: LSN that the whole query is asked for, or None.
        describes: it asks what columns there are (DESCRIBE).
    """

    text: str
    tables: tuple[TableName, ...]
    words: frozenset[str] | None
    mentioned: frozenset[str]
    as_of: int | None
    describes: bool

    def uses(self, name: str) -> bool:
        """Whether it may use a column of that name."""
        return self.words is None or name.lower() in self.words


def parse(connection: Any, query: str) -> Statement:
    """A query's tables and columns.

    Args:
        connection: of DuckDB, whose dialect it is in.
        query: one SELECT, or what DuckDB writes as one (WITH, FROM, VALUES, DESCRIBE).

    Raises:
        ConfigError: it is not SQL, not one statement, or not a SELECT.
    """
    text, as_of = _without_as_of(query)
    tree = _tree(connection, text)
    tables = tuple(dict.fromkeys(_tables(tree)))
    paths = list(_columns(tree))
    mentioned = frozenset(name.lower() for path in paths for name in path)
    alone = {path[0].lower() for path in paths if len(path) == 1}
    every = any(map(_is_open, _nodes(tree))) or not alone.isdisjoint(_row_names(tree))
    if any(table.internal != table.name for table in tables):
        text = _rewritten(connection, tree)
    describes = any(node.get("type") == "SHOW_REF" for node in _nodes(tree))
    return Statement(text, tables, None if every else mentioned, mentioned, as_of, describes)


def _without_as_of(query: str) -> tuple[str, int | None]:
    """The query without an AS OF n at its end, and n.

    >>> _without_as_of("SELECT 'AS OF 3' FROM bids AS OF LSN 12;")
    ("SELECT 'AS OF 3' FROM bids ", 12)
    """
    import duckdb

    words = [
        (at, query[at:stop].rstrip())
        for (at, kind), (stop, _) in _pairs(duckdb.tokenize(query), len(query))
        if not str(kind).endswith("comment")
    ]
    while words and words[-1][1] == ";":
        words.pop()
    upper = [word.upper() for _, word in words[-4:]]
    for shape in (["AS", "OF", "LSN"], ["AS", "OF"]):
        if upper[-len(shape) - 1 : -1] == shape and upper[-1].isdecimal():
            return query[: words[-len(shape) - 1][0]], int(upper[-1])
    return query, None


def _pairs(tokens: list[Any], end: int) -> Iterator[tuple[Any, Any]]:
    return zip(tokens, [*tokens[1:], (end, None)], strict=True)


def _tree(connection: Any, text: str) -> dict[str, Any]:
    ((found,),) = connection.execute("SELECT json_serialize_sql($1)", [text]).fetchall()
    tree: dict[str, Any] = json.loads(found)
    if tree["error"]:
        message = str(tree["error_message"])
        if "Only SELECT" in message:
            message = "only a SELECT can be asked of a log: it changes by appends alone"
        raise ConfigError(f"the query: {message}")
    if len(tree["statements"]) != 1:
        raise ConfigError(f"{len(tree['statements'])} statements: give one SELECT")
    return tree


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Every mapping of a tree, without recursion: a query may be as deep as it likes."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Mapping):
            yield dict(node)
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)


def _tables(tree: Any) -> Iterator[TableName]:
    for node in _nodes(tree):
        if node.get("type") == "BASE_TABLE":
            yield TableName(node["schema_name"], node["table_name"], _version(node))


def _version(node: Mapping[str, Any]) -> int | None:
    clause = node.get("at_clause")
    if not clause:
        return None
    literal = clause["expr"].get("literal") or clause["expr"].get("value") or {}
    text = str(literal.get("text", literal.get("value", "")))
    if clause["unit"] != "VERSION" or not text.isdecimal():
        raise ConfigError(
            f"{node['table_name']}: AT takes a VERSION, which is a whole LSN, as AT (VERSION => 12)"
        )
    return int(text)


def _columns(tree: Any) -> Iterator[list[str]]:
    """Columns by the path that names them; its first name may be a table's."""
    for node in _nodes(tree):
        if node.get("class") == "COLUMN_REF":
            yield node["column_names"]
        yield from ([name] for name in node.get("using_columns") or ())


def _row_names(tree: Any) -> Iterator[str]:
    """Names of tables, which as a column mean the whole row."""
    for node in _nodes(tree):
        if "sample" in node:
            yield from (str(node.get(what, "")).lower() for what in ("alias", "table_name"))


def _is_open(node: Mapping[str, Any]) -> bool:
    """Whether a part of a query may use columns that it does not name."""
    if node.get("class") == "STAR":
        return True
    if "ref_type" in node:
        return bool(node["ref_type"] != "REGULAR")
    # Parts of FROM alone have a sample; what is not known is taken for the worst.
    return "sample" in node and "alias" in node and node.get("type") not in _PLAIN


def _rewritten(connection: Any, tree: Any) -> str:
    """The query with each table that has a schema or an AT of ours under its internal name."""
    changed = json.loads(json.dumps(tree))
    waiting = [changed]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting.extend(node)
        elif isinstance(node, dict):
            if node.get("type") == "BASE_TABLE":
                _rename(node)
            waiting.extend(node.values())
    text = json.dumps(changed)
    asked = "SELECT json_deserialize_sql($1::JSON)"
    ((made,),) = connection.execute(asked, [text]).fetchall()
    return str(made)


def _rename(node: dict[str, Any]) -> None:
    table = TableName(node["schema_name"], node["table_name"], _version(node))
    name = table.internal
    if name == table.name:
        return
    node["alias"] = node["alias"] or table.name
    node |= {"schema_name": "", "table_name": name, "at_clause": None}
    if "qualified_name" in node:
        node["qualified_name"] = {"path": [name]}
