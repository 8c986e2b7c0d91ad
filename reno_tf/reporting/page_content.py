"""Artefacts and claims as the results page shows them. A file of another version raises KeyError or the like."""

import itertools
from collections.abc import Mapping

from reno_tf.reporting import seeds
from reno_tf.reporting.axes import axis
from reno_tf.reporting.metrics import ASR, CLEAN, METRICS
from reno_tf.reporting.table_formats import facts

_DRAWN = ("figure3", "table7")  # The ablations have bars.
_CLAIM = ("scale", "number", "statement", "rule", "verdict", "reason", "fails_on")
_PART = ("statistic", "side", "threshold", "unit", "mean", "interval", "n_seeds", "verdict")


def outcome(content: dict, paper: dict | None = None) -> dict:
    """An artefact's outcome (results/<artefact>.json). paper: what the paper prints of it, as an outcome."""
    pairs = itertools.product(content["datasets"], (CLEAN, ASR)) if content["artefact"] in _DRAWN else ()
    bars = [(data, metric, bar_chart(content, data, metric)) for data, metric in pairs]
    shown = {"bars": [bar for bar in bars if bar[-1]], "labels": seeds.distinct(content, "label")}
    return facts(content, paper) | {key: str(content[key]) for key in ("artefact", "scale", "command")} | shown


def bar_chart(outcome: Mapping, data: str, metric: str) -> dict | None:
    """A bar (the mean) and the values of the seeds for each row of an outcome; None if no row has a value."""
    bars = []
    for row in outcome["rows"]:
        values = [value for value in seeds.per_seed(row, metric, data).values() if value is not None]
        names = {"name": seeds.full_label(row), "label": row["label"], "group": row["group"]}
        found = seeds.summarise(values)
        bars.append(names | {"seeds": values, "mean": found and found.mean})
    every = [value for bar in bars for value in bar["seeds"]]
    ends = [0, 100] if METRICS[metric].unit == "%" else [0]
    return {"bars": bars, "y": axis([*ends, *every], 206, 16)} if every else None


def claim(content: Mapping) -> dict:
    """A judged claim (of claims.json)."""
    parts = [_part(part) for part in content["parts"]]
    return {key: content[key] for key in _CLAIM} | {"scale": str(content["scale"]), "parts": parts}


def _part(part):
    """A part of a claim, with the axis of its chart; the axis is None if nothing stands beside the threshold."""
    sides = {data: {key: row[key] for key in ("mean", "claimed_side")} for data, row in part["per_dataset"].items()}
    shown = {key: part[key] for key in _PART} | {"per_dataset": sides, "paper": (part["paper"] or {}).get("mean")}
    means = (shown["mean"], shown["paper"], *(row["mean"] for row in sides.values()))
    values = [value for value in (*means, *(part["interval"] or ())) if value is not None]
    return shown | {"x": axis([0, part["threshold"], *values], 14, 286, ticks=4) if values else None}
