"""Means and standard deviations over seeds."""

import dataclasses
from collections.abc import Iterable

import numpy as np


@dataclasses.dataclass(frozen=True)
class Summary:
    """std: with n - 1 in the denominator; None for one seed."""

    mean: float
    std: float | None
    seeds: int


def summarise(values: Iterable[float | None]) -> Summary | None:
    """The mean and the standard deviation of the defined values; None if no value is defined."""
    defined = [value for value in values if value is not None]
    std = float(np.std(defined, ddof=1)) if len(defined) > 1 else None
    return Summary(float(np.mean(defined)), std, len(defined)) if defined else None
