"""Clean accuracy against attack success."""

from reno_tf.reporting.axes import Axis, axis, shape, tone
from reno_tf.reporting.rendering import percent
from reno_tf.reporting.summary import Run, Series, mean

_RATES = ("clean_accuracy", "attack_success_rate", "noise_success_rate")


def scatter(series: list[Series], *, methods: list[str], datasets: list[str]) -> dict | None:
    """Clean accuracy against attack success: a mark for each run, a larger one for the mean over seeds.

    None if no run has both. The means bear their names where they are few enough to be read.
    """
    rows = [(one, *_pairs(one)) for one in series]
    every = [pair for _, pairs, _ in rows for pair in pairs]
    if not every:
        return None
    x, y = axis([clean for clean, _, _ in every], 44, 466), Axis(0, 100, 356, 30, (0, 20, 40, 60, 80, 100))
    marks = [
        _mark(one, x(clean), y(asr), text, run=run, methods=methods, datasets=datasets)
        for one, pairs, center in rows
        for clean, asr, (run, text) in [*pairs, *center]
    ]
    marks.sort(key=lambda mark: mark["mean"])
    means = [mark for mark in marks if mark["mean"]]
    if len(means) <= 12:
        _label(means, [mark for mark in marks if not mark["mean"]], right=x.end)
    return {"width": 480, "height": 400, "x": x, "y": y, "marks": marks}


def _pairs(one: Series):
    """(clean, ASR, (run, text)) of each run that has both, in percent; and of their mean, if there are several."""
    pairs = [
        (100 * run.measured["clean_accuracy"], 100 * run.measured["attack_success_rate"], (run, _told(run)))
        for run in one.runs
        if run.measured["attack_success_rate"] is not None
    ]
    if len(pairs) < 2:
        return pairs, []
    clean, asr = mean(pair[0] for pair in pairs), mean(pair[1] for pair in pairs)
    told = f"{one.first.name} on {one.first.data}, {one.first.network}, mean of {len(pairs)} seeds"
    return pairs, [(clean, asr, (None, f"{told}: clean {clean:.1f} %, ASR {asr:.1f} %"))]


def _told(run: Run) -> str:
    clean, asr, noise = (percent(run.measured[key]) for key in _RATES)
    return f"{run.name} on {run.data}, {run.network}, seed {run.seed}: clean {clean}, ASR {asr}, noise {noise}"


def _mark(one, x, y, text, *, run, methods, datasets):
    return {
        "x": x,
        "y": y,
        "text": text,
        "run": run,
        "mean": run is None,
        "of": one.first,
        "tone": tone(methods, one.first.method),
        "shape": shape(datasets, one.first.data),
        "label": None,
    }


def _label(means, others, *, right):
    """Sets each mean's "label" to where its name fits: beside, below or above it, away from the others."""
    taken = [(0, 348, 480, 400)]  # The axis.
    taken += [_box(mark["x"], mark["y"], 14, 14) for mark in means] + [_box(m["x"], m["y"], 8, 8) for m in others]
    for mark in sorted(means, key=lambda mark: mark["y"]):
        width = 6.4 * len(mark["of"].name) + 4
        places = [
            (mark["x"] + dx * (width / 2 + 8), mark["y"] + dy)
            for dy in (0, 14, -14, 24, -24)
            for dx in ((1, -1) if dy == 0 else (0, 1, -1))
        ]
        boxes = [_box(px, py, width, 14) for px, py in places if width / 2 < px < right - width / 2 + 12]
        best = min(boxes, key=lambda box: sum(_overlap(box, other) for other in taken), default=None)
        if best:
            taken.append(best)
            mark["label"] = (round((best[0] + best[2]) / 2, 1), round((best[1] + best[3]) / 2 + 4, 1))


def _box(x, y, width, height):
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def _overlap(a, b):
    return max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))
