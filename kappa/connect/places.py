"""Where sources are: a file, the files of a folder or a pattern, here or in an object store.

A place is a path, or a URL such as "s3://bucket/events/*.parquet", which fsspec reads (extra
`lake`). Of a folder, all files with a known ending are taken, in the order of their names;
what begins with "_" or "." is left out, as tables of files have it. A folder named
`date=2013-03-01` tells a field of the files in it.
"""

from __future__ import annotations

import glob
import io
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import unquote

from kappa.connect.lines import PACKED
from kappa.errors import ConfigError, MissingExtra, SourceError

FORMATS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".avro": "avro",
}
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
MAGIC = "*?["
READ_BYTES = 1 << 20
"""Read from an object store at once."""

Stamp = tuple[int | None, str]


class NothingThere(SourceError):
    """A folder or pattern has no files."""


def format_of(name: str) -> str | None:
    """The format that a name's ending tells, or None.

    >>> format_of("a/b.csv.gz"), format_of("part-0.parquet"), format_of("README")
    ('csv', 'parquet', None)
    """
    suffixes = [suffix for suffix in Path(name).suffixes if suffix != PACKED]
    return FORMATS.get(suffixes[-1]) if suffixes else None


def is_url(place: str) -> bool:
    """Whether a place is a URL: a scheme of letters, then "://"."""
    scheme, found, _ = place.partition("://")
    return bool(found) and scheme.isalnum()


def files_of(place: str | Path, *, every: bool = False) -> list[str]:
    """The files of a place, in the order of their names.

    Args:
        place: a file, a folder, or a pattern with *, ? or **; a path or a URL.
        every: also those of a folder whose ending says nothing.

    Raises:
        NothingThere: it has none.
    """
    text = str(place)
    if text == "-":
        return [text]
    found = _in_store(text, every) if is_url(text) else _on_disk(text, every)
    if not found:
        raise nothing_at(text)
    return found


def nothing_at(place: str) -> NothingThere:
    """The error for a place without files."""
    return NothingThere(f"there is no file at {place}", path=place)


def _on_disk(place: str, every: bool) -> list[str]:
    path = Path(place)
    if path.is_dir():
        # It passes over folders that vanish meanwhile.
        walk = os.walk(place)
        files = (str(Path(above, name)) for above, _, names in walk for name in names)
        return sorted(one for one in files if _taken(one, place, every))
    if any(sign in place for sign in MAGIC) and not path.exists():
        found = glob.glob(place, recursive=True)  # noqa: PTH207  # patterns from the root too
        return sorted(one for one in found if Path(one).is_file())
    # A name without an ending is a file if it is there, and else a folder that may come.
    return [place] if every or format_of(place) or path.exists() else []


def _in_store(url: str, every: bool) -> list[str]:
    fs, root = store_of(url)
    fs.invalidate_cache()  # what came since the last look
    try:
        if any(sign in root for sign in MAGIC):
            return sorted(map(fs.unstrip_protocol, fs.glob(root)))
        if fs.isdir(root):
            files = (one for one in fs.find(root) if _taken(one, root, every))
            return sorted(map(fs.unstrip_protocol, files))
    except OSError as error:
        raise SourceError(f"cannot list {url}: {error}", path=url, retryable=True) from error
    return [url]


def store_of(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the path in it.

    Raises:
        MissingExtra: fsspec, or what it needs for the scheme, is not installed.
    """
    try:
        import fsspec

        found: tuple[Any, str] = fsspec.core.url_to_fs(url)
        return found
    except ImportError as error:
        raise MissingExtra.of(error.name or "fsspec", extra="lake") from error
    except ValueError as error:
        raise ConfigError(f"{url}: {error}") from error


def _taken(file: str, root: str, every: bool) -> bool:
    below = file[len(root) :] if file.startswith(root) else file
    if any(part.startswith(("_", ".")) for part in below.split("/") if part):
        return False
    return every or format_of(file) is not None


def open_file(place: str) -> tuple[BinaryIO, int | None]:
    """A file's bytes from the start, and how many there are.

    Raises:
        SourceError: there is no such file, or it may not be read.
    """
    try:
        if is_url(place):
            fs, path = store_of(place)
            raw = fs.open(path, "rb", cache_type="none")
            return cast(BinaryIO, io.BufferedReader(raw, READ_BYTES)), fs.size(path)
        file = cast(BinaryIO, Path(place).open("rb"))  # noqa: SIM115  # the reader closes it
        return file, Path(place).stat().st_size
    except OSError as error:
        reason = error.strerror or str(error)
        raise SourceError(f"cannot read {place}: {reason}", path=place) from error


def stamp_of(place: str) -> Stamp | None:
    """Size and time of a file, by which a change of it is seen; None where they are not told."""
    try:
        if is_url(place):
            fs, path = store_of(place)
            facts = fs.info(path)
            told = facts.get("ETag") or facts.get("mtime") or facts.get("LastModified")
            return None if told is None else (facts.get("size"), str(told))
        stat = Path(place).stat()
        return stat.st_size, str(stat.st_mtime_ns)
    except OSError:
        return None


def folder_fields(file: str, root: str | Path) -> dict[str, str | None]:
    """The fields that the folders between a place and a file of it tell.

    >>> folder_fields("lake/date=2013-03-01/hour=05/part-0.parquet", "lake")
    {'date': '2013-03-01', 'hour': '05'}
    """
    base = base_of(str(root))
    return dict(_told(file[len(base) :].split("/")[:-1] if file.startswith(base) else ()))


def base_of(place: str) -> str:
    """The part of a place that all its files begin with, as `files_of` writes them."""
    if is_url(place):
        fs, path = store_of(place)
        place = fs.unstrip_protocol(path)
    fixed = place
    for sign in MAGIC:
        fixed = fixed.partition(sign)[0]
    return fixed.rstrip("/") if fixed == place else fixed.rpartition("/")[0]


def _told(folders: Iterable[str]) -> Iterator[tuple[str, str | None]]:
    for folder in folders:
        name, equals, value = folder.partition("=")
        if equals and name:
            yield unquote(name), None if value == NO_VALUE else unquote(value)
