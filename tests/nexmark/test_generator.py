"""The generator against the published figures, and events through files and logs.

Shares are of many events drawn by chance from fixed numbers, so a test that passes once
passes always.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from itertools import pairwise
from statistics import mean

import pytest
from nexmark.made import auction, bid, person

from benchmarks.nexmark.events import create_topics, load, read_events, write_events
from benchmarks.nexmark.generator import Generator
from kappa import Log, ManualClock
from kappa.errors import SourceError

EVENTS = 20_000


@pytest.fixture(scope="module")
def rows():
    """Rows by kind."""
    found = {"person": [], "auction": [], "bid": []}
    for kind, row in Generator(EVENTS).rows():
        found[kind].append(row)
    return found


def share(rows, holds) -> float:
    return sum(map(holds, rows)) / len(rows)


def test_of_fifty_events_one_is_a_person_and_three_are_auctions(rows):
    assert {kind: len(found) * 50 / EVENTS for kind, found in rows.items()} == {
        "person": 1,
        "auction": 3,
        "bid": 46,
    }


def test_ids_count_from_a_thousand(rows):
    for kind in ("person", "auction"):
        ids = [row["id"] for row in rows[kind]]
        assert ids == list(range(1000, 1000 + len(ids)))
    assert min(row["bidder"] for row in rows["bid"]) >= 2000
    assert {row["category"] for row in rows["auction"]} == {10, 11, 12, 13, 14}
    assert {row["state"] for row in rows["person"]} == {"AZ", "CA", "ID", "OR", "WA", "WY"}


def test_hot_keys_are_as_hot_as_they_should_be(rows):
    # A hot key is met by chance too, but one of a hundred or more.
    assert share(rows["bid"], lambda row: row["auction"] % 100 == 0) == pytest.approx(0.5, abs=0.02)
    assert share(rows["bid"], lambda row: row["bidder"] % 100 == 1) == pytest.approx(0.75, abs=0.02)
    hot_seller = share(rows["auction"], lambda row: row["seller"] % 100 == 0)
    assert hot_seller == pytest.approx(0.75, abs=0.03)
    channels = Counter(row["channel"] for row in rows["bid"])
    for name in ("Google", "Facebook", "Baidu", "Apple"):
        assert channels.pop(name) / len(rows["bid"]) == pytest.approx(1 / 8, abs=0.01)
    assert 5_500 < len(channels) <= 10_000


def test_pages_have_folders_and_most_say_their_channel(rows):
    others = [row for row in rows["bid"] if row["channel"].startswith("channel-")]
    assert share(others, lambda row: "&channel_id=" in row["url"]) == pytest.approx(0.9, abs=0.02)
    assert all(row["url"].count("/") == 6 for row in rows["bid"])
    pages = {row["channel"]: row["url"] for row in rows["bid"]}
    assert all(pages[row["channel"]] == row["url"] for row in rows["bid"])


def test_bids_are_for_auctions_in_flight_and_ten_to_come(rows):
    newest, ahead = 999, 0
    for kind, row in Generator(EVENTS).rows():
        if kind == "auction":
            newest = row["id"]
        elif kind == "bid" and newest > 1200:
            assert newest - 100 <= row["auction"] <= newest + 10
            ahead += row["auction"] > newest
    assert ahead / len(rows["bid"]) == pytest.approx(0.5 * 10 / 111, abs=0.01)


def test_every_power_of_ten_is_as_likely_a_price(rows):
    powers = Counter(len(str(row["price"])) for row in rows["bid"])
    assert min(row["price"] for row in rows["bid"]) >= 100
    assert max(row["price"] for row in rows["bid"]) <= 100_000_000
    for digits in range(3, 9):
        assert powers[digits] / len(rows["bid"]) == pytest.approx(1 / 6, abs=0.02)


def test_an_auction_ends_when_it_is_no_more_in_flight_on_average():
    for rate in (10_000, 100):
        rows = [row for kind, row in Generator(EVENTS, rate=rate).rows() if kind == "auction"]
        lengths = [row["expires"] - row["dateTime"] for row in rows]
        horizon = 100 * 50 / 3 * 1000 / rate
        assert mean(lengths) == pytest.approx(horizon, rel=0.05)
        assert min(lengths) >= 1
        assert max(lengths) <= 2 * horizon + 1


@pytest.mark.parametrize(("kind", "size"), [("person", 200), ("auction", 500), ("bid", 100)])
def test_padding_makes_up_the_average_size(rows, kind, size):
    counted = {"bid": ["extra"]}.get(kind, [*rows[kind][0]])
    texts = [sum(len(row[n]) for n in counted if type(row[n]) is str) for row in rows[kind]]
    numbers = {"person": 8, "auction": 48, "bid": 32}[kind]
    assert mean(texts) + numbers == pytest.approx(size, rel=0.05)


def test_time_goes_on_evenly():
    times = [row["dateTime"] for _, row in Generator(1_000, rate=3_000).rows()]
    assert times[0] == Generator(1).start
    assert {later - sooner for sooner, later in pairwise(times)} == {0, 1}
    assert times[-1] - times[0] == 333


def test_disorder_shuffles_within_groups():
    straight = list(Generator(1_000, rate=100).rows())
    shuffled = list(Generator(1_000, rate=100, disorder=100).rows())
    assert shuffled != straight
    for start in range(0, 1_000, 100):
        part = slice(start, start + 100)
        assert sorted(map(repr, straight[part])) == sorted(map(repr, shuffled[part]))


def test_the_same_events_for_ever():
    lines = [json.dumps(event) for event in Generator(500, disorder=10, seed=3).rows()]
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    assert digest == "e9449312399122c90f37a51a8f5682fe26d40af7cfb2bf887da649c9e4a8dbfd"
    assert list(Generator(10, seed=4).rows()) != list(Generator(10, seed=3).rows())


def test_wrong_figures_are_refused():
    with pytest.raises(ValueError, match="rate is 0"):
        Generator(1, rate=0)


# -- files and logs --------------------------------------------------------------------------


def test_a_file_gives_back_its_events(tmp_path):
    events = list(Generator(200, disorder=10).rows())
    assert write_events(tmp_path / "events.jsonl", events) == 200
    assert list(read_events(tmp_path / "events.jsonl")) == events


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "not JSON"),
        ("[]", 'no event: give an object whose "kind" is one of person, auction, bid'),
        ('{"kind": "sale"}', "no event"),
        ('{"kind": "bid", "dateTime": "1"}', "'dateTime' is '1': give int milliseconds"),
        ('{"kind": "bid"}', "'dateTime' is None"),
    ],
)
def test_a_broken_line_is_named(tmp_path, line, reason):
    path = tmp_path / "events.jsonl"
    write_events(path, [bid(1, 2, 3, 4)])
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(SourceError, match=r"events\.jsonl, line 2: ") as error:
        list(read_events(path))
    assert reason in error.value.message


def test_appends_are_events_in_order_of_arrival():
    events = [person(1, 0), bid(1, 1, 1, 1), auction(1, 2, 3), bid(1, 1, 2, 4), bid(1, 1, 3, 5)]
    with Log.memory() as log:
        create_topics(log, partitions=4)
        assert load(log, events, per_append=3) == 5
        lsns = {
            topic: [r.lsn for r in log.read(topic)] for topic in ("persons", "auctions", "bids")
        }
        first = lsns["persons"][0]
        assert lsns["auctions"] == [first]
        assert lsns["bids"] == [first, first + 1, first + 1]
        assert [record.key for record in log.read("bids")] == [1, 1, 1]


def test_a_manual_clock_shows_the_second_of_the_newest_event():
    times = [100, 900, 1_500, 950, 1_999, 4_000]
    with Log.memory(clock=ManualClock()) as log:
        create_topics(log)
        load(log, [bid(n, 1, 1, time) for n, time in enumerate(times)])
        appended = {entry.lsn: entry.append_time for entry in log.entries(0)}
        shown = [appended[record.lsn] % 10_000 for record in log.read("bids")]
    assert shown == [0, 0, 1_000, 1_000, 1_000, 4_000]
