"""Between two bounds, each of which may be open or missing: what many expectations share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kappa.contracts.expectations.expectation import Expectation


@dataclass(frozen=True)
class Bounds(Expectation):
    """The four arguments of a range.

    Args:
        min_value, max_value: the bounds; None for none. Both are inside.
        strict_min, strict_max: the bound itself is outside.
    """

    min_value: Any = None
    max_value: Any = None
    strict_min: bool = False
    strict_max: bool = False

    def check(self) -> None:
        low, high = self.min_value, self.max_value
        if low is None and high is None:
            raise self.wrong("give min_value, max_value or both")
        if low is not None and high is not None and low > high:
            raise self.wrong(f"min_value {low!r} lies above max_value {high!r}")

    def inside(self, value: Any) -> bool:
        """Whether a value lies in the range.

        Raises:
            TypeError: it cannot be compared with the bounds.
        """
        low, high = self.min_value, self.max_value
        if low is not None and not (value > low if self.strict_min else value >= low):
            return False
        return high is None or bool(value < high if self.strict_max else value <= high)

    @property
    def range(self) -> str:
        """The range in words: "from 0 to 10", "above 0", "at most 3".

        >>> from kappa.contracts.expectations import expect_table_row_count_to_be_between
        >>> expect_table_row_count_to_be_between(5, None).range
        'at least 5'
        """
        low, high = self.min_value, self.max_value
        below = f"below {high!r}" if self.strict_max else f"at most {high!r}"
        if low is None:
            return below
        above = f"above {low!r}" if self.strict_min else f"at least {low!r}"
        if high is None:
            return above
        if self.strict_min or self.strict_max:
            return f"{above} and {below}"
        return f"from {low!r} to {high!r}"
