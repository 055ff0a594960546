"""The log: topics, partitions and the journal that orders them.

    Log ── rows ───────── times, keys, partitions, bodies          before the lock
     ├──── producer       batches, sequences
     ├──── store ──────── the lock, catching up, writing, following
     │      ├── staging   drafts get LSN, offsets, places; R3
     │      ├── ledger    all that follows from the journal: catalog, heads
     │      ├── segments  bodies in files
     │      ├── history   the journal from any LSN
     │      └── syncing   what is durable
     ├──── query          SQL over topics, through DuckDB
     ├──── reader         records back; views, the last of each key
     ├──── retention, compaction, verify
     └──── opening ────── recovery, damage                         R2

Invariants:

- The journal is the log. An append exists once its journal record is whole and its CRC
  continues the chain; no byte of a segment that no record names is ever read.
- Every record, append or control, has the next LSN. What follows from the records (the
  catalog, the ends of partitions) is the same in every process that has read as far.
- A writer holds the append lock, reads what came before, writes bodies, then the journal
  record. Nothing is synced under the lock.
- A record carries the LSN up to which everything was durable when it was written. Damage
  at or below it is an error; above it, the end of the log.

Files: `format`; `journal/<first lsn>.jnl`; `topics/<id>/<partition>-<first offset>.seg`;
`locks/`, never removed; `aside/`, what a recovery cut off. docs/format.md has every byte.
"""

from kappa.log.body import Body, Decoded, decode_body, encode_body, encode_columns
from kappa.log.body_many import decode_bodies
from kappa.log.catalog import Catalog, Topic, check_name, split_name
from kappa.log.compare import Diff
from kappa.log.journal import CLOSING, MENDED, Entry, Part
from kappa.log.lock import NamedLock
from kappa.log.log import Log
from kappa.log.producer import Producer, ProducerHandle
from kappa.log.promotion import Promotion
from kappa.log.reader import LSN, Record, keys_of
from kappa.log.recovery import RecoveryReport
from kappa.log.registry import SchemaView
from kappa.log.seen import decode_seen
from kappa.log.staging import AppendResult, Draft, Written
from kappa.log.verify import Repair, Verification
from kappa.log.views import View

__all__ = [
    "CLOSING",
    "LSN",
    "MENDED",
    "AppendResult",
    "Body",
    "Catalog",
    "Decoded",
    "Diff",
    "Draft",
    "Entry",
    "Log",
    "NamedLock",
    "Part",
    "Producer",
    "ProducerHandle",
    "Promotion",
    "Record",
    "RecoveryReport",
    "Repair",
    "SchemaView",
    "Topic",
    "Verification",
    "View",
    "Written",
    "check_name",
    "decode_bodies",
    "decode_body",
    "decode_seen",
    "encode_body",
    "encode_columns",
    "keys_of",
    "split_name",
]
