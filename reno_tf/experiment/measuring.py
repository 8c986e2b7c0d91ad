"""What a trained student is worth: accuracy, attack success, distances, the curve over epsilon."""

import dataclasses
import functools
import platform
import time
from importlib import metadata

import tensorflow as tf

from reno_tf import attacks, evaluation, progress, reporting
from reno_tf.experiment import settings


@dataclasses.dataclass(frozen=True)
class Measured:
    """results: part of results.json; curve: rows over epsilon; examples: a few attacked images."""

    results: dict
    curve: list[dict]
    examples: reporting.Examples


def measure(config, student, teacher, attack, dataset, *, teacher_hash: str) -> Measured:
    """Crafts through the teacher, runs the student on clean, adversarial and noise images, and counts."""
    split = dataset.test if config.split == "test" else dataset.validation
    craft = functools.partial(
        attacks.craft_once,
        teacher=teacher_hash,
        folder=config.attack.cache,
        batch_size=config.attack.batch_size,
        progress=functools.partial(progress.bar, label="crafting", unit="batch"),
    )
    images, started = split.floats(), time.monotonic()
    adversarial, crafted = craft(attack, images), time.monotonic()
    noise = attacks.craft(attack.noise, images, batch_size=config.attack.batch_size)
    predictions = {
        name: evaluation.predict(student, x, progress=functools.partial(progress.bar, label=f"evaluating {name}"))
        for name, x in {"clean": images, "adversarial": adversarial, "noise": noise}.items()
    }
    results = {
        **evaluation.success_rates(split.labels, **predictions),
        "validation_accuracy": _accuracy(student, dataset.validation),
        "feature_distance": evaluation.feature_distance(student, teacher, dataset.train.floats()),
        "weight_distance": evaluation.weight_distance(student, teacher),
        "seconds": {"craft": round(crafted - started, 3), "evaluate": round(time.monotonic() - crafted, 3)},
    }
    return Measured(
        results,
        _epsilon_curve(config, teacher, student, split, craft, results),
        reporting.Examples.choose(split, adversarial, dataset.class_names, **predictions),
    )


def _accuracy(student, split) -> float | None:
    if not len(split):
        return None
    return float((evaluation.predict(student, split.floats()) == split.labels).mean())


def _epsilon_curve(config, teacher, student, split, craft, results) -> list[dict]:
    """Attack and noise success at multiples of the attack's epsilon, each with its interval."""
    few = split.take(range(min(config.curve.images, len(split))))
    base = config.attack.epsilon
    points = [{"epsilon": base, "num_images": len(split), **_rates(results)}]
    for factor in config.curve.factors:
        other = settings.build_attack(config, teacher, epsilon=factor * base)
        rates = evaluation.attack_success(student, other, few, craft=craft)
        points.append({"epsilon": factor * base, "num_images": len(few), **_rates(rates)})
    return sorted(points, key=lambda point: point["epsilon"])


def _rates(results):
    return {key: value for key, value in results.items() if "success_rate" in key or key == "num_attacked"}


def versions() -> dict:
    packages = ("tensorflow", "tf-keras", "tensorflow-addons", "numpy")
    installed = {name: _version(name) for name in packages}
    return {"python": platform.python_version(), **installed, "device": _device()}


def _version(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _device():
    gpus = tf.config.list_physical_devices("GPU")
    return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU") if gpus else "CPU"
