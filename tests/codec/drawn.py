"""What the codec's tests draw: values of every storable type, and keys that collide."""

from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from kappa.codec import register


@register
@dataclasses.dataclass(frozen=True)
class Point:
    x: Any
    y: Any = 0


ZONES = [UTC, timezone(timedelta(hours=-5, minutes=30)), timezone(timedelta(hours=1), "CET")]
ZONES += [ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York"), ZoneInfo("UTC")]
zones = st.sampled_from(ZONES)

ints = st.one_of(
    st.integers(-300, 300),
    st.integers(-(1 << 70), 1 << 70),
    st.sampled_from([sign * (1 << bits) + by for sign in (1, -1) for bits in (8, 31, 63, 64)
                     for by in (-1, 0, 1)]),
)  # fmt: skip
leaves = st.one_of(
    st.none(),
    st.booleans(),
    ints,
    st.floats(),
    st.text(max_size=8),
    st.binary(max_size=8),
    st.dates(),
    st.times(timezones=st.none() | zones),
    st.datetimes(timezones=st.none() | zones),
    st.timedeltas(),
    st.decimals(allow_nan=False),
    st.uuids(),
)
hashables = st.recursive(
    st.one_of(st.none(), ints, st.text(max_size=4), st.binary(max_size=4), st.dates(), st.uuids()),
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=4,
)
stored = st.recursive(
    leaves | hashables,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(hashables, inner, max_size=3),
        st.sets(hashables, max_size=3),
        st.builds(Point, inner, inner),
    ),
    max_leaves=6,
)

# Few values, many types: equal ones meet often.
numbers = st.one_of(
    st.booleans(),
    st.integers(-3, 3),
    ints,
    st.integers(-6, 6).map(lambda n: n / 2),
    st.floats(allow_nan=False),
    st.integers(-60, 60).map(lambda n: Decimal(n) / 20),
    st.integers(-3, 3).map(lambda n: Decimal(n).scaleb(2)),
    st.decimals(allow_nan=False, min_value=-1000, max_value=1000),
    st.floats(allow_nan=False, allow_infinity=False).map(Decimal),
    st.sampled_from([Decimal("Infinity"), Decimal("-Infinity"), Decimal("-0.0"), Decimal("1.10")]),
)
texts = st.text(st.sampled_from("\0\x01aä\uffff\U0001f600"), max_size=3)
blobs = st.binary(max_size=3) | st.lists(st.sampled_from([0, 1, 254, 255]), max_size=4).map(bytes)
moments = st.datetimes(
    min_value=datetime(2020, 6, 1), max_value=datetime(2020, 6, 2), timezones=zones
)
tuples_of_numbers = st.lists(numbers, max_size=3).map(tuple)
tuples_of_texts = st.lists(texts, max_size=3).map(tuple)
ordered_pools = {
    "numbers": numbers,
    "texts": texts,
    "blobs": blobs,
    "dates": st.dates(),
    "moments": moments,
    "spans": st.timedeltas(),
    "uuids": st.uuids(),
    "tuples of numbers": tuples_of_numbers,
    "tuples of texts": tuples_of_texts,
    "pairs": st.tuples(numbers, texts),
    "nested": st.tuples(tuples_of_numbers, tuples_of_texts),
}
keys = st.recursive(
    st.one_of(
        st.none(), numbers, texts, blobs, st.dates(), moments, st.timedeltas(),
        st.times(), st.uuids(),
    ),
    lambda inner: st.lists(inner, max_size=2).map(tuple) | st.frozensets(inner, max_size=2),
    max_leaves=3,
)  # fmt: skip


def shape(value: Any) -> str:
    """Text that is the same only for values equal in value and type at every depth."""
    kind = type(value).__name__
    if isinstance(value, dict):
        return f"{kind}({', '.join(f'{shape(k)}: {shape(v)}' for k, v in value.items())})"
    if isinstance(value, Point):
        return f"{kind}({shape(value.x)}, {shape(value.y)})"
    if isinstance(value, set | frozenset):
        return f"{kind}({', '.join(sorted(map(shape, value)))})"
    if isinstance(value, list | tuple):
        return f"{kind}({', '.join(map(shape, value))})"
    return f"{kind}({value!r})"


def exactly(left: Any, right: Any) -> bool:
    """Equal in value and type at every depth; NaN is NaN, and -0.0 is not 0.0."""
    return shape(left) == shape(right)


SAMPLES: list[Any] = [
    None, True, False, 0, -1, 1 << 63, -(1 << 63), 1 << 64, -(1 << 100), 0.0, -0.0, 1.5,
    float("inf"), float("nan"), "", "naïve \U0001f600", b"", b"\0\xff", [], {}, (), set(),
    frozenset(), [[None]], {"a": {1: (2.0, "x")}}, {(1, "a"): [b""]}, {None: 1},
    date(1, 1, 1), date.max, time(23, 59, 59, 999999), time(1, tzinfo=UTC), time(2, fold=1),
    datetime(2020, 1, 2, 3, 4, 5, 6), datetime(2020, 6, 1, tzinfo=ZoneInfo("Europe/Berlin")),
    datetime(2020, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1),
    datetime(2020, 3, 29, 2, 30, tzinfo=ZoneInfo("Europe/Berlin")),
    datetime(2020, 6, 1, tzinfo=timezone(timedelta(hours=1), "CET")), datetime.max,
    timedelta(days=-1, microseconds=1), timedelta.max, timedelta.min,
    Decimal("1.10"), Decimal("-0E+5"), Decimal("NaN"), Decimal("-Infinity"), Decimal("1E+999999"),
    UUID(int=7), {1, 2, "a", (3, None)}, frozenset({b"x"}), Point(1, [2]), [Point(None)],
    [float("nan"), (1, (2, (3,)))],
]  # fmt: skip
