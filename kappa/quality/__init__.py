"""What is done with contracts around a log: checking, reporting, mending.

`checking` judges what a topic holds, `report` shows results. All of it rests on pipelines
and the log; what a contract *is* lies below, in `kappa.contracts`.
"""

from kappa.quality.checking import Report, check

__all__ = ["Report", "check"]
