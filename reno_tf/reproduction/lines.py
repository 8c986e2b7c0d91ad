"""The rows of an outcome, line by line, over the seeds."""

import dataclasses
import itertools
from collections.abc import Iterable

import numpy as np
from scipy import stats

from reno_tf.reporting.seeds import Summary, summarise
from reno_tf.reproduction.result_types import Outcome, OutcomeRow
from reno_tf.results import METRICS


@dataclasses.dataclass(frozen=True)
class Line:
    """One metric of one row of an outcome; rates in percent.

    cells: data set -> Summary, where there is any value; average: over the data sets, of the seeds whose value
    every data set has, or None; undefined: data set -> the seeds whose run has no value.
    """

    row: OutcomeRow
    metric: str
    cells: dict[str, Summary]
    average: Summary | None
    undefined: dict[str, list[int]]

    @property
    def key(self) -> tuple[str, str, str]:
        """A line of ours and one of the paper's with the same key are the same."""
        return self.row.group, self.row.label, self.metric

    def columns(self, datasets: Iterable[str]) -> list[Summary | None]:
        """The cells of these data sets, then the average."""
        return [*map(self.cells.get, datasets), self.average]


def lines_of(outcome: Outcome) -> list[Line]:
    """A line for each row and metric of `outcome`, in its order."""
    lines = []
    for row, metric in itertools.product(outcome.rows, outcome.metrics):
        values, undefined = {}, {}
        for data in outcome.datasets:
            of_seeds = per_seed(row, metric, data)
            values[data] = {seed: value for seed, value in of_seeds.items() if value is not None}
            undefined[data] = [seed for seed, value in of_seeds.items() if value is None]
        complete = sorted(set.intersection(*map(set, values.values())))
        average = summarise(np.mean([of_seeds[seed] for of_seeds in values.values()]) for seed in complete)
        cells = {data: summary for data in values if (summary := summarise(values[data].values()))}
        lines.append(Line(row, metric, cells, average, undefined))
    return lines


def per_seed(row: OutcomeRow, metric: str, data: str) -> dict[int, float | None]:
    """{seed: value} of a row on a data set, rates in percent; None where the value is undefined."""
    cell, scale = row.cells.get(data, {}), METRICS[metric].scale
    pairs = zip(cell["seeds"], cell[metric], strict=True) if metric in cell else ()
    return {seed: None if value is None else scale * value for seed, value in pairs}


def full_label(row: OutcomeRow) -> str:
    """A row's label, with its group's before it."""
    return f"{row.group} {row.label}".lstrip()


def distinct(outcome: Outcome, field: str) -> list[str]:
    """The different values that the rows have in a field, in their order."""
    return list(dict.fromkeys(getattr(row, field) for row in outcome.rows))


def rank_correlation(x, y) -> float:
    """Spearman's rho; nan where it is not defined, or for fewer than three points."""
    if len(x) < 3 or np.isnan([x, y]).any() or np.ptp(x) == 0 or np.ptp(y) == 0:
        return np.nan
    return float(stats.spearmanr(x, y).statistic)
