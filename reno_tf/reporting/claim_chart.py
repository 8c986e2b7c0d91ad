"""The line on which a claim's statistic lies."""

from collections.abc import Mapping

from reno_tf.reporting.axes import axis
from reno_tf.reporting.numbers import number


def claim_chart(part: Mapping) -> dict | None:
    """Mean, interval, threshold, data sets and the paper's number; None if there is nothing beside the threshold."""
    datasets = {name: row["mean"] for name, row in part["per_dataset"].items() if row["mean"] is not None}
    interval = part["interval"] or []
    values = [value for value in (part["mean"], *interval, *datasets.values(), part["paper"]) if value is not None]
    if not values:
        return None
    x = axis([0, part["threshold"], *values], 14, 286, ticks=4)
    threshold = x(part["threshold"])
    return {
        "width": 300,
        "height": 62,
        "x": x,
        "threshold": threshold,
        "claimed": (threshold, x.end) if part["side"] == ">" else (x.start, threshold),
        "mean": None if part["mean"] is None else x(part["mean"]),
        "interval": [x(value) for value in interval],
        "datasets": [(x(value), f"{name}: {number(value)}") for name, value in datasets.items()],
        "paper": None if part["paper"] is None else x(part["paper"]),
    }
