"""What the finished runs of a sweep say: the input of `reno_tf.reporting`'s tables and figures, and of the claims."""

import dataclasses
import itertools
import json
from pathlib import Path

from reno_tf import files, settings
from reno_tf.errors import UserError
from reno_tf.reporting.metrics import ASR, CLEAN, FEATURES, NOISE, VALIDATION, WEIGHTS, WORST
from reno_tf.reproduction.planning import Plan

_MEASURED = (CLEAN, ASR, NOISE, WORST, VALIDATION, FEATURES, WEIGHTS)


def read(workdir: Path) -> dict:
    """What is kept of a finished run's results.json. Raises UserError if it is damaged or of another version."""
    results, kept = files.read_json(workdir / "results.json"), (*_MEASURED, "versions")
    if lacking := [key for key in kept if key not in results]:
        raise UserError(f"{workdir / 'results.json'} lacks {', '.join(lacking)}: another version wrote it")
    return {key: results[key] for key in kept}


def outcome(name: str, plan: Plan, folder: Path, *, missing: dict[str, str], chosen: dict, command: str) -> dict:
    """As `reporting.write_artefact` takes it. missing: run -> why, chosen: data set -> {recipe key: value}."""
    artefact, recipe, absent, versions = plan.artefacts[name], plan.recipe, [], set()
    rows = [dataclasses.asdict(row) | {"cells": {}} for row in artefact.rows]
    for (place, row), data in itertools.product(enumerate(artefact.rows), recipe.data):
        names = {seed: row.run(data, seed) for seed in plan.seeds(row)}
        done = {seed: run for seed, run in names.items() if (folder / run / "results.json").is_file()}
        there = {seed: read(folder / run) for seed, run in done.items() if run not in missing}
        absent += [run for seed, run in names.items() if seed not in there]
        versions |= {json.dumps(results["versions"], sort_keys=True) for results in there.values()}
        columns = {key: [results[key] for results in there.values()] for key in _MEASURED}
        rows[place]["cells"][data] = {"seeds": list(there), "runs": [names[seed] for seed in there], **columns}
    made = {
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
    }
    if versions:
        machines = [json.loads(machine).items() for machine in sorted(versions)]
        made["made_with"] = "; ".join(", ".join(f"{key} {value}" for key, value in one if value) for one in machines)
    if name == "figure4":  # DELTA's lambda: chosen here, or as the config and the method have it.
        configs = {data: plan.configure(data, values) for data, values in chosen.items()}
        made["chosen"] = {data: settings.read(one, "delta").method.feature_weight for data, one in configs.items()}
    return made
