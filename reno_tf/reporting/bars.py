"""Bars of the ablations, and the line on which a claim's statistic lies."""

from collections.abc import Mapping

from reno_tf.reporting.axes import axis
from reno_tf.reporting.summary import mean
from reno_tf.reporting.tables import number
from reno_tf.reproduction.summary import scale


def bars(outcome: Mapping, data: str, metric: str) -> dict | None:
    """A bar (the mean) and a dot for each seed for every row of an outcome, in its groups; None if all is empty."""
    unit = scale(metric)
    labels = list(dict.fromkeys(row["label"] for row in outcome["rows"]))
    values = [
        [unit * value for value in row.get("cells", {}).get(data, {}).get(metric, []) if value is not None]
        for row in outcome["rows"]
    ]
    if not any(values):
        return None
    y = axis([0, *(value for row in values for value in row), *([100] if unit == 100 else [])], 206, 16)
    groups = list(dict.fromkeys(row.get("group", "") for row in outcome["rows"]))
    step = 352 / (len(values) + 0.8 * (len(groups) - 1) + 0.4)
    placed = {group: [] for group in groups}
    for index, (row, heights) in enumerate(zip(outcome["rows"], values, strict=True)):
        group = row.get("group", "")
        x = 44 + step * (index + 0.2 + 0.8 * groups.index(group))
        placed[group].append(_bar(row, heights, x, step, y, labels.index(row["label"])))
    centers = [(round((b[0]["x"] + b[-1]["x"] + b[-1]["width"]) / 2, 1), group) for group, b in placed.items()]
    return {"width": 400, "height": 240, "y": y, "bars": sum(placed.values(), []), "groups": centers}


def _bar(row, values, x, step, y, shade):
    width = 0.84 * step
    spots = [(round(x + width * (i + 1) / (len(values) + 1), 1), y(value)) for i, value in enumerate(values)]
    center = mean(values)
    return {
        "x": round(x, 1),
        "width": round(width, 1),
        "shade": shade,
        "spots": spots,
        "mean": center,
        "top": y(center or 0),
        "n": len(values),
        "name": " ".join(part for part in (row.get("group"), row["label"]) if part),
    }


def strip(part: Mapping) -> dict | None:
    """A claim's statistic on a line: mean, interval, threshold, data sets, the paper's.

    None where there is no threshold or nothing beside it.
    """
    threshold, center, interval, paper = (part[key] for key in ("threshold", "mean", "interval", "paper"))
    datasets = {name: row["mean"] for name, row in part["per_dataset"].items() if row["mean"] is not None}
    values = [value for value in (center, *(interval or []), *datasets.values(), paper) if value is not None]
    if threshold is None or not values:
        return None
    x = axis([0, threshold, *values], 14, 286, ticks=4)
    return {
        "width": 300,
        "height": 62,
        "x": x,
        "threshold": x(threshold),
        "claimed": {">": (x(threshold), x.end), "<": (x.start, x(threshold))}.get(part["side"]),
        "mean": None if center is None else x(center),
        "interval": [x(value) for value in interval] if interval else None,
        "datasets": [(x(value), f"{name}: {number(value)}") for name, value in datasets.items()],
        "paper": None if paper is None else x(paper),
    }
