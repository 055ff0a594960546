"""Settings of all tests.

A change is judged by the same examples on every machine: where CI is set, Hypothesis draws
them from the test itself instead of a random seed. Elsewhere every run tries new ones. No example
has a deadline: the machine may be busy with other things.
"""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("ci", derandomize=True, print_blob=True, deadline=None)
settings.register_profile("here", print_blob=True, deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "here")
