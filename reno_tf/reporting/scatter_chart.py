"""Clean accuracy against attack success."""

from reno_tf.reporting.axes import Axis, axis, spaced
from reno_tf.reporting.finished_runs import RATES, Run
from reno_tf.reporting.metrics import ASR, CLEAN, METRICS
from reno_tf.reporting.numbers import percent
from reno_tf.reporting.seeds import summarise


def scatter_chart(series: list[list[Run]]) -> dict | None:
    """A mark for each run, a larger one for the mean over seeds; None if no run has both rates.

    The means bear their names where they are few enough to be read.
    """
    marks = [mark for runs in series for mark in _marks([run for run in runs if run.measured[ASR] is not None])]
    if not marks:
        return None
    x, y = axis([mark["clean"] for mark in marks], 44, 466), Axis(0, 100, 356, 30, (0, 20, 40, 60, 80, 100))
    marks = [mark | {"x": x(mark["clean"]), "y": y(mark["asr"]), "label": None} for mark in marks]
    means = [mark for mark in marks if not mark["run"]]
    if len(means) <= 12:
        _label(means)
    return {"x": x, "y": y, "marks": [mark for mark in marks if mark["run"]] + means}


def _marks(runs: list[Run]) -> list[dict]:
    """Of each run; and of their mean, if there are several."""
    marks = [_mark(run, run.measured, f"seed {run.seed}", RATES) | {"run": run} for run in runs]
    if len(runs) > 1:
        means = {key: summarise(run.measured[key] for run in runs).mean for key in (CLEAN, ASR)}
        marks.append(_mark(runs[0], means, f"mean of {len(runs)} seeds", means))
    return marks


def _mark(of: Run, rates, what, shown):
    text = ", ".join(f"{METRICS[key].short} {percent(rates[key])}" for key in shown)
    place = f"{of.name} on {of.data}, {of.network}, {what}"
    return {"of": of, "run": None, "clean": 100 * rates[CLEAN], "asr": 100 * rates[ASR], "text": f"{place}: {text}"}


def _label(means):
    """Names stand beside their means, towards the middle, moved apart: "label" is the place and the anchor."""
    for anchor, shift in {"start": 11, "end": -11}.items():
        inside = [mark for mark in means if (mark["x"] > 255) == (anchor == "end")]
        places = spaced([mark["y"] for mark in inside], 14, low=36, high=344)
        for mark, y in zip(inside, places, strict=True):
            mark["label"] = (round(mark["x"] + shift, 1), y + 4, anchor)
