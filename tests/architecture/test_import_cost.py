"""`import kappa` is cheap, and all of it needs two packages: seen in a fresh interpreter."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

ALLOWED = {"kappa", "sortedcontainers", "msgpack"}
PROBE = """
import json, sys, time
before = set(sys.modules)
began = time.process_time()
import kappa
took = time.process_time() - began
for name in kappa.__all__:
    getattr(kappa, name)
import kappa.runtime.live, kappa.runtime.replay
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
    built_in = {name for name in names if name.startswith(("_sysconfigdata", "_cython_"))}
    foreign = names - set(sys.stdlib_module_names) - ALLOWED - built_in - {"cython_runtime"}
    assert not foreign, f"import kappa also imports {sorted(foreign)}; import it where it is used"


def test_every_name_has_a_home():
    import kappa

    assert set(kappa._HOME_OF) == set(kappa.__all__) - {"__version__"}
    assert set(kappa.__all__) <= set(dir(kappa))
    for name, home in kappa._HOME_OF.items():
        assert getattr(kappa, name) is getattr(sys.modules[home], name)


def test_an_unknown_name_is_an_attribute_error():
    import kappa

    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = kappa.Nothing


def test_import_takes_under_a_tenth_of_a_second():
    # Time of the processor, and the best of several: the machine may be busy with other things.
    best = min(probe()[0] for _ in range(6))
    assert best < 0.1, f"import kappa took {best:.3f} s at best"
