"""ARCHITECTURE.md is the map: what it names exists, and what exists is on it.

Every folder of the package appears as `kappa/<folder>/` and every module beside them as
`kappa/<module>.py`; any other path of the repository that it names must be there.
"""

from __future__ import annotations

import re

from architecture.source import PACKAGE, ROOT

NAMED = re.compile(r"(?<![\w/.-])((?:kappa|tests|benchmarks|examples|docs)/[\w./-]*[\w/])")


def named() -> set[str]:
    page = ROOT / "ARCHITECTURE.md"
    assert page.exists(), "ARCHITECTURE.md, the map of the package, is missing"
    return set(NAMED.findall(page.read_text(encoding="utf-8")))


def parts() -> set[str]:
    found = set()
    for path in PACKAGE.iterdir():
        if path.is_dir() and any(path.glob("*.py")):
            found.add(f"kappa/{path.name}/")
        elif path.suffix == ".py" and path.name != "__init__.py":
            found.add(f"kappa/{path.name}")
    return found


def test_all_that_the_map_names_exists():
    lost = sorted(path for path in named() if not (ROOT / path).exists())
    assert not lost, f"ARCHITECTURE.md names what is not there: {lost}"


def test_all_that_exists_is_on_the_map():
    missing = sorted(parts() - named())
    assert not missing, f"ARCHITECTURE.md does not name: {missing}"
