"""Bars of the ablations."""

import itertools
from collections.abc import Mapping

from reno_tf.reporting.axes import axis
from reno_tf.reporting.metrics import METRICS
from reno_tf.reporting.seeds import distinct, name, per_seed, summarise

_GAP = 0.8  # Between two groups, in bars.


def bar_chart(outcome: Mapping, data: str, metric: str) -> dict | None:
    """A bar (the mean) and a dot for each seed for every row of an outcome, in its groups; None if all is empty."""
    rows = outcome["rows"]
    labels, groups = distinct(outcome, "label"), distinct(outcome, "group")
    values = [[value for value in per_seed(row, metric, data).values() if value is not None] for row in rows]
    if not any(values):
        return None
    ends = [0, 100] if METRICS[metric].unit == "%" else [0]
    y = axis([*ends, *itertools.chain(*values)], 206, 16)
    step = 352 / (len(rows) + _GAP * (len(groups) - 1) + 0.4)
    bars = []
    for index, (row, heights) in enumerate(zip(rows, values, strict=True)):
        x = 44 + step * (index + 0.2 + _GAP * groups.index(row["group"]))
        bars.append(_bar(row, heights, x, 0.84 * step, y) | {"shade": labels.index(row["label"])})
    centers = []
    for group in groups:
        inside = [bar for bar in bars if bar["group"] == group]
        centers.append((round((inside[0]["x"] + inside[-1]["x"] + inside[-1]["width"]) / 2, 1), group))
    return {"width": 400, "height": 240, "y": y, "bars": bars, "groups": centers}


def _bar(row, values, x, width, y):
    found = summarise(values)
    return {
        "x": round(x, 1),
        "width": round(width, 1),
        "spots": [(round(x + width * (i + 1) / (len(values) + 1), 1), y(value)) for i, value in enumerate(values)],
        "mean": found and found.mean,
        "top": y(found.mean if found else 0),
        "n": len(values),
        "group": row["group"],
        "name": name(row),
    }
