"""From a query to its result."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

from kappa.errors import ConfigError, KappaError, MissingExtra, UnknownTopic
from kappa.log.asof import catalog_at
from kappa.log.catalog import Catalog
from kappa.log.query.folders import select_from
from kappa.log.query.result import RESULT, Result
from kappa.log.query.statement import LATEST, RECORDS, Statement, TableName, parse
from kappa.log.registry import Registry
from kappa.log.store import Store

__all__ = ["query"]

_SETTINGS = {
    "autoinstall_known_extensions": "false",  # a query fetches nothing from the network
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",  # nor looks at the caller's variables
}


def query(
    store: Store,
    registry: Registry,
    text: str,
    *,
    as_of: int | None = None,
    params: Mapping[str, Any] | Sequence[Any] | None = None,
    tables: Mapping[str, Any] | None = None,
    zone: str = "UTC",
) -> Result:
    """The result of a query over topics.

    A topic is a table: `bids`, `"delays@2"`; a compacted one shows the last value of each
    key. `records.x` and `latest.x` say which of the two is meant. Columns are the fields,
    and where the query names them `_time`, `_append_time`, `_lsn`, `_partition`, `_offset`
    and `_key`; `_value` holds values that are no mappings. Only the fields and, by `_time`
    and `_lsn`, the parts of the log that the query needs are read. Rows of a topic with a
    schema are seen through the newest as of then.

    Args:
        store: of the log.
        registry: the topics' schemas.
        text: one SELECT; `AS OF 12` at its end, or `AT (VERSION => 12)` behind a table,
            asks the log as it stood after that LSN.
        as_of: the same; the end of the log by default.
        params: values for `$name` or `?`.
        tables: more tables by name: Arrow tables and datasets, DataFrames, and paths of
            files or of folders with partitions, such as a sink writes.
        zone: of times without one, and of days.

    Raises:
        ConfigError: DuckDB refuses the query; the message says why.
        MissingExtra: duckdb or pyarrow is not installed.

    Cost: 30 to 50 ns per value that is read, beyond what DuckDB takes.

    >>> from kappa.log import Log
    >>> with Log.memory() as log:
    ...     _ = log.create_topic("bids", time="ts")
    ...     _ = log.append("bids", [{"price": 2, "ts": 0}, {"price": 3, "ts": 60_000}])
    ...     log.sql("SELECT sum(price) AS s FROM bids WHERE _time >= '1970-01-01'").rows()
    [{'s': 5}]
    """
    store.check()
    connection = _connect(zone)
    try:
        statement = parse(connection, text)
        if as_of is not None and statement.as_of is not None:
            raise ConfigError("the query says AS OF and as_of= is given too: leave one out")
        given = statement.as_of if as_of is None else as_of
        lsn = store.refresh() if given is None else given
        catalogs = {lsn: catalog_at(store, lsn)}
        folders = _Folders(connection, tables or {})
        for name, table in (tables or {}).items():
            if not isinstance(table, str | os.PathLike):
                connection.register(name, table)
        found = _topic_tables(store, registry, statement, lsn, catalogs, own=set(tables or ()))
        for name, table in found.items():
            connection.register(name, table)
        while True:
            try:
                _execute(connection, statement, params, found)
                break
            except ConfigError:
                if not folders.moved():  # else a file was put aside before it was opened
                    raise
        read = {name: table.read_records for name, table in found.items()}
        return Result(connection, lsn=lsn, read=read)
    except BaseException:
        connection.close()
        raise


class _Folders:
    """The tables of a query that are folders or files, as views of its connection."""

    def __init__(self, connection: Any, tables: Mapping[str, Any]) -> None:
        self._connection = connection
        self._paths = {n: t for n, t in tables.items() if isinstance(t, str | os.PathLike)}
        self._views: dict[str, str] = {}
        self.moved()

    def moved(self) -> bool:
        """Looks again where the files lie; whether that is elsewhere now."""
        import duckdb

        views = {}
        for name, path in self._paths.items():
            views[name], files = select_from(path)
            if files is not None and not self._connection.filesystem_is_registered(
                files.protocol[0]
            ):
                self._connection.register_filesystem(files)
        if views == self._views:
            return False
        self._views = views
        try:
            for name, select in views.items():
                quoted = name.replace('"', '""')
                made = f'CREATE OR REPLACE VIEW "{quoted}" AS {select}'
                self._connection.execute(made).fetchall()
        except duckdb.Error as error:
            if not self.moved():  # it fails on the same files again
                raise ConfigError(f"a table of the query: {error}") from None
        return True


def _protocols(files: Any) -> tuple[str, ...]:
    """The schemes of fsspec's file system, as DuckDB lists it."""
    found = files.protocol
    return (found,) if isinstance(found, str) else tuple(found)


def _connect(zone: str) -> Any:
    try:
        import duckdb
        import pyarrow.dataset  # noqa: F401  # so that its absence is said before any work
    except ModuleNotFoundError as error:
        raise MissingExtra.of((error.name or "duckdb").partition(".")[0], extra="sql") from None
    settings: dict[str, Any] = {**_SETTINGS, "temp_directory": tempfile.gettempdir()}
    connection = duckdb.connect(config=settings)
    try:
        connection.execute("SET TimeZone = $1", [zone]).fetchall()
    except duckdb.Error:
        connection.close()
        raise ConfigError(f"{zone!r} is no time zone that DuckDB knows") from None
    return connection


def _topic_tables(
    store: Store,
    registry: Registry,
    statement: Statement,
    lsn: int,
    catalogs: dict[int, Catalog],
    *,
    own: set[str],
) -> dict[str, Any]:
    """The topics that the query may mean, by the name that DuckDB gets."""
    found: dict[str, Any] = {}
    for table in statement.tables:
        if table.schema not in ("", RECORDS, LATEST) or (not table.schema and table.name in own):
            continue
        at = lsn if table.as_of is None else table.as_of
        if at not in catalogs:
            catalogs[at] = catalog_at(store, at)
        made = _topic_table(store, registry, statement, table, catalogs[at], at)
        if made is not None:
            found[table.internal] = made
    return found


def _topic_table(
    store: Store,
    registry: Registry,
    statement: Statement,
    table: TableName,
    catalog: Catalog,
    lsn: int,
) -> Any:
    """One topic as a table; None if there is no such topic, and it may be something else."""
    from kappa.log.query.newest import newest_offsets
    from kappa.log.query.pieces import TopicParts
    from kappa.log.query.table import TopicTable

    try:
        topic = catalog.topic(table.name)
    except (UnknownTopic, ConfigError):
        if table.schema or table.as_of is not None:
            raise
        return None
    if topic.id not in store.ledger.heads:
        raise UnknownTopic(f"topic {topic.full_name} was deleted since LSN {lsn}")
    known = registry.of(topic.id)
    view = None if known is None else known.as_of(lsn)
    parts = TopicParts(store, topic, lsn, frozenset(catalog.voided), view)
    last = table.schema == LATEST or (topic.compact and table.schema != RECORDS)
    return TopicTable(parts, statement, newest=newest_offsets(parts) if last else None)


def _execute(connection: Any, statement: Statement, params: Any, tables: Mapping[str, Any]) -> None:
    """Runs the query until the schemas that were foretold hold; each time one is wider."""
    import duckdb

    looked = False
    made = f"CREATE OR REPLACE TABLE {RESULT} AS\n{statement.text}"
    while True:
        for table in tables.values():
            table.failure, table.read_records = None, 0
        try:
            connection.execute(made, params).fetchall()
            return
        except duckdb.BinderException as error:
            found = [table.look_everywhere() for table in tables.values() if not looked]
            if not any(found):
                raise _refused(error, tables) from None
            looked = True
        except Exception as error:
            if not _widen(tables):
                raise _cause(error, tables) from None
        for name, table in tables.items():
            connection.unregister(name)
            connection.register(name, table)


def _widen(tables: Mapping[str, Any]) -> bool:
    from kappa.log.query.columns import Misfit

    misfits = [t for t in tables.values() if isinstance(t.failure, Misfit)]
    for table in misfits:
        table.widen(table.failure)
    return bool(misfits)


def _cause(error: Exception, tables: Mapping[str, Any]) -> BaseException:
    """The log's own error where it has one, else DuckDB's in words of ours."""
    failures = [table.failure for table in tables.values() if table.failure is not None]
    own = [failure for failure in failures if isinstance(failure, KappaError)]
    if own:
        return own[0]
    import duckdb

    return _refused(error, tables) if isinstance(error, duckdb.Error) else error


def _refused(error: Exception, tables: Mapping[str, Any]) -> ConfigError:
    known = [f"{name} has {', '.join(sorted(table.seen))}" for name, table in tables.items()]
    return ConfigError("\n".join([f"the query: {error}", *known]))
