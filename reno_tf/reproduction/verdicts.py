"""The verdicts on a claim, and how its statistics are written."""

from reno_tf.reporting.metrics import MISSING

HELD, NOT_HELD, UNDECIDED = "held", "not held", "undecided"
SIGNS = {HELD: "✓", NOT_HELD: "✗", UNDECIDED: "?"}


def statistic(value: float | None, unit: str) -> str:
    """A claim's statistic: percentage points with one decimal, the rest with three figures."""
    return MISSING if value is None else f"{value:{'.1f' if unit else '.3g'}}"
