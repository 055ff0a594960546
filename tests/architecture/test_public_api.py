"""The public API is a list under test: what users may rest on changes only on purpose.

`public_api.txt` has one line per public name of `kappa` and per public method of its classes.
After a change that was meant: `python tests/architecture/test_public_api.py --write`.
"""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

GOLDEN = Path(__file__).with_name("public_api.txt")

# The names that design papers, documents and other people's code use.
PROMISED = {
    "kappa": "Log Pipeline Tumbling Sliding Session Calendar agg asc col desc left lit meta param"
    " right secret when",
    "kappa.Log": "memory create_topic append producer read close diff promote rollback verify",
    "kappa.Pipeline": "source table view run start replay explain mermaid",
    "kappa.streams.Stream": "map filter flat_map select with_columns without key_by union split"
    " side outputs assign_time then to to_table print",
    "kappa.streams.KeyedStream": "window aggregate reduce fold stateful_map process deduplicate"
    " top table join left_join right_join full_join as_of_join",
    "kappa.agg": "count sum min max mean variance first last min_by max_by collect"
    " count_distinct approx_distinct quantile top_k reduce",
    "kappa.runtime.results.RunResult": "version records_in records_out late dead_letters seconds"
    " checkpoints watermark exact",
    "kappa.testing": "run Heartbeat",
}


def resolved(dotted: str) -> object:
    __import__(dotted.split(".")[0])
    found: object = sys.modules[dotted.split(".")[0]]
    path = dotted.split(".")[0]
    for part in dotted.split(".")[1:]:
        path = f"{path}.{part}"
        if not hasattr(found, part):
            __import__(path)
        found = getattr(found, part)
    return found


def members(owner: object) -> set[str]:
    known = set(getattr(owner, "__dataclass_fields__", ())) | set(getattr(owner, "__slots__", ()))
    return known | {name for name in dir(owner) if not name.startswith("_")}


def lines() -> list[str]:
    import kappa

    found = []
    for name in sorted(kappa.__all__):
        thing = getattr(kappa, name)
        found.append(f"kappa.{name}")
        if inspect.isclass(thing):
            inherited = members(Exception) if issubclass(thing, Exception) else set()
            found += [f"kappa.{name}.{one}" for one in sorted(members(thing) - inherited)]
    return found


def test_public_names_are_those_on_the_list():
    golden = GOLDEN.read_text(encoding="utf-8").splitlines()
    gone, new = set(golden) - set(lines()), set(lines()) - set(golden)
    assert not gone, f"gone from the public API: {sorted(gone)}"
    assert not new, f"new in the public API, not on the list: {sorted(new)}"


def test_promised_names_are_there():
    missing = [
        f"{owner}.{name}"
        for owner, names in PROMISED.items()
        for name in names.split()
        if name not in members(resolved(owner))
    ]
    assert not missing, f"promised and missing: {missing}"


def test_all_lists_every_promised_name():
    import kappa

    assert set(PROMISED["kappa"].split()) <= set(kappa.__all__)


if __name__ == "__main__" and "--write" in sys.argv:
    GOLDEN.write_text("\n".join(lines()) + "\n", encoding="utf-8")
