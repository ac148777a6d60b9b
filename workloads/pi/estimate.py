"""Decides what a count of samples says about π: the estimate and its error; knows nothing of counting."""

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """A count of samples, and what it says about π.

    Attributes:
        samples: Points drawn uniformly from the unit square, at least 1.
        num_inside: How many of them lie within the quarter circle of radius 1.

    Raises:
        ValueError: If the counts contradict each other.
    """

    samples: int
    num_inside: int

    def __post_init__(self) -> None:
        """Refuse counts that no computation can have."""
        if self.samples < 1 or not 0 <= self.num_inside <= self.samples:
            raise ValueError(
                f"{self.num_inside} of {self.samples} samples inside: there must be at least one sample, and "
                "no more of them inside than there are."
            )

    @property
    def estimate(self) -> float:
        """Estimate of π: four times the share inside."""
        return 4.0 * self.num_inside / self.samples

    @property
    def standard_error(self) -> float:
        """Standard error of the estimate, exact: the count is binomial with p = π/4.

        4 sqrt(p (1 - p) / n) = sqrt(π (4 - π) / n). With p taken from the data, one sample would give 0.
        """
        return math.sqrt(math.pi * (4.0 - math.pi) / self.samples)

    @property
    def deviation(self) -> float:
        """Distance from the estimate to π in standard errors; above 4 only once in about 16 000 runs."""
        return abs(self.estimate - math.pi) / self.standard_error

    @classmethod
    def merge(cls, estimates: Iterable["Estimate"]) -> "Estimate":
        """Combine counts of different streams, in any order.

        Raises:
            ValueError: If there is none.
        """
        parts = list(estimates)
        return cls(sum(part.samples for part in parts), sum(part.num_inside for part in parts))
