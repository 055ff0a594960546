"""The events of Nexmark: people who join, auctions that they open, bids that they make.

Proportions, hot keys, sizes and times are those of the published generator. What differs
is where chance comes from: every event is drawn from its own number alone, so two runs
give the same events, and any range of them can be made by itself.

- Of 50 events in a row, the first is a person, three are auctions, 46 are bids.
- Half of the bids go to the hot auction, the first of the last hundred; three quarters come
  from the hot bidder, the second of the last hundred people; three quarters of the auctions
  are of the hot seller, the first of them. The others spread over the last auctions in
  flight and the last active people, and ten that are still to come.
- Half of the bids come through one of four channels, the others through ten thousand.

Source: Tucker, Tufte, Papadimos, Maier, NEXMark: a benchmark for queries over data streams,
2002; the generator is that of github.com/nexmark/nexmark.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import blake2b, shake_128
from struct import Struct
from typing import Any, TypeAlias

Row: TypeAlias = "dict[str, Any]"
Event: TypeAlias = "tuple[str, Row]"

PERSON, AUCTION, BID = "person", "auction", "bid"
EPOCH_EVENTS, EPOCH_PEOPLE, EPOCH_AUCTIONS = 50, 1, 3
FIRST_PERSON, FIRST_AUCTION, FIRST_CATEGORY, CATEGORIES = 1000, 1000, 10, 5
LEAD, BATCH = 10, 100
START = 1_700_000_000_000

FIRST_NAMES = "Peter,Paul,Luke,John,Saul,Vicky,Kate,Julie,Sarah,Deiter,Walter"
LAST_NAMES = "Shultz,Abrams,Spencer,White,Bartels,Walton,Smith,Jones,Noris"
CITIES = "Phoenix,Los Angeles,San Francisco,Boise,Portland,Bend,Redmond,Seattle,Kent,Cheyenne"
STATES = "AZ,CA,ID,OR,WA,WY"
HOT_CHANNELS = "Google,Facebook,Baidu,Apple"
CHANNELS = 10_000

WORDS = Struct(">16I")
POOL = 1 << 16
SPREAD = 2.0**32


@dataclass(frozen=True)
class Generator:
    """Makes events by number.

    Args:
        events: how many.
        first: number of the first one.
        rate: events per second of event time.
        disorder: size of the groups within which events are shuffled; 1 for none.
        seed: another one gives other events of the same kind.
        first_bidder: ids of bidders count from here. 2000 as published, where people count
            from 1000: so the first thousand bidders are nobody's (query 23 finds nothing
            before about event 50,000). With 1000 they are people from the start.
        in_flight: auctions that bids go to.
        active_people: people who bid and sell.
        start: event time of the first event, ms.

    >>> kinds = [kind for kind, _ in Generator(50).rows()]
    >>> kinds.count("person"), kinds.count("auction"), kinds.count("bid")
    (1, 3, 46)
    >>> list(Generator(1, first=1234).rows()) == [list(Generator(2000).rows())[1234]]
    True
    """

    events: int
    first: int = 0
    rate: int = 10_000
    disorder: int = 1
    seed: int = 0
    first_bidder: int = 2000
    in_flight: int = 100
    active_people: int = 1000
    start: int = START

    def __post_init__(self) -> None:
        for name in ("rate", "disorder", "in_flight", "active_people"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, must be at least 1")

    def rows(self) -> Iterator[Event]:
        """The events in order of arrival, as (kind, row)."""
        group = self.disorder
        for number in range(self.first, self.first + self.events):
            yield self.event(number - number % group + number * 953 % group)

    def event(self, number: int) -> Event:
        """The event of a number."""
        place = number % EPOCH_EVENTS
        if place < EPOCH_PEOPLE:
            return PERSON, self._person(number)
        if place < EPOCH_PEOPLE + EPOCH_AUCTIONS:
            return AUCTION, self._auction(number)
        return BID, self._bid(number)

    def time_of(self, number: int) -> int:
        """The event time of a number, ms."""
        return self.start + number * 1000 // self.rate

    # -- the three kinds -----------------------------------------------------------------

    def _person(self, number: int) -> Row:
        draw = self._draws(number)
        user, host = text(draw[0], 3 + draw[1] % 4), text(draw[2], 3 + draw[3] % 2)
        row = {
            "name": f"{picked(FIRST_NAMES, draw[4])} {picked(LAST_NAMES, draw[5])}",
            "emailAddress": f"{user}@{host}.com",
            "creditCard": " ".join(f"{draw[n] % 10_000:04d}" for n in (6, 7, 8, 9)),
            "city": picked(CITIES, draw[10]),
            "state": picked(STATES, draw[11]),
        }
        rest = 200 - 8 - sum(map(len, row.values()))
        return {
            "id": FIRST_PERSON + last_person(number),
            **row,
            "dateTime": self.time_of(number),
            "extra": extra(draw[12], draw[13], rest),
        }

    def _auction(self, number: int) -> Row:
        draw = self._draws(number)
        time = self.time_of(number)
        name, description = text(draw[0], 3 + draw[1] % 17), text(draw[2], 3 + draw[3] % 97)
        opening = price(draw[4])
        return {
            "id": FIRST_AUCTION + last_auction(number),
            "itemName": name,
            "description": description,
            "initialBid": opening,
            "reserve": opening + price(draw[5]),
            "dateTime": time,
            "expires": time + 1 + draw[6] % self._longest,
            "seller": self._seller(number, draw[7], draw[8]),
            "category": FIRST_CATEGORY + draw[9] % CATEGORIES,
            "extra": extra(draw[10], draw[11], 500 - 48 - len(name) - len(description)),
        }

    def _bid(self, number: int) -> Row:
        draw = self._draws(number)
        if draw[0] % 2:
            auction = last_auction(number) // BATCH * BATCH
        else:
            auction = self._any_auction(number, draw[1])
        if draw[2] % 4:
            bidder = last_person(number) // BATCH * BATCH + 1
        else:
            bidder = self._any_person(number, draw[3])
        if draw[4] % 2:
            channel = picked(HOT_CHANNELS, draw[5])
            url = base_url(channel)
        else:
            channel, url = other_channel(draw[5] % CHANNELS)
        return {
            "auction": FIRST_AUCTION + auction,
            "bidder": self.first_bidder + bidder,
            "price": price(draw[6]),
            "channel": channel,
            "url": url,
            "dateTime": self.time_of(number),
            "extra": extra(draw[7], draw[8], 100 - 32),
        }

    # -- who and what --------------------------------------------------------------------

    @cached_property
    def _longest(self) -> int:
        """The longest that an auction lasts, ms: on average until it is no more in flight."""
        events = self.in_flight * EPOCH_EVENTS // EPOCH_AUCTIONS
        return max(2 * (events * 1000 // self.rate), 1)

    def _seller(self, number: int, coin: int, chance: int) -> int:
        if coin % 4:
            return FIRST_PERSON + last_person(number) // BATCH * BATCH
        return FIRST_PERSON + self._any_person(number, chance)

    def _any_person(self, number: int, chance: int) -> int:
        people = last_person(number) + 1
        active = min(people, self.active_people)
        return people - active + chance % (active + LEAD)

    def _any_auction(self, number: int, chance: int) -> int:
        last = last_auction(number)
        first = max(last - self.in_flight, 0)
        return first + chance % (last - first + 1 + LEAD)

    def _draws(self, number: int) -> tuple[int, ...]:
        """Sixteen numbers below 2^32, by chance, that belong to an event."""
        return WORDS.unpack(blake2b(b"%d:%d" % (self.seed, number)).digest())


def last_person(number: int) -> int:
    """How many people came before the newest one at an event, itself included."""
    return number // EPOCH_EVENTS


def last_auction(number: int) -> int:
    """How many auctions were opened before the newest one at an event, itself included.

    >>> [last_auction(number) for number in (1, 3, 49, 50, 51)]
    [0, 2, 2, 2, 3]
    """
    epoch, place = divmod(number, EPOCH_EVENTS)
    if place < EPOCH_PEOPLE:
        return epoch * EPOCH_AUCTIONS - 1
    return epoch * EPOCH_AUCTIONS + min(place - EPOCH_PEOPLE, EPOCH_AUCTIONS - 1)


# -- values from draws -----------------------------------------------------------------------


def price(chance: int) -> int:
    """A price from 100 to 100,000,000, each power of ten as likely as another.

    >>> price(0), price(2**31), price(2**32 - 1)
    (100, 100000, 100000000)
    """
    return round(math.pow(10.0, 6.0 * (chance / SPREAD)) * 100.0)


def picked(choices: str, chance: int) -> str:
    """One of several with commas between them."""
    found = choices.split(",")
    return found[chance % len(found)]


@lru_cache(maxsize=1)
def letters() -> str:
    """Small letters in no order; text without a meaning is cut out of them."""
    raw = shake_128(b"nexmark").digest(POOL)
    return raw.translate(bytes(ord("a") + byte % 26 for byte in range(256))).decode()


def text(chance: int, length: int) -> str:
    """So many letters from some place of the pool."""
    start = chance % (POOL - length)
    return letters()[start : start + length]


def extra(chance: int, spread: int, average: int) -> str:
    """Padding of some length within a fifth of the average."""
    if average <= 0:
        return ""
    delta = round(average * 0.2)
    length = average - delta + (spread % (2 * delta) if delta else 0)
    return text(chance, length)


@lru_cache(maxsize=CHANNELS + 4)
def base_url(channel: str) -> str:
    """The page of a channel's bids: three folders and a query."""
    draw = WORDS.unpack(blake2b(channel.encode()).digest())
    folders = "/".join(text(draw[n], 3 + draw[n + 1] % 2) for n in (0, 2, 4))
    return f"https://www.nexmark.com/{folders}/item.htm?query=1"


@lru_cache(maxsize=CHANNELS)
def other_channel(number: int) -> tuple[str, str]:
    """A channel that is not hot, and its page; nine of ten say the channel's id.

    >>> other_channel(3)[0]
    'channel-3'
    """
    channel = f"channel-{number}"
    url = base_url(channel)
    if blake2b(channel.encode(), digest_size=1).digest()[0] % 10:
        url += f"&channel_id={mirrored(number)}"
    return channel, url


def mirrored(number: int) -> int:
    """The 32 bits of a number from right to left, as a signed number without its sign.

    >>> mirrored(1), mirrored(2), mirrored(3)
    (2147483648, 1073741824, 1073741824)
    """
    found = int(f"{number:032b}"[::-1], 2)
    return abs(found - (1 << 32) if found >> 31 else found)
