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
