"""Side inputs: which content a version's lookups see, and its loading.

A version records, per topic, [id of the topic, LSN, digest of the content]. A new version
takes the record of the version that is current, so that a replay finds what the live run
found; asked to refresh, it takes the topic as it stands. Compaction or retention may have
changed what the records up to an LSN leave: then the digest tells, and nothing is looked up
in something else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from kappa.codec import encode, encode_key
from kappa.errors import IncompatibleState, UnknownTopic
from kappa.log import Log
from kappa.log.views import View
from kappa.plan import Plan

Pin = list[Any]
Pins = dict[str, Pin]


def pinned(log: Log, plan: Plan, before: Mapping[str, Pin], *, refresh: bool = False) -> Pins:
    """The content that a new version's lookups are to see.

    Args:
        log: where the topics are.
        plan: of the version.
        before: what the current version sees.
        refresh: take the topics as they stand.

    Raises:
        UnknownTopic: a topic is not there.
    """
    pins: Pins = {}
    for name in plan.side_inputs:
        known = before.get(name)
        if known is not None and not refresh:
            pins[name] = list(known)
        else:
            view = log.view(name)
            pins[name] = [log.topic(name).id, view.lsn, digest_of(view)]
    return pins


def loaded(log: Log, pins: Mapping[str, Pin]) -> dict[str, dict[Any, Any]]:
    """The content of every side input, by key.

    Raises:
        IncompatibleState: what was pinned is not there any more.
    """
    return {name: _content(log, name, *pin) for name, pin in pins.items()}


def present(log: Log, plan: Plan) -> dict[str, dict[Any, Any]]:
    """The content of every side input as it stands."""
    return {name: dict(log.view(name)) for name in plan.side_inputs}


def _content(log: Log, name: str, topic_id: int, lsn: int, digest: str) -> dict[Any, Any]:
    topic = log.catalog.topics.get(topic_id)
    if topic is None:
        raise IncompatibleState(
            f"the topic of side input {name!r} was deleted since the version was made; a new"
            " version sees the present one with refresh_side_inputs=True"
        )
    try:
        view = View(log, topic.full_name, as_of=lsn)
    except UnknownTopic as error:
        raise IncompatibleState(f"side input {name!r}: {error.message}") from error
    if digest_of(view) != digest:
        raise IncompatibleState(
            f"side input {name!r} is no longer what it was at LSN {lsn}, when the version was made:"
            " records of it were compacted or removed; a new version sees the present ones with"
            " refresh_side_inputs=True"
        )
    return dict(view)


def digest_of(content: Mapping[Any, Any]) -> str:
    """A digest of rows by key, whatever their order."""
    digest = hashlib.blake2b(digest_size=16)
    for key, row in sorted((encode_key(key), encode(row)) for key, row in content.items()):
        digest.update(key)
        digest.update(row)
    return digest.hexdigest()
