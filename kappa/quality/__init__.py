"""What is done with contracts around a log: checking, reporting, mending.

`checking` and `promises` judge what a topic holds, `report` shows results, `infer` makes a
first contract. All of it rests on pipelines
and the log; what a contract *is* lies below, in `kappa.contracts`.
"""

from kappa.log.contracts import contract_of, contracts_of, remove_contract, set_contract
from kappa.quality.checking import Report, check
from kappa.quality.infer import infer
from kappa.quality.promises import check_contract

__all__ = [
    "Report",
    "check",
    "check_contract",
    "contract_of",
    "contracts_of",
    "infer",
    "remove_contract",
    "set_contract",
]
