"""How rows become the bytes of a file: the contract of a format, and JSON lines.

Law: the bytes of a file follow from its rows and their order alone. They do not depend on
how the rows were cut into batches, on the order of fields in a row (which is no part of a
record), on the wall clock, or on who writes.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Protocol
from uuid import UUID

from kappa.batch import Batch
from kappa.errors import ConfigError, SinkError
from kappa.schemas import Schema

GZIP_LEVEL = 6


@dataclass(frozen=True, slots=True)
class Piece:
    """Some rows of a file that is being filled.

    Args:
        content: what the format made of them.
        rows: how many.
        size: what they count for, in bytes, towards the size of a file; adds up over rows.
    """

    content: Any
    rows: int
    size: int


class Format(Protocol):
    """Makes files of rows."""

    @property
    def suffix(self) -> str:
        """What the name of a file ends in."""
        ...

    def informed(self, schema: Schema | None) -> Format:
        """The format, knowing the schema of the rows that will come; None for nothing."""
        ...

    @property
    def columns(self) -> Sequence[Any]:
        """What all files of the table have in common; empty before the first, or if nothing."""
        ...

    def bound(self, columns: Sequence[Any]) -> Format:
        """The format of a table that has these columns; SinkError if it cannot be."""
        ...

    def settled(self, contents: Sequence[Any]) -> Format:
        """The format of a table with this file in it; itself if there was one before."""
        ...

    def piece(self, batch: Batch) -> Piece:
        """Rows as the format keeps them; SinkError for a row that it cannot hold."""
        ...

    def pack(self, contents: Sequence[Any]) -> bytes:
        """The contents of pieces, in order, as bytes that a checkpoint keeps."""
        ...

    def unpack(self, packed: bytes) -> Any:
        """What `pack` packed, as the content of one piece."""
        ...

    def file(self, contents: Sequence[Any]) -> bytes:
        """The file that holds the contents of pieces, in order."""
        ...

    def rows(self, data: bytes) -> list[Any]:
        """The rows of a file, as its readers see them."""
        ...


@dataclass(frozen=True, slots=True)
class JsonLinesFormat:
    """One JSON object a line, fields in the order of their names.

    Args:
        without: fields that are left out, since the path says them.
        compression: "none" or "gzip".
    """

    without: frozenset[str] = frozenset()
    compression: str = "none"

    def __post_init__(self) -> None:
        if self.compression not in ("none", "gzip"):
            raise ConfigError(f'compression is {self.compression!r}: give "none" or "gzip"')

    @property
    def suffix(self) -> str:
        """What the name of a file ends in."""
        return ".jsonl.gz" if self.compression == "gzip" else ".jsonl"

    def informed(self, schema: Schema | None) -> JsonLinesFormat:
        return self

    @property
    def columns(self) -> Sequence[Any]:
        """None: each line says what it holds."""
        return ()

    def bound(self, columns: Sequence[Any]) -> JsonLinesFormat:
        return self

    def settled(self, contents: Sequence[bytes]) -> JsonLinesFormat:
        return self

    def piece(self, batch: Batch) -> Piece:
        rows = plain_rows(batch, self.without)
        encode = json.JSONEncoder(
            ensure_ascii=False, allow_nan=False, sort_keys=True, default=plain_value,
            separators=(",", ":"),
        ).encode  # fmt: skip
        try:
            content = "".join([f"{encode(row)}\n" for row in rows]).encode()
        except (TypeError, ValueError) as error:
            raise SinkError(_first_bad(rows, encode) or f"a row is not JSON: {error}") from error
        return Piece(content, len(rows), len(content))

    def pack(self, contents: Sequence[bytes]) -> bytes:
        return b"".join(contents)

    def unpack(self, packed: bytes) -> bytes:
        return packed

    def file(self, contents: Sequence[bytes]) -> bytes:
        data = b"".join(contents)
        return gzip.compress(data, GZIP_LEVEL, mtime=0) if self.compression == "gzip" else data

    def rows(self, data: bytes) -> list[Any]:
        text = gzip.decompress(data) if self.compression == "gzip" else data
        return [json.loads(line) for line in text.splitlines()]


def plain_rows(batch: Batch, without: frozenset[str]) -> list[Any]:
    """The rows of a batch, as dicts without some fields, or plain values."""
    kind, content = batch.columns_or_rows()
    if kind == "columns":
        names = [name for name in content if name not in without]
        if not names:
            return [{} for _ in range(batch.count)]
        columns = [content[name] for name in names]
        return [dict(zip(names, values)) for values in zip(*columns)]
    return [
        {name: value for name, value in row.items() if name not in without}
        if isinstance(row, dict) and without
        else row
        for row in content
    ]


def plain_value(value: Any) -> Any:
    """What JSON has no type for, as JSON's nearest; exact, or refused.

    >>> plain_value(Decimal("1.10"))
    '1.10'
    """
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal | UUID):
        return str(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"a {type(value).__name__} has no place in JSON")


def _first_bad(rows: Sequence[Any], encode: Any) -> str | None:
    """What is wrong with the first row that cannot be written."""
    for row in rows:
        try:
            encode(row)
        except (TypeError, ValueError) as error:
            fields = row.items() if isinstance(row, dict) else [("the value", row)]
            for name, value in fields:
                try:
                    encode(value)
                except (TypeError, ValueError):
                    return f"field {name!r} is {value!r}, which JSON cannot hold: {error}"
    return None
