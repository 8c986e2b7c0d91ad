"""Runs that differ in nothing but the seed, taken together; and the tables made of such means."""

import dataclasses
import statistics
from collections.abc import Iterable, Mapping

# key in results.json -> (what a reader calls it, how many of its unit are 1)
METRICS = {
    "clean_accuracy": ("clean (%)", 100),
    "attack_success_rate": ("ASR (%)", 100),
    "noise_success_rate": ("noise (%)", 100),
    "feature_distance": ("feature distance", 1),
    "weight_distance": ("weight distance", 1),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """A finished run.

    folder: relative to the page. variant: what its name says beside the method; attack: preset and budget.
    data: the data set, with the split where that is not the test. settings: equal where only the seed differs.
    results: content of results.json; curve: of curve.json. report: whether there is a report.html.
    """

    folder: str
    method: str
    variant: str
    network: str
    data: str
    seed: int
    attack: str
    settings: str
    results: Mapping
    curve: list
    report: bool

    @property
    def name(self) -> str:
        return self.method + self.variant


@dataclasses.dataclass(frozen=True)
class Series:
    """Runs of one setting, one for each seed."""

    runs: tuple[Run, ...]

    @property
    def first(self) -> Run:
        return self.runs[0]

    def mean(self, key: str) -> float | None:
        return mean(run.results[key] for run in self.runs)


def series(runs: Iterable[Run]) -> list[Series]:
    """In the order of the runs; of two runs with the same setting and seed the first."""
    groups = {}
    for run in runs:
        groups.setdefault((run.data, run.network, run.name, run.settings), {}).setdefault(run.seed, run)
    return [Series(tuple(group[seed] for seed in sorted(group))) for group in groups.values()]


def mean(values: Iterable[float | None]) -> float | None:
    """Of those that are defined; None if none is."""
    defined = [value for value in values if value is not None]
    return statistics.fmean(defined) if defined else None


def exemplary(runs: Iterable[Run], *, limit: int = 10) -> list[Run]:
    """The plain run of the lowest seed of each method, on the data set and network that most methods share."""
    places = {}
    for run in runs:
        if not run.variant:
            place = places.setdefault((run.data, run.network), {})
            place[run.method] = min(place.get(run.method, run), run, key=lambda candidate: candidate.seed)
    return list(max(places.values(), key=len, default={}).values())[:limit]


def table(outcome: Mapping) -> dict:
    """An artefact's outcome as text.

    Returns:
      {"datasets", "metrics": labels, "groups": [{"name", "rows": [{"label", "n", "cells", "paper"}]}]};
      cells: mean ± standard deviation for each data set and metric; paper: what the paper has there,
      None if it has nothing at all.
    """
    datasets, metrics = outcome.get("datasets", []), outcome.get("metrics", list(METRICS)[:2])
    groups = {}
    for row in outcome.get("rows", []):
        groups.setdefault(row.get("group", ""), []).append(_row(row, datasets, metrics))
    return {
        "datasets": datasets,
        "metrics": [METRICS.get(metric, (metric, 1))[0] for metric in metrics],
        "groups": [{"name": name, "rows": rows} for name, rows in groups.items()],
    }


def _row(row, datasets, metrics):
    cells = [row.get("cells", {}).get(data, {}) for data in datasets]
    counts = sorted({len(cell.get("seeds", [])) for cell in cells})
    paper = [row.get("paper", {}).get(data, {}).get(metric) for data in datasets for metric in metrics]
    units = [METRICS.get(metric, (metric, 1))[1] for _ in datasets for metric in metrics]
    return {
        "label": row.get("label", row.get("method", "")),
        "n": "–".join(str(count) for count in dict.fromkeys((*counts[:1], *counts[-1:]))),
        "cells": [spread(cell.get(metric, []), metric) for cell in cells for metric in metrics],
        "paper": [_number(v, unit) for v, unit in zip(paper, units, strict=True)] if any(paper) else None,
    }


def spread(values: list[float | None], metric: str) -> str:
    """Mean ± standard deviation over seeds, and how many are undefined if some are: "86.5 ± 2.1"."""
    unit = METRICS.get(metric, (metric, 1))[1]
    defined = [value for value in values if value is not None]
    if not defined:
        return "undefined" if values else "–"
    text = _number(statistics.fmean(defined), unit)
    if len(defined) > 1:
        text += f" ± {_number(statistics.stdev(defined), unit)}"
    return text + (f" ({len(values) - len(defined)} undefined)" if len(defined) < len(values) else "")


def _number(value, unit):
    if value is None:
        return "–"
    return f"{unit * value:.1f}" if unit == 100 else f"{value:.3g}"
