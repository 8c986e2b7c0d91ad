"""What a trained student is worth: accuracy, attack success, distances, the curve over epsilon."""

import dataclasses
import functools
import platform
import time
from importlib import metadata

import numpy as np
import tf_keras

from reno_tf import attacks, hardware, progress, reporting
from reno_tf.evaluation import attacking, checks, controls
from reno_tf.evaluation import rates as evaluation


@dataclasses.dataclass(frozen=True)
class Measured:
    """results: part of results.json; curve: rows over epsilon; convergence: the objective over the
    steps; examples: a few attacked images."""

    results: dict
    curve: list[dict]
    convergence: list[float]
    examples: reporting.Examples


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of one attack: the adversarial set, and the student's predictions on it, int64 [N]."""

    entry: attacking.Entry
    adversarial: np.ndarray
    predicted: np.ndarray
    seconds: float


def measure(config, known: attacking.Known, dataset, *, undefended: bool | None) -> Measured:
    """Crafts every attack, runs the student on clean, adversarial and noise images, and counts.

    Of several attacks the headline is the worst case for each image; examples and controls are of the first.
    `undefended`: whether the student keeps the teacher's weights and sees no adversarial image; None: unknown.
    """
    started, split = time.monotonic(), attacked_split(config, dataset)
    student, teacher = known.models["student"][0], known.models["teacher"][0]
    evaluation.check_student(student, split.labels, dataset.class_names)
    craft = functools.partial(controls.craft, config, content=split.digest())
    outcomes = [_attack(student, entry, craft, known.images) for entry in attacking.entries(config, known)]
    main, crafting = outcomes[0], sum(outcome.seconds for outcome in outcomes)
    counted = [outcome for outcome in outcomes if not outcome.entry.outside] or outcomes  # An only one counts.
    clean = _predict(student, known.images, "clean")
    noise = _predict(student, attacks.Noisy(main.entry.attack, known.images), "noise")
    count = functools.partial(_count, split.labels, clean, noise)
    results = {
        **count(counted),
        "validation_accuracy": _accuracy(student, dataset.validation),
        **_distances(student, teacher, dataset),
        "attack": {
            "preset": config.attack.preset,
            "source": main.entry.source,
            "outside": main.entry.outside,
            **main.entry.attack.parameters,
        },
        "suite": _suite(outcomes, count),
        "seconds": {"craft": round(crafting, 3), "evaluate": round(time.monotonic() - started - crafting, 3)},
    }
    curve = controls.epsilon_curve(config, known, split, count([main]))
    convergence = controls.convergence(config, main.entry, known.images)
    results["checks"] = checks.check(
        results=count([main]),
        curve=curve,
        convergence=convergence,
        num_classes=len(dataset.class_names),
        undefended=undefended,
    )
    shown = {"clean": clean, "adversarial": main.predicted, "noise": noise}
    examples = reporting.Examples.choose(split, main.adversarial, dataset.class_names, **shown)
    return Measured(results, curve, convergence, examples)


def attacked_split(config, dataset):
    return dataset.test if config.split == "test" else dataset.validation


def _attack(student, entry, craft, images) -> Outcome:
    started = time.monotonic()
    adversarial = craft(entry, images)
    seconds = time.monotonic() - started
    return Outcome(entry, adversarial, _predict(student, adversarial, entry.name), seconds)


def _count(labels, clean, noise, outcomes) -> dict:
    worst = evaluation.worst_case(labels, [outcome.predicted for outcome in outcomes])
    return evaluation.success_rates(labels, clean, worst, noise)


def _suite(outcomes, count) -> list[dict]:
    """A row per attack, and one for the worst case of those that share a name of the registry."""
    if len(outcomes) == 1:
        return []
    rows = []
    for name in dict.fromkeys(outcome.entry.group for outcome in outcomes):
        group = [outcome for outcome in outcomes if outcome.entry.group == name]
        rows += [_row(outcome.entry.name, [outcome], count) for outcome in group]
        if len(group) > 1:
            rows.append(_row(f"{name}, worst case of {len(group)}", group, count))
    return rows


def _row(name, outcomes, count):
    rates = count(outcomes)
    return {
        "name": name,
        "outside": outcomes[0].entry.outside,
        "attack": outcomes[0].entry.attack.parameters if len(outcomes) == 1 else None,
        **{key: rates[key] for key in ("attack_success_rate", "attack_success_rate_ci95")},
    }


def _distances(student, teacher, dataset) -> dict:
    if not isinstance(student, tf_keras.Model):  # An audited model is known by its answers alone.
        return {"feature_distance": None, "weight_distance": None}
    return {
        "feature_distance": evaluation.feature_distance(student, teacher, dataset.train.floats()),
        "weight_distance": evaluation.weight_distance(student, teacher),
    }


def _predict(student, images, label):
    return evaluation.predict(student, images, progress=functools.partial(progress.bar, label=f"evaluating {label}"))


def _accuracy(student, split) -> float | None:
    if not len(split):
        return None
    return float((evaluation.predict(student, split.floats()) == split.labels).mean())


def versions() -> dict:
    packages = ("tensorflow", "tf-keras", "tensorflow-addons", "numpy")
    installed = {name: _version(name) for name in packages}
    return {"python": platform.python_version(), **installed, "device": hardware.name()}


def _version(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
