"""`import kappa` is cheap and needs two packages: measured in a fresh interpreter."""

from __future__ import annotations

import json
import subprocess
import sys

ALLOWED = {"kappa", "sortedcontainers", "msgpack"}
PROBE = """
import json, sys, time
before = set(sys.modules)
began = time.perf_counter()
import kappa
took = time.perf_counter() - began
print(json.dumps([took, sorted({name.split(".")[0] for name in set(sys.modules) - before})]))
"""


def probe() -> tuple[float, set[str]]:
    done = subprocess.run(
        [sys.executable, "-c", PROBE], capture_output=True, text=True, check=True, timeout=60
    )
    took, names = json.loads(done.stdout)
    return took, set(names)


def test_import_needs_two_packages_only():
    _, names = probe()
    foreign = names - set(sys.stdlib_module_names) - ALLOWED
    assert not foreign, f"import kappa also imports {sorted(foreign)}; import it where it is used"


def test_import_takes_under_a_tenth_of_a_second():
    # The best of several: the machine may be busy, the import cannot be luckily fast.
    best = min(probe()[0] for _ in range(6))
    assert best < 0.1, f"import kappa took {best:.3f} s at best"
