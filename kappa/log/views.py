"""A view: an upsert topic read as a table, consistent as of an LSN.

A view holds what the topic's records up to one LSN leave: the last value of every key, and
nothing for a key whose last record has no value. It stands still until it is refreshed, so
that several look-ups see one state; all rows that one LSN changed are seen together.

It rests on the log alone, so any process can have one while the pipeline runs in another.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from kappa.log.reader import LSN

if TYPE_CHECKING:
    from kappa.log.log import Log


class View(Mapping[Any, Any]):
    """Rows by key, as a read-only mapping.

    Args:
        log: where the topic is.
        name: of the topic; an alias is followed once.
        as_of: the LSN up to which it goes; to the present end by default.

    Attributes:
        lsn: up to which it goes.

    Raises:
        UnknownTopic: there is none of that name.

    Cost: one pass over the topic, then over what is new at each `refresh`; memory for the
    rows that are there.

    >>> from kappa import Log
    >>> with Log.memory() as log:
    ...     _ = log.create_topic("stock", compact=True)
    ...     _ = log.append("stock", [{"left": 5}], key="pen")
    ...     view = log.view("stock")
    ...     _ = log.append("stock", [None], key="pen")
    ...     before, _ = view.get("pen"), view.refresh()
    ...     before, view.get("pen")
    ({'left': 5}, None)
    """

    def __init__(self, log: Log, name: str, *, as_of: int | None = None) -> None:
        self._log = log
        self._topic = log.topic(name)
        self._rows: dict[Any, Any] = {}
        self.lsn = 0
        self._advance(log.end_lsn if as_of is None else min(as_of, log.end_lsn))

    def refresh(self) -> int:
        """Moves on to the present end of the log; the LSN reached."""
        self._advance(self._log.end_lsn)
        return self.lsn

    def _advance(self, end: int) -> None:
        rows = self._rows
        name = (self._topic.name, self._topic.version)
        for record in self._log.read(name, start=LSN(self.lsn + 1), stop=LSN(end + 1)):
            if record.value is None:
                rows.pop(record.key, None)
            else:
                rows[record.key] = record.value
        self.lsn = max(self.lsn, end)

    def __getitem__(self, key: Hashable) -> Any:
        return self._rows[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        return f"<View of {self._topic.full_name}: {len(self)} rows as of LSN {self.lsn}>"
