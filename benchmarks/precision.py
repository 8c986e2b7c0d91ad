"""What bfloat16 changes about the attack's success: finished runs, which crafted in it, attacked once more in float32.

    python benchmarks/precision.py --runs runs/reproduce-embedded

The float32 sets are crafted once for each data set and budget, with the runs' own parameters, and each run's exported
model is asked about them. Beside the gap stands what another random start of the attack changes, all else equal.
"""

import argparse
import json
from pathlib import Path

import interleave
import numpy as np

import reno_tf
from reno_tf import files

_METHODS = ("linear", "finetune", "l2sp", "delta", "retraining", "delta_r", "renofeation")
_SEEDS = {"float32": 0, "another start": 1}  # added to the run's seed of the attack
_COMPARED = ("bfloat16", "another start")  # with float32


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", required=True, help="folder of finished runs")
    parser.add_argument("--output", default="results/benchmarks/precision.json")
    options = parser.parse_args()
    sets, rows = {}, []
    for path in sorted(Path(options.runs).glob("*/results.json")):
        row = _row(path.parent, sets)
        if row:
            rows.append(row)
            print(", ".join(f"{key} {row[key]:.2f} %" for key in ("bfloat16", *_SEEDS)), row["run"], flush=True)
    names = sorted({row["data"] for row in rows})
    groups = {name: [row for row in rows if row["data"] == name] for name in names} | {"all": rows}
    told = {name: _gaps(group) for name, group in groups.items()}
    print("\n| data | students | bfloat16: mean, largest gap | another start: mean, largest gap |\n|---|---|---|---|")
    for name, gaps in told.items():
        cells = (f"{gaps[key]['mean']:.2f}, {gaps[key]['largest']:.2f}" for key in _COMPARED)
        print(f"| {name} | {len(groups[name])} | {' | '.join(cells)} |")
    files.write_json(Path(options.output), {"machine": interleave.machine(), "gaps": told, "runs": rows})


def _row(workdir, sets):
    """ASR of one run in percent, by precision and start; None if the run is of another kind."""
    results, config = (json.loads((workdir / name).read_text()) for name in ("results.json", "config.json"))
    attack, data = results["attack"], results["dataset"]["name"]
    plain = results["method"] in _METHODS and results["split"] == "test" and attack.get("precision") == "bfloat16"
    if not plain or config["networks"]["backbone"] != "resnet18_cifar":
        return None
    key = data, json.dumps(attack, sort_keys=True)
    if key not in sets:
        sets[key] = _craft(data, attack, config)
    test, adversarial = sets[key]
    (export,) = workdir.glob("export/*/1")
    serve = _open(export)
    right = _predict(serve, test.floats()) == test.labels
    return {
        "run": workdir.name,
        "data": data,
        "bfloat16": 100 * results["attack_success_rate"],
        **{
            name: 100 * float(np.mean(_predict(serve, x)[right] != test.labels[right]))
            for name, x in adversarial.items()
        },
    }


def _craft(data, attack, config):
    test = reno_tf.data.load(data).test
    teacher = reno_tf.models.build("resnet18_cifar", weights=config["networks"]["weights"])
    parameters = {key: attack[key] for key in ("epsilon", "step_size", "steps")}
    adversarial = {}
    for name, offset in _SEEDS.items():
        exact = reno_tf.attacks.penultimate_pgd(
            teacher, precision="float32", seed=attack["seed"] + offset, **parameters
        )
        adversarial[name] = reno_tf.attacks.craft(exact, test.floats())
    return test, adversarial


def _open(path):
    import tensorflow as tf

    model = tf.saved_model.load(str(path))
    return lambda images: model.signatures["floats"](images=tf.constant(images))["logits"].numpy()


def _predict(serve, images):
    return np.concatenate([serve(images[first : first + 100]).argmax(1) for first in range(0, len(images), 100)])


def _gaps(rows):
    """{"bfloat16" or "another start": its ASR less float32's over the students, in points}."""
    told = {}
    for name in _COMPARED:
        gaps = [row[name] - row["float32"] for row in rows]
        told[name] = {
            "mean": float(np.mean(gaps)),
            "deviation": float(np.std(gaps)),
            "largest": float(np.max(np.abs(gaps))),
        }
    return told


if __name__ == "__main__":
    main()
