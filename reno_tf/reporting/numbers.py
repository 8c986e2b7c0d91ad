"""Numbers as text."""

import math

MISSING = "–"


def percent(value: float | None, interval: list | None = None) -> str:
    """A fraction, with its interval: "12.3 % [11.0, 13.9]". A rate over nothing is "undefined"."""
    if value is None:
        return "undefined"
    return f"{100 * value:.1f} %" + (f" [{percents(interval, ', ')}]" if interval else "")


def percents(interval: list | None, between: str) -> str:
    """The ends of an interval of fractions, without a unit."""
    return between.join(f"{100 * end:.1f}" for end in interval) if interval else MISSING


def number(value: float | None) -> str:
    """Three figures: 1234, 36.6, −0.0123."""
    return MISSING if value is None else f"{value:.{decimals(value)}f}".replace("-", "−")


def decimals(value: float) -> int:
    """The decimals with which a number has three figures."""
    return max(0, 2 - math.floor(math.log10(abs(value)))) if value else 0


def mean_and_std(summary, places: int) -> str:
    """A `reno_tf.reporting.seeds.Summary`: "86.5 ± 2.1", of a single seed "86.5"."""
    if summary is None:
        return MISSING
    return f"{summary.mean:.{places}f}" + (f" ± {summary.std:.{places}f}" if summary.std is not None else "")


def statistic(value: float | None, unit: str) -> str:
    """A claim's statistic: percentage points with one decimal, the rest with three figures."""
    if value is None:
        return MISSING
    return f"{value:.1f}" if unit else f"{value:.3g}"


def exact(value: float | None) -> str:
    """Six figures, for programs; an empty text for None."""
    return "" if value is None else f"{value:.6g}"
