"""Outcomes as means and standard deviations over seeds: what tables and figures show."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from reno_tf.reproduction.artefacts import ASR, CLEAN, FEATURES, NOISE

# metric -> (what a table calls it, unit)
METRICS = {
    CLEAN: ("clean", "%"),
    ASR: ("ASR", "%"),
    NOISE: ("noise", "%"),
    "validation_accuracy": ("validation", "%"),
    FEATURES: ("feature distance", ""),
    "weight_distance": ("weight distance", ""),
}


@dataclasses.dataclass(frozen=True)
class Summary:
    """std: with n - 1 in the denominator; None for one seed."""

    mean: float
    std: float | None
    seeds: int


@dataclasses.dataclass(frozen=True)
class Line:
    """One metric of one row. cells: data set -> Summary; a data set without any value is not there.

    average: over the data sets, of the seeds whose value every data set has; None if there is none.
    """

    row: dict
    metric: str
    cells: dict[str, Summary]
    average: Summary | None


def lines(outcome: dict) -> list[Line]:
    """A line for each row and metric of `outcome`; rates in percent. Undefined values are left out."""
    return [_line(row, metric, outcome["datasets"]) for row in outcome["rows"] for metric in outcome["metrics"]]


def label(metric: str) -> str:
    """What a table calls a metric, with its unit; a metric that is not known by its own name."""
    name, unit = METRICS.get(metric, (metric, ""))
    return f"{name} ({unit})" if unit else name


def scale(metric: str) -> int:
    """How many of a metric's unit are 1."""
    return 100 if METRICS.get(metric, (metric, ""))[1] == "%" else 1


def summarise(values: Sequence[float]) -> Summary | None:
    """None for no value."""
    if not len(values):
        return None
    return Summary(float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None, len(values))


def per_seed(row: dict, metric: str, data: str) -> dict[int, float]:
    """{seed: value}, rates in percent; without the seeds whose value is missing or undefined."""
    cell = row["cells"].get(data, {})
    pairs = zip(cell["seeds"], cell[metric], strict=True) if metric in cell else ()
    return {seed: scale(metric) * value for seed, value in pairs if value is not None}


def undefined(outcome: dict) -> list[str]:
    """Where a run is there and its metric has no value, in words."""
    found = []
    for row in outcome["rows"]:
        for data, cell in row["cells"].items():
            for metric in outcome["metrics"]:
                seeds = [str(s) for s, value in zip(cell["seeds"], cell.get(metric, ()), strict=False) if value is None]
                if seeds:
                    found.append(f"{METRICS[metric][0]} of {name(row)} on {data}, seed {', '.join(seeds)}")
    return found


def name(row: dict) -> str:
    """A row's label, with its group's before it."""
    return f"{row['group']} {row['label']}".lstrip()


def _line(row, metric, datasets):
    values = {data: per_seed(row, metric, data) for data in datasets}
    complete = set.intersection(*(set(of_seed) for of_seed in values.values()))
    average = [np.mean([of_seed[seed] for of_seed in values.values()]) for seed in sorted(complete)]
    cells = {data: summary for data in datasets if (summary := summarise(list(values[data].values())))}
    return Line(row, metric, cells, summarise(average))
