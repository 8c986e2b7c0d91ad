"""What bfloat16 changes about the attack's success: finished runs, which crafted in it, attacked once more in float32.

    python benchmarks/precision.py --runs runs/reproduce-embedded

The float32 sets are crafted once for each data set and budget, with the runs' own parameters, and each run's exported
model is asked about them.
"""

import argparse
import json
from pathlib import Path

import interleave
import numpy as np

import reno_tf
from reno_tf import files

_METHODS = ("linear", "finetune", "l2sp", "delta", "retraining", "delta_r", "renofeation")


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
            print(f"{row['run']}: {row['bfloat16']:.2f} % in bfloat16, {row['float32']:.2f} % in float32", flush=True)
    by_data = {}
    for row in rows:
        by_data.setdefault(row["data"], []).append(row["bfloat16"] - row["float32"])
    by_data["all"] = [row["bfloat16"] - row["float32"] for row in rows]
    told = {data: _facts(gaps) for data, gaps in by_data.items()}
    print("\n| data | students | bfloat16 - float32, mean (points) | largest |\n|---|---|---|---|")
    for data, facts in told.items():
        print(f"| {data} | {facts['students']} | {facts['mean']:.2f} | {facts['largest']:.2f} |")
    files.write_json(Path(options.output), {"machine": interleave.machine(), "gaps": told, "runs": rows})


def _row(workdir, sets):
    """ASR of one run in both precisions, in percent; None if the run is of another kind."""
    results, config = (json.loads((workdir / name).read_text()) for name in ("results.json", "config.json"))
    attack, data = results["attack"], results["dataset"]["name"]
    plain = results["method"] in _METHODS and results["split"] == "test" and attack.get("precision") == "bfloat16"
    if not plain or config["model"]["backbone"] != "resnet18_cifar":
        return None
    key = data, json.dumps(attack, sort_keys=True)
    if key not in sets:
        sets[key] = _craft(data, attack, config)
    adversarial, test = sets[key]
    (export,) = workdir.glob("export/*/1")
    serve = _open(export)
    clean, attacked = (_predict(serve, images) for images in (test.floats(), adversarial))
    right = clean == test.labels
    return {
        "run": workdir.name,
        "data": data,
        "bfloat16": 100 * results["attack_success_rate"],
        "float32": 100 * float(np.mean(attacked[right] != test.labels[right])),
    }


def _craft(data, attack, config):
    test = reno_tf.data.load(data).test
    teacher = reno_tf.models.build("resnet18_cifar", weights=config["model"]["weights"])
    parameters = {key: attack[key] for key in ("epsilon", "step_size", "steps", "seed")}
    exact = reno_tf.attacks.penultimate_pgd(teacher, precision="float32", **parameters)
    return reno_tf.attacks.craft(exact, test.floats()), test


def _open(path):
    import tensorflow as tf

    model = tf.saved_model.load(str(path))
    return lambda images: model.signatures["serving_default"](images=tf.constant(images))["logits"].numpy()


def _predict(serve, images):
    return np.concatenate([serve(images[first : first + 100]).argmax(1) for first in range(0, len(images), 100)])


def _facts(gaps):
    return {"students": len(gaps), "mean": float(np.mean(gaps)), "largest": float(np.max(np.abs(gaps)))}


if __name__ == "__main__":
    main()
