"""Records that were set aside and came back: where they count in a replay.

A record that is mended is appended again, flagged, and the append says which LSN it answers:
that of the append it was refused in. Live it is a late record like any other. A replay with
`late="mended"` reads it at that LSN instead, so that every verdict, window and row is what it
would have been had the record been right from the start.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kappa.log import MENDED, Entry, Log, Part


class Mended:
    """The journal with mended records in their first places.

    Args:
        log: to read, once, for what was mended.
        end_lsn: the last LSN that counts.
    """

    def __init__(self, log: Log, end_lsn: int) -> None:
        self.end_lsn = end_lsn
        self.parts: dict[int, tuple[Part, ...]] = {}
        self._written: dict[Part, int] = {}
        for entry in log.entries(0):
            if entry.lsn > end_lsn:
                break
            if _is_mended(entry):
                assert entry.origin is not None
                self.parts[entry.origin] = (*self.parts.get(entry.origin, ()), *entry.parts)
                self._written |= dict.fromkeys(entry.parts, entry.lsn)

    def written(self, lsn: int, part: Part) -> int:
        """The LSN at which a part of an LSN was written: a mended one with a later schema."""
        return self._written.get(part, lsn)

    def __call__(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """The entries, changed."""
        for entry in entries:
            if entry.lsn <= self.end_lsn and _is_mended(entry):
                yield entry._replace(parts=(), claims=())
            elif entry.lsn in self.parts and entry.kind == "append":
                yield entry._replace(parts=(*entry.parts, *self.parts[entry.lsn]))
            else:
                yield entry


def _is_mended(entry: Entry) -> bool:
    return bool(entry.flags & MENDED) and entry.kind == "append" and entry.origin is not None
