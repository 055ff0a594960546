"""A distribution to compare with, and how far another one is from it.

A `Distribution` is made once from a reference period and kept with the contract. Of
numbers it holds bins with their shares, and a sorted sample; of other values the values
with their shares. Missing values are left out.

Sources: population stability index: Siddiqi, "Credit Risk Scorecards", 2006. Kolmogorov's
limit distribution: Marsaglia, Tsang, Wang, "Evaluating Kolmogorov's distribution", 2003.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from math import exp, inf, log, sqrt
from typing import Any

from kappa.contracts.expectations.expectation import is_missing
from kappa.errors import ConfigError

BINS = 10
SAMPLE = 256
CATEGORIES = 50
"""Values that are named at most; the rest is put together as others."""
LEAST_SHARE = 1e-4
"""What an empty bin counts as in the stability index, which has no value for 0."""
NEGLIGIBLE = 1e-12


@dataclass(frozen=True)
class Distribution:
    """Shares of values, or of bins of numbers, that sum up to 1.

    Args:
        values: the values that are named; then `bins` is empty.
        bins: edges of the bins, ascending. A bin holds its lower edge; the last one also
            its upper.
        weights: the share of each value or bin.
        tails: of values, the share of all others; of bins, those below and above.
        sample: of numbers, some of them, sorted, at even places among all.

    Raises:
        ConfigError: the parts do not fit together.

    >>> Distribution.of(["a", "a", "b", None]).weights
    (0.6666666666666666, 0.3333333333333333)
    """

    values: tuple[Any, ...] = ()
    bins: tuple[float, ...] = ()
    weights: tuple[float, ...] = ()
    tails: tuple[float, ...] = ()
    sample: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for name in ("values", "bins", "weights", "tails", "sample"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if not self.tails:
            object.__setattr__(self, "tails", (0.0, 0.0) if self.bins else (0.0,))
        expected = len(self.bins) - 1 if self.bins else len(self.values)
        if bool(self.values) == bool(self.bins) or expected != len(self.weights):
            raise ConfigError(
                "a distribution has values with a weight each, or bins (edges, one more than"
                " weights)"
            )
        if list(self.bins) != sorted(set(self.bins)):
            raise ConfigError("the bins of a distribution are edges that ascend")
        if len(self.tails) != (2 if self.bins else 1):
            raise ConfigError("a distribution has a tail below and above its bins, else one")
        total = sum(self.weights) + sum(self.tails)
        if min((*self.weights, *self.tails)) < 0 or abs(total - 1) > 1e-6:
            raise ConfigError(f"the weights of a distribution sum up to {total:.6g}, not to 1")

    @classmethod
    def of(cls, values: Iterable[Any], *, bins: int = BINS) -> Distribution:
        """The distribution of values that were seen.

        Args:
            values: int and float give bins of about equal shares; anything else the
                values themselves, the most common ones by name.
            bins: how many at most.

        Raises:
            ConfigError: there are none.
        """
        seen = [value for value in values if not is_missing(value)]
        if not seen:
            raise ConfigError("a distribution of no values")
        if {int, float}.issuperset(map(type, seen)):
            return cls._of_numbers(sorted(seen), bins)
        counts = sorted(Counter(seen).items(), key=lambda one: (-one[1], repr(one[0])))
        most = counts[:CATEGORIES]
        weights = tuple(count / len(seen) for _, count in most)
        rest = max(0.0, 1 - sum(weights)) if len(counts) > CATEGORIES else 0.0
        return cls(tuple(value for value, _ in most), (), weights, (rest,))

    @classmethod
    def _of_numbers(cls, seen: list[Any], bins: int) -> Distribution:
        count = len(seen)
        edges = sorted({seen[round(k * (count - 1) / bins)] for k in range(bins + 1)})
        if len(edges) == 1:
            edges.append(edges[0] + 1)
        places = Counter(place_in(edges, value) for value in seen)
        counts = [places[place] for place in range(1, len(edges))]
        size = min(SAMPLE, count)
        sample = [seen[round(k * (count - 1) / max(1, size - 1))] for k in range(size)]
        weights = tuple(one / count for one in counts)
        return cls((), tuple(edges), weights, (0.0, 0.0), tuple(sample))

    @property
    def shares(self) -> tuple[float, ...]:
        """The weights and tails, in the order of `place`."""
        if self.bins:
            return (self.tails[0], *self.weights, self.tails[1])
        return (*self.weights, *self.tails)

    def place(self, value: Any) -> int:
        """Which of `shares` a value falls into."""
        if self.bins:
            return place_in(self.bins, value)
        return self._places.get(value, len(self.values))

    @cached_property
    def _places(self) -> dict[Any, int]:
        return {value: place for place, value in enumerate(self.values)}

    def to_plain(self) -> dict[str, Any]:
        """For files."""
        parts = {name: list(getattr(self, name)) for name in ("values", "bins")}
        found = {name: part for name, part in parts.items() if part}
        found |= {"weights": list(self.weights), "tails": list(self.tails)}
        return found | ({"sample": list(self.sample)} if self.sample else {})

    @classmethod
    def from_plain(cls, plain: Any) -> Distribution:
        """What `to_plain` was made of; also a partition object of Great Expectations.

        Raises:
            ConfigError: it is something else.
        """
        if isinstance(plain, Distribution):
            return plain
        if not isinstance(plain, Mapping):
            raise ConfigError(f"a distribution is {plain!r:.80}: give bins or values, and weights")
        known = dict(plain)
        if "tail_weights" in known:
            known["tails"] = known.pop("tail_weights")
        unknown = known.keys() - {"values", "bins", "weights", "tails", "sample"}
        if unknown:
            raise ConfigError(f"a distribution has no {min(unknown)!r}")
        return cls(**known)


def place_in(edges: Sequence[float], value: Any) -> int:
    """0 below the bins, then the number of the bin; behind the last one what is above, or
    no number.

    >>> [place_in((1, 3, 5), value) for value in (0, 1, 3, 5, 9, "x")]
    [0, 1, 2, 2, 3, 3]
    """
    try:
        return len(edges) - 1 if value == edges[-1] else bisect_right(edges, value)
    except TypeError:
        return len(edges)


def stability_index(expected: Sequence[float], counts: Sequence[int]) -> float:
    """The population stability index: 0 for equal shares; above 0.25 much has changed."""
    total = sum(counts)
    index = 0.0
    for share, count in zip(expected, counts, strict=True):
        if share < NEGLIGIBLE and not count:
            continue
        before, now = max(share, LEAST_SHARE), max(count / total, LEAST_SHARE)
        index += (now - before) * log(now / before)
    return index


def kl_divergence(expected: Sequence[float], counts: Sequence[int]) -> float:
    """The relative entropy of what was seen to what was expected; infinite where something
    was seen that has no share.
    """
    total = sum(counts)
    found = 0.0
    for share, count in zip(expected, counts, strict=True):
        if count:
            if share <= 0:
                return inf
            found += count / total * log(count / total / share)
    return max(0.0, found)


def ks_statistic(sample: Sequence[Any], counts: Mapping[Any, int]) -> float:
    """The largest distance between two empirical distribution functions.

    Args:
        sample: sorted.
        counts: of the values seen, numbers all.
    """
    values = sorted(counts)
    below = dict(zip(values, accumulate(counts[value] for value in values)))
    total = below[values[-1]]
    largest = 0.0
    for value in sorted({*values, *sample}):
        at = bisect_right(values, value)
        seen = below[values[at - 1]] / total if at else 0.0
        largest = max(largest, abs(bisect_right(sample, value) / len(sample) - seen))
    return largest


def ks_p_value(statistic: float, one: int, other: int) -> float:
    """How likely a distance at least this large is between samples of one distribution.

    By Kolmogorov's limit, which is right for samples of some dozens and more.

    >>> round(ks_p_value(0.2, 100, 100), 4)
    0.0366
    """
    scaled = statistic * sqrt(one * other / (one + other))
    if scaled < 0.2:  # the series converges slowly, and is 1 to 12 digits
        return 1.0
    total = 0.0
    for k in range(1, 101):
        term = 2 * (-1) ** (k - 1) * exp(-2 * k * k * scaled * scaled)
        total += term
        if abs(term) < 1e-16:
            break
    return min(1.0, max(0.0, total))
