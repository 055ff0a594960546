"""Rules about the distribution of a field, against that of a reference period."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isinf
from typing import Any, ClassVar

from kappa.contracts.expectations.distribution import (
    Distribution,
    kl_divergence,
    ks_p_value,
    ks_statistic,
    stability_index,
)
from kappa.contracts.expectations.expectation import Judged, Metric, WindowExpectation, named


@dataclass(frozen=True)
class Drift(WindowExpectation):
    """A distance to a reference stays below a threshold.

    Args:
        column: the field; missing values are left out.
        reference: a `Distribution`, or its plain form.
        threshold: the distance that is too far.
    """

    column: str
    reference: Any = None
    threshold: float = field(default=0.0)

    def check(self) -> None:
        named(self, "column")
        self.put("reference", Distribution.from_plain(self.reference))
        if isinstance(self.threshold, bool) or not isinstance(self.threshold, int | float):
            raise self.wrong(f"threshold is {self.threshold!r}: give a number")
        if self.threshold <= 0:
            raise self.wrong(f"threshold is {self.threshold!r}: give a number above 0")

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (Metric("observed", self.columns, (self.reference,)),)

    def judge(self, values: Sequence[Any]) -> Judged:
        (counts,) = values
        if not sum(counts):
            return Judged(False, None)
        distance = self.distance(counts)
        return Judged(distance < self.threshold, None if isinf(distance) else distance)

    def distance(self, counts: Sequence[int]) -> float:
        """How far the values seen, by their places, are from the reference."""
        raise NotImplementedError


@dataclass(frozen=True)
class Psi(Drift):
    """The population stability index stays below a threshold.

    Customary: below 0.1 no change, 0.1 to 0.25 some, above that much.

    Args:
        column: the field; missing values are left out.
        reference: a `Distribution`, or its plain form.
        threshold: the index that is too far.
    """

    threshold: float = field(default=0.25)

    name: ClassVar[str] = "expect_column_psi_to_be_less_than"

    def distance(self, counts: Sequence[int]) -> float:
        return stability_index(self.reference.shares, counts)


@dataclass(frozen=True)
class Kl(Drift):
    """The relative entropy to the reference stays below a threshold.

    Args:
        column: the field; missing values are left out.
        reference: a `Distribution`, or its plain form.
        threshold: the entropy that is too far.
    """

    threshold: float = field(default=0.1)

    name: ClassVar[str] = "expect_column_kl_divergence_to_be_less_than"

    def distance(self, counts: Sequence[int]) -> float:
        return kl_divergence(self.reference.shares, counts)


@dataclass(frozen=True)
class Ks(Drift):
    """The Kolmogorov-Smirnov distance to the reference's sample stays below a threshold.

    The result shows the distance and its p-value.

    Args:
        column: a field of numbers; missing values are left out.
        reference: a `Distribution` of numbers, or its plain form.
        threshold: the distance that is too far, up to 1.
    """

    threshold: float = field(default=0.1)

    name: ClassVar[str] = "expect_column_ks_statistic_to_be_less_than"

    def check(self) -> None:
        super().check()
        if not self.reference.sample:
            raise self.wrong("the reference has no sample: make it with Distribution.of(numbers)")

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (Metric("value_counts", self.columns),)

    def judge(self, values: Sequence[Any]) -> Judged:
        (counts,) = values
        if not counts:
            return Judged(False, None)
        sample = self.reference.sample
        try:
            statistic = ks_statistic(sample, counts)
        except TypeError:  # what was seen are no numbers
            return Judged(False, None)
        p_value = ks_p_value(statistic, len(sample), sum(counts.values()))
        return Judged(statistic < self.threshold, {"statistic": statistic, "p_value": p_value})
