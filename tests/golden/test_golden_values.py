"""Every kind of value that was ever stored is read for ever, and written alike.

values.txt has one per line: the value as Python shows it, then its bytes in hex.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from codec.drawn import SAMPLES, exactly

from kappa.codec import decode, encode

LINES = (Path(__file__).parent / "values.txt").read_text(encoding="utf-8").splitlines()
BYTES = [bytes.fromhex(line.rpartition(" ")[2]) for line in LINES]


def test_every_sample_is_stored():
    assert len(BYTES) == len(SAMPLES)


@pytest.mark.parametrize(("value", "data"), list(zip(SAMPLES, BYTES)))
def test_a_stored_value_reads_and_is_written_as_it_was(value, data):
    assert exactly(decode(data), value)
    assert encode(value) == data
