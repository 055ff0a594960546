"""The contracts of a log's topics, as control records of the catalog.

    contract   {"topic": id, "version", "contract": bytes | None, "dead_letters": id | None}

The bytes are the contract's plain form through the codec of values; None takes the
contract away. Every version stays known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kappa.codec import values
from kappa.contracts.contract import Contract
from kappa.contracts.expectations.types import kinds_of
from kappa.contracts.guard import Guard
from kappa.errors import ConfigError
from kappa.log.topics import DEAD_LETTERS, dead_letters_of
from kappa.schemas import Record, Schema, Union

if TYPE_CHECKING:
    from kappa.log.log import Log

__all__ = ["SetContract", "contract_of", "contracts_of", "guard_of", "remove_contract"]
__all__ += ["set_contract"]

MAX_CONTRACT_BYTES = 1 << 20


@dataclass(frozen=True)
class SetContract:
    """A version of a topic's contract.

    Args:
        topic: its full name.
        version: number from 1.
        contract: what it says; None where the contract was taken away.
        append_time: when it was set, in ms.
        lsn: of the control record: appends behind it were held to it.
    """

    topic: str
    version: int
    contract: Contract | None
    append_time: int
    lsn: int

    @property
    def name(self) -> str:
        """Topic and version, as dead letters and results name it."""
        return f"{self.topic}@{self.version}"


def contracts_of(log: Log, topic: str) -> list[SetContract]:
    """The versions of a topic's contract, oldest first; none if it never had one.

    Raises:
        UnknownTopic: there is no such topic.
    """
    found = log.topic(topic)
    return [
        SetContract(found.full_name, data["version"], _read(data), data["append_time"], data["lsn"])
        for data in log.catalog.contracts.get(found.id, ())
    ]


def contract_of(log: Log, topic: str, version: int | None = None) -> SetContract:
    """A version of a topic's contract; by default the one in force.

    Raises:
        ConfigError: there is none.
    """
    known = contracts_of(log, topic)
    wanted = [one for one in known if version in (None, one.version)]
    if not wanted or (version is None and wanted[-1].contract is None):
        there = ", ".join(str(one.version) for one in known) or "none"
        what = "no contract" if version is None else f"no contract version {version}"
        raise ConfigError(f"topic {topic} has {what}; versions: {there}", topic=topic)
    return wanted[-1]


def set_contract(log: Log, contract: Contract, *, topic: str | None = None) -> SetContract:
    """Puts a contract in force: appends from now on are held to it.

    Setting what is in force already changes nothing.

    Args:
        log: where the topic is.
        contract: what is promised.
        topic: its name, where it is not the contract's.

    Raises:
        UnknownTopic: there is no such topic.
        ConfigError: the contract is larger than 1 MiB, or no row can keep it and fit the
            topic's schema.
    """
    found = log.topic(topic or contract.topic)
    schema = log.schema((found.name, found.version))
    against = None if schema is None else contradiction(contract, schema)
    if against is not None:
        raise ConfigError(
            f"the contract of {found.full_name} goes against its schema: {against}; no row could"
            " be appended",
            topic=found.full_name,
        )
    data = values.encode(contract.to_plain())
    if len(data) > MAX_CONTRACT_BYTES:
        raise ConfigError(
            f"the contract of {found.full_name} has {len(data)} bytes, at most"
            f" {MAX_CONTRACT_BYTES}: keep fewer values or smaller references"
        )
    store = log._store
    with store.writing() as writing:
        known = store.ledger.catalog.contracts.get(found.id, [])
        if not known or known[-1]["contract"] != data:
            letters = None
            if contract.on_violation == "dead_letter":
                letters = dead_letters_of(store, writing, found.name + DEAD_LETTERS, found.version)
            version = known[-1]["version"] + 1 if known else 1
            record = {"topic": found.id, "version": version, "contract": data}
            writing.control("contract", record | {"dead_letters": letters})
    return contracts_of(log, found.full_name)[-1]


def contradiction(contract: Contract, schema: Schema) -> str | None:
    """Why no row can keep a contract and fit a schema; None if some can.

    >>> from kappa.schemas import Field, Int
    >>> schema = Schema.record("Bid", [Field("price", Int())])
    >>> contradiction(Contract("bids", fields={"price": "str"}), schema)
    "field 'price' is str in the contract and int64 in the schema"
    """
    root = schema.root
    if not isinstance(root, Record):
        return None
    for name, rule in contract.fields.items():
        field = schema.field(name)
        if field is None:
            if not root.open and not rule.optional:
                return f"the schema has no field {name!r}"
            continue
        branches = field.type.branches if isinstance(field.type, Union) else (field.type,)
        classes = [schema.resolved(one).classes for one in branches]
        if rule.type is None or not all(classes):
            continue
        if kinds_of(rule.type).isdisjoint(frozenset().union(*classes)):
            return f"field {name!r} is {rule.type} in the contract and {field.type} in the schema"
    return None


def remove_contract(log: Log, topic: str) -> None:
    """Takes a topic's contract away; its versions stay known."""
    found = log.topic(topic)
    store = log._store
    with store.writing() as writing:
        known = store.ledger.catalog.contracts.get(found.id, [])
        if known and known[-1]["contract"] is not None:
            record = {"topic": found.id, "version": known[-1]["version"] + 1, "contract": None}
            writing.control("contract", record | {"dead_letters": None})


def guard_of(data: Mapping[str, Any]) -> Guard | None:
    """What holds appends to a version; None where the contract was taken away."""
    contract = _read(data)
    if contract is None:
        return None
    return Guard(contract, data["version"], data["dead_letters"])


def _read(data: Mapping[str, Any]) -> Contract | None:
    if data["contract"] is None:
        return None
    return Contract.from_plain(values.decode(data["contract"]))
