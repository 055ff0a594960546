"""Msgpack for kappa's own records: None, bool, int, float, str, bytes, lists and dicts.

No extension types and no checks, for speed: journal records and manifests are made by
kappa itself. User values go through `kappa.codec.values`.
"""

from __future__ import annotations

from typing import Any

import msgpack

__all__ = ["pack", "unpack"]

# One packer for all threads: without a `default` hook it never gives up the interpreter
# lock inside `pack`, and `autoreset` leaves nothing behind.
_PACKER = msgpack.Packer(autoreset=True)


def pack(value: Any) -> bytes:
    """`value` as msgpack; tuples and lists are the same.

    >>> unpack(pack([1, "a", {"b": (2, None)}]))
    (1, 'a', {'b': (2, None)})
    """
    return _PACKER.pack(value)  # type: ignore[no-any-return]


def unpack(data: bytes | memoryview) -> Any:
    """The value that `pack` made `data` of, with tuples for lists.

    Raises:
        ValueError: `data` is not one whole msgpack value.
    """
    try:
        return msgpack.unpackb(data, use_list=False, strict_map_key=False)
    except TypeError as error:  # a map or list as the key of a map
        raise ValueError(str(error)) from None
