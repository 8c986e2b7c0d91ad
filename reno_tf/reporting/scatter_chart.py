"""Clean accuracy against attack success."""

from reno_tf.reporting.axes import Axis, axis, spaced
from reno_tf.reporting.finished_runs import RATES, Run
from reno_tf.reporting.metrics import ASR, CLEAN
from reno_tf.reporting.seeds import summarise


def scatter_chart(series: list[list[Run]]) -> dict | None:
    """A mark for each run and a larger one for each mean over seeds; None if no run has both rates.

    The means bear their names where they are few enough to be read.
    """
    marks, means = [], []
    for runs in series:
        runs = [run for run in runs if run.measured[ASR] is not None]
        marks += [{"run": run, "of": run, "rates": {key: run.measured[key] for key in RATES}} for run in runs]
        if len(runs) > 1:
            rates = {key: summarise(run.measured[key] for run in runs).mean for key in (CLEAN, ASR)}
            means.append({"run": None, "of": runs[0], "rates": rates, "seeds": len(runs)})
    if not marks:
        return None
    x = axis([100 * mark["rates"][CLEAN] for mark in marks], 44, 466)
    y = Axis(0, 100, 356, 30, (0, 20, 40, 60, 80, 100))
    return {"x": x, "y": y, "marks": marks + means, "labels": _labels(means, x, y) if len(means) <= 12 else []}


def _labels(means, x, y) -> list[dict]:
    """Names stand beside their means, towards the middle, and are moved apart."""
    labels = []
    for anchor, shift in {"start": 11, "end": -11}.items():
        places = [(x(100 * mark["rates"][CLEAN]), y(100 * mark["rates"][ASR]), mark["of"]) for mark in means]
        inside = [place for place in places if (place[0] > 255) == (anchor == "end")]
        heights = spaced([height for _, height, _ in inside], 14, low=36, high=344)
        for (left, _, run), height in zip(inside, heights, strict=True):
            labels.append({"of": run, "anchor": anchor, "x": left + shift, "y": height + 4})
    return labels
