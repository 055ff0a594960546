"""What is done with contracts around a log: checking, reporting, mending.

`checking` and `promises` judge what a topic holds, `report` shows results, `infer` makes a
first contract; `letters`, `readmit` and `recompute` bring dead letters back. All of it rests
on pipelines and the log; what a contract *is* lies below, in `kappa.contracts`.
"""

from kappa.log.contracts import contract_of, contracts_of, remove_contract, set_contract
from kappa.quality.checking import Report, check
from kappa.quality.infer import infer
from kappa.quality.letters import Letter, causes, drop, letters_of
from kappa.quality.promises import check_contract
from kappa.quality.readmit import readmit
from kappa.quality.recompute import replay_letters

__all__ = [
    "Letter",
    "Report",
    "causes",
    "check",
    "check_contract",
    "contract_of",
    "contracts_of",
    "drop",
    "infer",
    "letters_of",
    "readmit",
    "remove_contract",
    "replay_letters",
    "set_contract",
]
