"""Values, keys and columns as bytes; the only folder that knows msgpack.

- `values`: one value and back, equal in value and type or refused; nothing is evaluated.
  `kinds` says which types can be stored, `wire` writes and reads their bytes.
- `keys`: one key to canonical bytes, for hashing, grouping and order; never back.
- `columns`: many values of one field as one block, packed where all are int or float.
- `compression`: of one block; `plain`: msgpack of kappa's own records, without checks.

Invariants: the same values of the same types give the same bytes in every process and
under every hash seed; reading malformed bytes raises `CorruptBatch` and nothing else.
"""

from kappa.codec.columns import Block, decode_column, encode_column
from kappa.codec.keys import (
    KEY_GROUPS,
    check_key,
    encode_key,
    encode_keys,
    key_group,
    sort_keys,
    stable_hash,
)
from kappa.codec.values import decode, encode, register

__all__ = [
    "KEY_GROUPS",
    "Block",
    "check_key",
    "decode",
    "decode_column",
    "encode",
    "encode_column",
    "encode_key",
    "encode_keys",
    "key_group",
    "register",
    "sort_keys",
    "stable_hash",
]
