"""Tables that are files: a folder with partitions as in `date=2013-03-01/`, or one file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from kappa.errors import ConfigError
from kappa.log.query.ledgers import shown
from kappa.log.query.places import Place, place_of

__all__ = ["select_from"]

READERS = {
    ".parquet": "read_parquet({}, hive_partitioning = true, union_by_name = true)",
    ".jsonl": "read_json_auto({}, hive_partitioning = true, union_by_name = true)",
    ".jsonl.gz": "read_json_auto({}, hive_partitioning = true, union_by_name = true)",
    ".csv": "read_csv_auto({}, hive_partitioning = true, union_by_name = true)",
}
"""What DuckDB reads files with, by their ending."""


def select_from(path: str | os.PathLike[str]) -> tuple[str, Any]:
    """The SELECT that reads a file, or all files of one kind in a folder and below it.

    Args:
        path: here, or the URL of an object store.

    Returns:
        The SELECT, and fsspec's file system if DuckDB needs it to read them.

    Raises:
        ConfigError: there is nothing, or there are files of several kinds.
        SourceError: the ledger of a table is damaged.

    Of a table of kappa's, the files are those that its ledger shows. Of other folders,
    hidden ones are passed over.
    """
    place, name = place_of(path)
    found = _files(place, name)
    kinds = {kind for file in found for kind in READERS if file.endswith(kind)}
    if len(kinds) != 1:
        what = f"files of {', '.join(sorted(kinds))}" if kinds else "no file"
        raise ConfigError(f"{path} has {what}: a table is files of one of {', '.join(READERS)}")
    (kind,) = kinds
    names = sorted(place.where(file) for file in found if file.endswith(kind))
    texts = ", ".join("'" + name.replace("'", "''") + "'" for name in names)
    return f"SELECT * FROM {READERS[kind].format(f'[{texts}]')}", place.files


def _files(place: Place, name: str) -> Sequence[str]:
    if place.is_file(name):
        return [name]
    table = shown(place, name)
    if table is not None:
        return table.files
    below = [path for path in place.names(name) if not _is_hidden(path)]
    return [f"{name}/{path}" for path in below]


def _is_hidden(path: str) -> bool:
    return any(part.startswith(".") for part in path.split("/"))
