"""Admission: records on their way into topics, held to contracts and schemas, then appended.

An append says how many contracts and schemas had been set when its records were judged. If
another was set before it got the lock, it is judged again: behind the LSN of a contract or a
schema every record has been held to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from kappa.contracts.guard import Guard
from kappa.log.catalog import Topic
from kappa.log.contracts import guard_of
from kappa.log.registry import Registry
from kappa.log.rows import Bodies, Limits, Times, encode_rows, listed
from kappa.log.staging import AppendResult, ContractMoved, Draft
from kappa.log.store import Store

__all__ = ["Admission"]


class Admission:
    """Encodes and appends what users give.

    Args:
        store: the log's.
        limits: sizes that are refused.
        registry: the topics' schemas.
    """

    def __init__(self, store: Store, limits: Limits, registry: Registry) -> None:
        self._store = store
        self._registry = registry
        self._limits = limits
        self._guards: dict[int, Guard] = {}

    def append(
        self, topic: Topic, values: Iterable[Any], *, key: Any, time: Times, partition: int | None
    ) -> AppendResult:
        """Records into one topic, or a tick where there are none."""
        rows = listed(values)

        def draft(contracts: int, now: int) -> tuple[Draft, int]:
            found = self.encode(topic, rows, now, key=key, time=time, partition=partition)
            claims = () if found.bodies else ((topic.id, None),)
            return Draft(found.bodies, claims, contracts=contracts), found.dead_letters

        return self.commit(draft)

    def append_many(self, values: Sequence[tuple[Topic, Iterable[Any]]]) -> AppendResult:
        """Records into several topics as one append."""
        given = [(topic, listed(rows)) for topic, rows in values]

        def draft(contracts: int, now: int) -> tuple[Draft, int]:
            found = [(topic, self.encode(topic, rows, now)) for topic, rows in given]
            bodies = [body for _, one in found for body in one.bodies]
            claims = [(topic.id, None) for topic, one in found if not one.bodies]
            letters = sum(one.dead_letters for _, one in found)
            return Draft(bodies, claims, contracts=contracts), letters

        return self.commit(draft)

    def encode(
        self,
        topic: Topic,
        rows: Sequence[Any],
        now: int,
        *,
        key: Any = None,
        time: Times = None,
        partition: int | None = None,
    ) -> Bodies:
        """The bodies of records, and of the letters of those set aside.

        Raises:
            ContractViolation: the topic's contract or schema refuses one.
            RecordRefused, ConfigError: as `encode_rows`.
        """
        return encode_rows(
            topic,
            rows,
            key=key,
            time=time,
            partition=partition,
            now=now,
            limits=self._limits,
            guard=self.guard(topic),
            schemas=self._registry.of(topic.id),
        )

    def guard(self, topic: Topic) -> Guard | None:
        """What holds records to the topic's contract; None where it has none."""
        known = self._store.ledger.catalog.contracts.get(topic.id)
        if not known:
            return None
        version = known[-1]["version"]
        guard = self._guards.get(topic.id)
        if guard is None or guard.version != version:
            guard = guard_of(known[-1])
            if guard is None:  # the contract was taken away
                self._guards.pop(topic.id, None)
                return None
            self._guards[topic.id] = guard
        return guard

    def commit(self, draft: Callable[[int, int], tuple[Draft, int]]) -> AppendResult:
        """Appends a draft, made again where a contract was set in between.

        Args:
            draft: gets the number of contracts and schemas set so far and the append time;
                returns the draft and how many records it sets aside.
        """
        store = self._store
        store.check()
        while True:
            ledger = store.ledger
            now = max(store.clock.now_ms(), ledger.append_time)
            made, letters = draft(ledger.declared, now)
            try:
                result = store.commit((made,))[0]
            except ContractMoved:
                continue
            return result._replace(dead_letters=letters) if letters else result

    def commit_all(self, drafts: Sequence[Callable[[int], Draft | None]]) -> list[AppendResult]:
        """Appends several drafts under one lock, made again where a contract was set.

        Args:
            drafts: each gets the number of contracts and schemas set so far, and may give none.
        """
        store = self._store
        store.check()
        while True:
            store.refresh()
            seen = store.ledger.declared
            made = [draft for one in drafts if (draft := one(seen)) is not None]
            try:
                return store.commit(made) if made else []
            except ContractMoved:
                continue
