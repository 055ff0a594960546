"""Folders by time: the way back from a folder to a time that lies in it."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import example, given

from kappa.connect.tables.partitions import Partitioning

ZONES = ["UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata", "Pacific/Apia"]
RULES = [
    ("date",),
    ("date", "hour"),
    ("month",),
    ("year",),
    ("year", "date", "hour"),
    ("date", "k"),
]


@given(st.sampled_from(ZONES), st.sampled_from(RULES), st.integers(-(10**12), 4 * 10**12))
@example("America/New_York", ("date", "hour"), 1_362_898_800_000)  # an hour that does not exist
@example("America/New_York", ("date", "hour"), 1_383_456_600_000)  # one that comes twice
@example("Pacific/Apia", ("date",), 1_325_239_200_000)  # beside a day that does not exist
def test_a_folder_gives_a_time_of_its_own(zone, rule, time):
    by = Partitioning.of(*rule, zone=zone)
    folder = by.folder_of({"k": "a b"}, time)
    found = by.time_of(folder)
    assert found is not None
    assert by.span_of(found) == by.span_of(time)


@pytest.mark.parametrize(
    "folder",
    [
        "", "date", "date=", "date=2013-02-30", "date=2013-3-1", "hour=3", "k=1", "date=x",
        "date=2013-03-09/hour=24", "date=2013-03-09/hour=3", "date=2013-03-09/hour=03/more=1",
        "date=99999-01-01/hour=00", "date=2013-03-09/hour=-1", "date=2011-12-30/hour=00",
    ],
)  # fmt: skip
def test_what_is_no_folder_of_the_table_gives_none(folder):
    assert Partitioning.of("date", "hour", zone="Pacific/Apia").time_of(folder) is None
    assert Partitioning.of("k").time_of(folder) is None
