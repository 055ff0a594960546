"""Which record is the last one of its key: what a compacted topic stands for.

The keys are compared as the log does (True, 1 and 1.0 are one key), so a query sees what
`Log.compact` would leave, whether it has run or not.
"""

from __future__ import annotations

from typing import Any

from kappa.log.query.pieces import TopicParts
from kappa.log.reader import keys_of

__all__ = ["key_fields", "newest_offsets"]


def newest_offsets(source: TopicParts) -> dict[int, dict[Any, int]]:
    """The offset of the last record of each key, by partition.

    Cost: one reading of the keys; memory for each key.
    """
    found: dict[int, dict[Any, int]] = {n: {} for n in range(source.topic.partitions)}
    fields = key_fields(source.topic.key)
    for group in source.groups():
        for piece in source.pieces(group, fields, each=True):
            offsets = dict(zip(keys_of(source.topic, piece.body), piece.offsets(), strict=True))
            found[piece.parts[0].partition] |= offsets
    return found


def key_fields(key: str | tuple[str, ...] | None) -> set[str]:
    """The fields that hold a topic's key; none where it is stored beside the value."""
    return {key} if isinstance(key, str) else set(key or ())
