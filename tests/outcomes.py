"""Made-up outcomes of artefacts."""


def row(method, cells, *, label="", group="", variant="", network="resnet18"):
    """cells: {data set: {metric: values of seeds 0, 1, …}}, or with "seeds" those."""
    full = {}
    for data, values in cells.items():
        seeds = values.get("seeds", list(range(len(next(iter(values.values()))))))
        full[data] = {"seeds": seeds, "runs": [f"{method}{variant}-{data}-{seed}" for seed in seeds], **values}
    names = {"label": label or method, "group": group, "method": method, "network": network, "variant": variant}
    return {**names, "cells": full}


def outcome(artefact, rows, *, datasets=("a", "b"), metrics=("clean_accuracy", "attack_success_rate"), **more):
    return {
        "artefact": artefact,
        "title": "A title",
        "scale": "embedded",
        "command": "python main.py --mode=reproduce",
        "metrics": list(metrics),
        "datasets": list(datasets),
        "rows": rows,
        "missing": [],
        **more,
    }


def figure3(**changes):
    """Of two seeds on one data set; with the second, no image was right."""
    cell = {"clean_accuracy": [0.8, 0.9], "attack_success_rate": [0.5, None]}
    rows = [row("delta", {"greek": cell}, label="DO", group="DELTA")]
    return outcome("figure3", rows, datasets=["greek"], notes=["NOTE"], title="T") | changes


CLAIM = {  # as claims.json has it
    "scale": "embedded",
    "number": 3,
    "statement": "Near in accuracy.",
    "rule": "gap > -3 points",
    "verdict": "not held",
    "reason": "the interval lies on the other side",
    "fails_on": [],
    "parts": [
        {
            "statistic": "gap",
            "side": ">",
            "threshold": -3,
            "unit": "points",
            "mean": -5.04,
            "interval": [-6.5, -3.6],
            "n_seeds": 5,
            "verdict": "not held",
            "per_dataset": {"greek": {"mean": -1.5, "claimed_side": True}},
            "paper": {"mean": -1.3},
        }
    ],
}
