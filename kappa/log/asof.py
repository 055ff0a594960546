"""The catalog as it stood after an earlier LSN: what was voided and promoted by then."""

from __future__ import annotations

from kappa.errors import ConfigError
from kappa.log.catalog import Catalog
from kappa.log.history import journal_files
from kappa.log.journal import APPEND, journal_name, read_head
from kappa.log.ledger import Ledger
from kappa.log.store import Store

__all__ = ["catalog_at"]


def catalog_at(store: Store, lsn: int) -> Catalog:
    """The catalog after `lsn`, made again from the journal.

    Args:
        store: the log's.
        lsn: from 1 to the newest one.

    Raises:
        ConfigError: there is no such LSN.

    Cost: one file of the journal.
    """
    end = store.refresh()
    if not 0 <= lsn <= end:
        raise ConfigError(f"as of LSN {lsn}: the log goes from LSN 1 to {end}")
    catalog, after = _start(store, lsn)
    for entry in store.history.entries(after, end=lsn):
        if entry.kind != APPEND:
            catalog.apply(entry)
    return catalog


def _start(store: Store, lsn: int) -> tuple[Catalog, int]:
    """The catalog at the head of the newest journal file that begins at or before `lsn`."""
    for first in reversed(journal_files(store.files)):
        if first > lsn + 1:
            continue
        found = read_head(store.files.open(journal_name(first)))
        if found is not None:
            ledger = Ledger.restored(*found)
            return ledger.catalog, ledger.lsn
    return Catalog(), 0
