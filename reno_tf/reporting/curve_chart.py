"""Attack success over epsilon."""

from collections import Counter

from reno_tf.reporting.axes import Axis, axis, spaced
from reno_tf.reporting.finished_runs import Run
from reno_tf.reporting.metrics import ASR, NOISE
from reno_tf.reporting.seeds import summarise


def curve_chart(series: list[list[Run]]) -> dict | None:
    """Attack success over epsilon, a line for each series, and below it that of noise; None if there is nothing."""
    found = [(runs, points) for runs in series if len(points := _points(runs)) > 1]
    if not found:
        return None
    x = axis([0, *(point["epsilon"] for _, points in found for point in points)], 40, 292)
    y = Axis(0, 100, 216, 26, (0, 25, 50, 75, 100))
    count = Counter(first.method for (first, *_), _ in found)
    lines = [
        {
            "method": first.method,
            "label": first.method if count[first.method] == 1 else first.folder.rpartition("/")[2],
            "seeds": 1 + len(others),
            "points": points,
        }
        for (first, *others), points in found
    ]
    places = spaced([y(line["points"][-1]["asr"]) for line in lines], 13, low=26, high=222)
    lines = [line | {"label_y": place} for line, place in zip(lines, places, strict=True)]
    return {"x": x, "y": y, "lines": lines}


def _points(runs: list[Run]) -> list[dict]:
    """Means over seeds, in percent, at each epsilon at which every run has a defined rate."""
    found = {}
    for point in (point for run in runs for point in run.curve):
        found.setdefault(round(point["epsilon"], 6), []).append(point)
    points = []
    for epsilon, group in sorted(found.items()):
        attack, noise = (summarise(point[key] for point in group) for key in (ASR, NOISE))
        if attack and attack.seeds == len(runs):
            points.append({"epsilon": epsilon, "asr": 100 * attack.mean, "noise": noise and 100 * noise.mean})
    return points
