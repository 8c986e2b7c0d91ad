"""Attack success over epsilon."""

from collections import Counter

from reno_tf.reporting.axes import Axis, axis, tone
from reno_tf.reporting.summary import Series, mean


def curves(series: list[Series], *, methods: list[str]) -> dict | None:
    """Attack success over epsilon, a line for each series, and below it that of noise; None if there is nothing."""
    named = [(one, _points(one)) for one in series]
    named = [(one, points) for one, points in named if len(points) > 1]
    if not named:
        return None
    x = axis([0, *(point["epsilon"] for _, points in named for point in points)], 40, 292)
    y = Axis(0, 100, 216, 26, (0, 25, 50, 75, 100))
    repeated = [method for method, count in Counter(one.first.method for one, _ in named).items() if count > 1]
    lines = [
        {
            "tone": tone(methods, one.first.method),
            "label": one.first.folder.rpartition("/")[2] if one.first.method in repeated else one.first.method,
            "seeds": len(one.runs),
            "marks": [(x(p["epsilon"]), y(p["asr"]), p) for p in points],
            "noise": [(x(p["epsilon"]), y(p["noise"])) for p in points if p["noise"] is not None],
        }
        for one, points in named
    ]
    for line, at in zip(lines, spaced([line["marks"][-1][1] for line in lines], 13, low=26, high=222), strict=True):
        line["label_y"] = at
    return {"width": 400, "height": 262, "x": x, "y": y, "lines": lines}


def _points(one: Series) -> list[dict]:
    """Means over seeds, in percent, at each epsilon at which every run has a defined rate."""
    found = {}
    for run in one.runs:
        for point in run.curve:
            found.setdefault(round(point["epsilon"], 6), []).append(point)
    return [
        {"epsilon": epsilon, "asr": mean(attack), "noise": mean(noise)}
        for epsilon, points in sorted(found.items())
        for attack, noise in [[_percents(points, key) for key in ("attack_success_rate", "noise_success_rate")]]
        if len(attack) == len(one.runs)
    ]


def _percents(points, key):
    return [100 * point[key] for point in points if point[key] is not None]


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
