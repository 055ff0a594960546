"""Tables that are files: a folder with partitions as in `date=2013-03-01/`, or one file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from kappa.errors import ConfigError
from kappa.log.query.ledgers import shown

__all__ = ["select_from"]

READERS = {
    ".parquet": "read_parquet({}, hive_partitioning = true, union_by_name = true)",
    ".jsonl": "read_json_auto({}, hive_partitioning = true, union_by_name = true)",
    ".jsonl.gz": "read_json_auto({}, hive_partitioning = true, union_by_name = true)",
    ".csv": "read_csv_auto({}, hive_partitioning = true, union_by_name = true)",
}
"""What DuckDB reads files with, by their ending."""


def select_from(path: str | os.PathLike[str]) -> str:
    """The SELECT that reads a file, or all files of one kind in a folder and below it.

    Raises:
        ConfigError: there is nothing, or there are files of several kinds.
        SourceError: the ledger of a table is damaged.

    Of a table of kappa's, the files are those that its ledger shows. Of other folders,
    hidden ones are passed over.
    """
    if "://" in os.fspath(path):
        raise ConfigError(f"{path} is not in a folder here: SQL reads tables of local files")
    place = Path(path)
    found = _files(place)
    kinds = {kind for file in found for kind in READERS if file.name.endswith(kind)}
    if len(kinds) != 1:
        what = f"files of {', '.join(sorted(kinds))}" if kinds else "no file"
        raise ConfigError(f"{place} has {what}: a table is files of one of {', '.join(READERS)}")
    (kind,) = kinds
    names = sorted(str(file) for file in found if file.name.endswith(kind))
    texts = ", ".join("'" + name.replace("'", "''") + "'" for name in names)
    return f"SELECT * FROM {READERS[kind].format(f'[{texts}]')}"


def _files(place: Path) -> Sequence[Path]:
    if place.is_file():
        return [place]
    table = shown(place)
    if table is not None:
        return table.files
    return [path for path in place.rglob("*") if _shows(place, path)]


def _shows(root: Path, file: Path) -> bool:
    parts = file.relative_to(root).parts
    return file.is_file() and not any(part.startswith(".") for part in parts)
