"""Settings of all tests.

A change is judged by the same examples on every machine: where CI is set, Hypothesis draws
them from the test itself instead of a random seed. Elsewhere every run tries new ones.
"""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("ci", derandomize=True, print_blob=True, deadline=None)
if os.environ.get("CI"):
    settings.load_profile("ci")
