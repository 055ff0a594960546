"""Bodies seen through a schema: what older records become before anybody sees them.

Neighbouring appends that were written with one version are decoded together and converted
column by column, so that reading through a schema costs nothing where the schema has not
changed, and only the fields that did change where it has.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from kappa.log.body_many import decode_bodies, joined
from kappa.log.body_reader import Decoded, decode_body
from kappa.schemas import Resolution

if TYPE_CHECKING:  # it reads the registry's records by way of the reader, which comes by here
    from kappa.log.registry import SchemaView

__all__ = ["decode_seen", "seen_through"]


def decode_seen(
    bodies: Sequence[bytes | memoryview],
    lsns: Sequence[int],
    fields: Collection[str] | None,
    view: SchemaView | None,
) -> Decoded:
    """What bodies hold, one behind the other, as rows of one schema.

    Args:
        bodies: at least one.
        lsns: of the append that wrote each.
        fields: of the schema, or of the rows where they are seen as they are; None for all.
        view: how rows of each LSN are seen; None: as they are.

    Cost: that of `decode_bodies`; a converted field 30 ns a value more.
    """
    if view is None:
        return _decoded(bodies, fields)
    pieces: list[Decoded] = []
    at = 0
    for seen, count in view.runs(lsns):
        some = bodies[at : at + count]
        at += count
        if seen is None:
            pieces.append(_decoded(some, fields))
        else:
            pieces.append(seen_through(seen, _decoded(some, seen.sources(fields)), fields))
    return pieces[0] if len(pieces) == 1 else joined(pieces)


def _decoded(bodies: Sequence[bytes | memoryview], fields: Collection[str] | None) -> Decoded:
    return decode_body(bodies[0], fields) if len(bodies) == 1 else decode_bodies(bodies, fields)


def seen_through(seen: Resolution, body: Decoded, fields: Collection[str] | None = None) -> Decoded:
    """A body as rows of another schema.

    Args:
        seen: how.
        body: with the fields that `seen.sources(fields)` names.
        fields: the fields to have afterwards; None for all.
    """
    if body.columns is None:
        rows = seen.rows(body.values or [])
        if fields is not None:
            rows = [
                {name: value for name, value in row.items() if name in fields}
                if isinstance(row, dict)
                else row
                for row in rows
            ]
        return body.with_rows(rows)
    columns = seen.columns(body.columns, body.count, fields)
    return body.with_columns(columns, seen.names(body.names), seen.solid(body.solid))
