"""Tables that are files: a folder with partitions as in `date=2013-03-01/`, or one file."""

from __future__ import annotations

import os
from pathlib import Path

from kappa.errors import ConfigError

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

    Hidden folders, such as those of a table's ledger, are passed over.
    """
    place = Path(path)
    found = [place] if place.is_file() else [p for p in place.rglob("*") if _shows(place, p)]
    kinds = {kind for file in found for kind in READERS if file.name.endswith(kind)}
    if len(kinds) != 1:
        what = f"files of {', '.join(sorted(kinds))}" if kinds else "no file"
        raise ConfigError(f"{place} has {what}: a table is files of one of {', '.join(READERS)}")
    (kind,) = kinds
    names = sorted(str(file) for file in found if file.name.endswith(kind))
    texts = ", ".join("'" + name.replace("'", "''") + "'" for name in names)
    return f"SELECT * FROM {READERS[kind].format(f'[{texts}]')}"


def _shows(root: Path, file: Path) -> bool:
    parts = file.relative_to(root).parts
    return file.is_file() and not any(part.startswith(".") for part in parts)
