"""What the finished runs of a sweep say: the input of `reno_tf.reproduction`'s tables, figures and claims."""

import dataclasses
import json
from pathlib import Path

from reno_tf import files, settings
from reno_tf.errors import UserError
from reno_tf.reproduction.planning import Plan

_KEPT = (
    *("clean_accuracy", "attack_success_rate", "noise_success_rate", "validation_accuracy"),
    *("feature_distance", "weight_distance", "versions"),
)


def read(workdir: Path) -> dict:
    """What is kept of a finished run's results.json. Raises UserError if it is damaged or of another version."""
    results = files.read_json(workdir / "results.json")
    if lacking := [key for key in _KEPT if key not in results]:
        raise UserError(f"{workdir / 'results.json'} lacks {', '.join(lacking)}: another version wrote it")
    return {key: results[key] for key in _KEPT}


def outcome(name: str, plan: Plan, folder: Path, *, missing: dict[str, str], chosen: dict, command: str) -> dict:
    """Of an artefact; `reno_tf.reporting.write_artefact` says what it holds.

    Args:
      missing: run -> why, of those that cannot be used. chosen: data set -> {recipe key: value}.
    """
    artefact, recipe = plan.artefacts[name], plan.recipe
    wanted = {
        (row, data): {seed: row.run(data, seed) for seed in plan.seeds(row)}
        for row in artefact.rows
        for data in recipe.data
    }
    there = {
        run: read(folder / run)
        for runs in wanted.values()
        for run in runs.values()
        if run not in missing and (folder / run / "results.json").is_file()
    }
    rows = [
        {
            **dataclasses.asdict(row),
            "cells": {
                data: _cell({s: run for s, run in wanted[row, data].items() if run in there}, there)
                for data in recipe.data
            },
        }
        for row in artefact.rows
    ]
    absent = [run for runs in wanted.values() for run in runs.values() if run not in there]
    return {
        "artefact": name,
        "title": artefact.title,
        "scale": recipe.scale,
        "command": command,
        "metrics": list(artefact.metrics),
        "datasets": list(recipe.data),
        "rows": rows,
        "missing": [{"run": run, "why": missing.get(run, "not done")} for run in absent],
        "hyper_parameters": chosen,
        "notes": list(recipe.notes),
        **_made_with(there.values()),
        **({"chosen": _feature_weights(plan, chosen)} if name == "figure4" else {}),
    }


def _cell(runs, there) -> dict:
    """`runs`: seed -> name."""
    columns = {key: [there[run][key] for run in runs.values()] for key in _KEPT if key != "versions"}
    return {"seeds": list(runs), "runs": list(runs.values()), **columns}


def _made_with(results) -> dict[str, str]:
    """Versions and machines, each kind of them once."""
    kinds = sorted({json.dumps(result["versions"], sort_keys=True) for result in results})
    texts = [", ".join(f"{name} {version}" for name, version in json.loads(kind).items() if version) for kind in kinds]
    return {"made_with": "; ".join(texts)} if texts else {}


def _feature_weights(plan, chosen) -> dict[str, float]:
    """Data set -> DELTA's lambda: chosen here, or as the config and the method have it."""
    configs = {data: plan.configure(data, values) for data, values in chosen.items()}
    return {data: settings.read(config, "delta").method.feature_weight for data, config in configs.items()}
