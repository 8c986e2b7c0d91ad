"""The charts of the results page, from values to pixels; templates/charts.j2 draws them."""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping

from matplotlib.ticker import MaxNLocator

from reno_tf.reporting import seeds
from reno_tf.reporting.finished_runs import RATES, Run
from reno_tf.reporting.metrics import ASR, CLEAN, CORE, NOISE, WORST

_NOTHING, _AROUND = 1e-6, 0.02  # fractions of a value: no difference, and what an axis shows around a single one


@dataclasses.dataclass(frozen=True)
class Axis:
    """Values from `low` to `high` on pixels from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[float, ...]

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)


def axis(values: Iterable[float], start: float, end: float, *, ticks: int = 5) -> Axis:
    """An axis over all values whose ends are round numbers."""
    values = list(values)
    low, high = min(values), max(values)
    if high - low < _NOTHING * max(abs(low), abs(high), 1):  # All are the same: not an axis of the last digits.
        around = max(_AROUND * abs(low), _AROUND)
        low, high = low - around, high + around
    places = [float(tick) for tick in MaxNLocator(ticks).tick_values(low, high)]
    return Axis(places[0], places[-1], start, end, tuple(places))


def spaced(places: list[float], gap: float, *, low: float, high: float) -> list[float]:
    """The places moved apart to at least `gap`, in their order, within [low, high] if they fit."""
    order = sorted(range(len(places)), key=places.__getitem__)
    moved, least = {}, low
    for index in order:
        moved[index] = max(places[index], least)
        least = moved[index] + gap
    most = max(high, low + gap * (len(places) - 1))
    for index in reversed(order):
        moved[index] = min(moved[index], most)
        most = moved[index] - gap
    return [round(moved[index], 1) for index in range(len(places))]


def scatter_chart(series: list[list[Run]]) -> dict | None:
    """Clean accuracy against the worst case, and the ASR beside it: a mark for each run, a larger one for each mean
    over seeds; None if no run has either."""
    marks, means = [], []
    for runs in series:
        runs = [run for run in runs if _heights(run.measured)]
        marks += [{"run": run, "of": run, "rates": means_of([run])} for run in runs]
        if len(runs) > 1 and _heights(rates := means_of(runs)):
            means.append({"run": None, "of": runs[0], "rates": rates, "seeds": len(runs)})
    if not marks:
        return None
    x = axis([100 * mark["rates"][CLEAN] for mark in marks], 44, 466)
    y = Axis(0, 100, 356, 30, (0, 20, 40, 60, 80, 100))
    # Names stand beside their means, towards the middle, moved apart, and only if they are few enough to be read.
    named, labels = means if len(means) <= 12 else [], []
    places = [(x(100 * mark["rates"][CLEAN]), y(100 * _heights(mark["rates"])[0]), mark["of"]) for mark in named]
    for anchor, shift in {"start": 11, "end": -11}.items():
        inside = [place for place in places if (place[0] > 255) == (anchor == "end")]
        heights = spaced([height for _, height, _ in inside], 14, low=36, high=344)
        for (left, _, run), height in zip(inside, heights, strict=True):
            labels.append({"of": run, "anchor": anchor, "x": left + shift, "y": height + 4})
    shown = [key for key in (WORST, ASR) if any(key in mark["rates"] for mark in marks)]
    return {"x": x, "y": y, "marks": marks + means, "labels": labels, "shown": shown}


def means_of(runs: list[Run]) -> dict[str, float]:
    """The means of the rates that every one of the runs has."""
    rates = {key: [run.measured[key] for run in runs] for key in RATES}
    return {key: seeds.summarise(values).mean for key, values in rates.items() if None not in values}


def _heights(rates) -> list[float]:
    """Where a mark may stand: the worst case, else the ASR."""
    return [rates[key] for key in (WORST, ASR) if rates.get(key) is not None]


def curve_chart(series: list[list[Run]]) -> dict | None:
    """Attack success over epsilon, a line for each series, below it that of noise, above it that of the core's worst
    case and a mark for the worst case of all; None if there is nothing."""
    drawn = [(runs, points) for runs in series if len(points := _points(runs)) > 1]
    if not drawn:
        return None
    worst = [_worst(runs) for runs, _ in drawn]
    epsilons = [point["epsilon"] for _, points in drawn for point in points]
    x = axis([0, *epsilons, *(one["epsilon"] for one in worst if one)], 40, 292)
    y = Axis(0, 100, 216, 26, (0, 25, 50, 75, 100))
    places = spaced([y(points[-1]["asr"]) for _, points in drawn], 13, low=26, high=222)
    count, lines = Counter(runs[0].method for runs, _ in drawn), []
    for (runs, points), place, highest in zip(drawn, places, worst, strict=True):
        method, folder = runs[0].method, runs[0].folder
        label = method if count[method] == 1 else folder.rpartition("/")[2]
        line = {"method": method, "label": label, "seeds": len(runs), "points": points, "label_y": place}
        lines.append(line | {"worst": highest, "core": _core(runs)})
    return {"x": x, "y": y, "lines": lines}


def _points(runs) -> list[dict]:
    """Means over seeds, in percent, at each epsilon at which every run has a defined rate."""
    points = []
    for epsilon, group in _by_epsilon(runs):
        attack, noise = (seeds.summarise(point[key] for point in group) for key in (ASR, NOISE))
        if attack and attack.seeds == len(runs):
            points.append({"epsilon": epsilon, "asr": 100 * attack.mean, "noise": noise and 100 * noise.mean})
    return points


def _core(runs) -> list[dict]:
    """The means of the core's worst case, likewise; none if there is no line to draw."""
    points = []
    for epsilon, group in _by_epsilon(runs):
        rate = seeds.summarise(point.get(CORE) for point in group)
        if rate and rate.seeds == len(runs):
            points.append({"epsilon": epsilon, "rate": 100 * rate.mean})
    return points if len(points) > 1 else []


def _by_epsilon(runs) -> list[tuple[float, list[Mapping]]]:
    """The points of all runs' curves by their epsilon, the smallest first."""
    by_epsilon: dict[float, list[Mapping]] = {}
    for point in (point for run in runs for point in run.curve):
        by_epsilon.setdefault(round(point["epsilon"], 6), []).append(point)
    return sorted(by_epsilon.items())


def _worst(runs) -> dict | None:
    """The mean of the worst case over the seeds, in percent, at the runs' epsilon; None if a run has none."""
    rate = means_of(runs).get(WORST)
    return None if rate is None else {"epsilon": runs[0].epsilon, "rate": 100 * rate}
