"""Shows a finished run in TensorBoard, beside its training: pictures, the command, the settings, HParams."""

import json
from pathlib import Path

import tensorflow as tf
from tensorboard.plugins.hparams import api as hp

from reno_tf.reporting.metrics import ASR, CLEAN, NOISE, WORST

_SHOWN = {"attack/examples": "examples.png", "attack/epsilon": "epsilon.png", "data/training": "data.png"}


def write_tensorboard(workdir: Path, *, results, config, figures: dict[str, bytes], command: str, step: int) -> None:
    """Adds to `workdir`/tensorboard. results, config: as results.json and config.json; figures: {name: PNG}."""
    writer = tf.summary.create_file_writer(str(workdir / "tensorboard"))
    with writer.as_default(step=step):
        for tag, name in _SHOWN.items():
            if name in figures:
                tf.summary.image(tag, tf.io.decode_png(figures[name], channels=3)[None])
        tf.summary.text("run/command", f"    {command}")
        tf.summary.text("run/settings", "".join(f"    {line}\n" for line in _lines(config)))
        hp.hparams(_hyper_parameters(results, config), trial_id=workdir.name)
        for key in (CLEAN, ASR, NOISE, WORST):
            if results.get(key) is not None:
                tf.summary.scalar(f"results/{key}", results[key])
    writer.close()


def _lines(config):
    return json.dumps(config, indent=2, sort_keys=True, ensure_ascii=False).splitlines()


def _hyper_parameters(results, config) -> dict:
    """The values that runs are compared by: the data, the networks, the method's coefficients, the training."""
    coefficients = {f"method.{key}": value for key, value in config.get("method", {}).items() if key != "name"}
    parameters = {"method": results["method"], "data": results["dataset"]["name"], "seed": results["seed"]}
    parameters |= coefficients
    for section, keys in {
        "networks": ("backbone", "student"),
        "training": ("dropout", "precision", "batch_size"),
    }.items():
        parameters |= {key: config[section][key] for key in keys if section in config}
    parameters |= config.get("schedule", {})
    kinds = (bool, int, float, str)  # HParams takes no others.
    return {key: value if isinstance(value, kinds) else str(value) for key, value in parameters.items()}
