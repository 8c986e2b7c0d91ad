"""What a student is worth: accuracy, attack success, distances, the curve over epsilon."""

import dataclasses
import functools
import time

import numpy as np
import tf_keras

from reno_tf import attacks
from reno_tf.evaluation import checks, controls, rates, suite
from reno_tf.evaluation.suite import Outcome, Target
from reno_tf.settings import Settings


@dataclasses.dataclass(frozen=True)
class Measured:
    """What came out.

    Attributes:
      results: part of results.json. curve: rows over epsilon. convergence: the objective over the steps.
      shown: the first adversarial images of the first attack, float32 [<= 8, H, W, 3].
      answers: the student's predictions, {"clean", "adversarial", "noise"}: int64 [N].
      exposure: rows {"name", "outside", "rates": {epsilon: success}} of each attack; empty unless asked for.
    """

    results: dict
    curve: list[dict]
    convergence: list[float]
    shown: np.ndarray
    answers: dict[str, np.ndarray]
    exposure: list[dict]


def measure(
    settings: Settings, target: Target, dataset, *, undefended: bool | None, exposure: bool = False
) -> Measured:
    """Runs every attack, shows the student clean, adversarial and noise images, and counts.

    Of several attacks the headline is the worst case for each image; examples and controls are of the first.
    `undefended`: whether the student keeps the teacher's weights and sees no adversarial image; None: unknown.
    """
    started, student, labels = time.monotonic(), target.student, target.split.labels
    rates.check_student(student, labels, dataset.class_names)
    clean = suite.predict(student, target.images, "clean")
    use = functools.partial(_use, settings, target, exposure)
    outcomes = suite.run(settings.attack, target, while_built=use)
    first, crafting = outcomes[0], sum(outcome.seconds for outcome in outcomes)
    count = functools.partial(_count, labels, clean, first.extra["noise"])
    counted = [outcome for outcome in outcomes if not outcome.outside] or outcomes  # An only one counts.
    results = {
        **count(counted),
        "validation_accuracy": rates.accuracy(student, dataset.validation),
        **_distances(student, target.networks["teacher"][0], dataset),
        "attack": {
            "preset": settings.attack.preset,
            "source": first.network,
            "outside": first.outside,
            **first.parameters,
        },
        "suite": _rows(outcomes, count),
        "seconds": {"craft": round(crafting, 3), "evaluate": round(time.monotonic() - started - crafting, 3)},
    }
    own = controls.curve_point(settings.attack.epsilon, len(target.split), count([first]))
    curve = sorted([own, *first.extra["curve"]], key=lambda point: point["epsilon"])
    results["checks"] = checks.check(
        results=count([first]),
        curve=curve,
        convergence=first.extra["convergence"],
        num_classes=len(dataset.class_names),
        undefended=undefended,
    )
    answers = {"clean": clean, "adversarial": first.predicted, "noise": first.extra["noise"]}
    exposed = _exposed(outcomes, target, clean, settings.report.curve_images) if exposure else []
    return Measured(results, curve, first.extra["convergence"], first.shown, answers, exposed)


def _use(settings, target, exposure, number, crafter, craft) -> dict:
    """What an attack is used for while it is in memory: controls of the first, the exposure if asked for."""
    few, factors = target.first(settings.report.curve_images), settings.report.curve_factors
    used = {}
    if number == 0:
        digest = target.networks[attacks.ATTACKS[settings.attack.names[0]].network][1]
        where = {"folder": settings.attack.cache, "digest": digest, "batch_size": settings.attack.batch_size}
        used["noise"] = suite.predict(target.student, attacks.Noisy(crafter, target.images), "noise")
        used["curve"] = controls.epsilon_curve(crafter, craft, few, (0.0, *factors))
        used["convergence"] = controls.convergence(crafter, target, **where)
    if exposure:
        smaller = (*(factor for factor in factors if factor < 1), 1.0)
        used["exposure"] = controls.exposure(crafter, craft, few, smaller)
    return used


def _count(labels, clean, noise, outcomes: list[Outcome]) -> dict:
    worst = rates.worst_case(labels, [outcome.predicted for outcome in outcomes])
    return rates.success_rates(labels, clean, worst, noise)


def _groups(outcomes) -> dict[str, list[Outcome]]:
    """The attacks by their key in the registry."""
    names = dict.fromkeys(outcome.group for outcome in outcomes)
    return {name: [outcome for outcome in outcomes if outcome.group == name] for name in names}


def _rows(outcomes, count) -> list[dict]:
    """A row per attack, and one for the worst case of those that share a key of the registry."""
    rows = []
    for name, group in _groups(outcomes).items() if len(outcomes) > 1 else ():
        rows += [_row(outcome.name, [outcome], count) for outcome in group]
        if len(group) > 1:
            rows.append(_row(f"{name}, worst case of {len(group)}", group, count))
    return rows


def _row(name, outcomes, count):
    counts = count(outcomes)
    return {
        "name": name,
        "outside": outcomes[0].outside,
        "attack": outcomes[0].parameters if len(outcomes) == 1 else None,
        **{key: counts[key] for key in ("attack_success_rate", "attack_success_rate_ci95")},
    }


def _exposed(outcomes, target, clean, count) -> list[dict]:
    """Success of each attack of the registry at several epsilon, on the first `count` images."""
    labels, clean, rows = target.split.labels[:count], clean[:count], []
    for name, group in _groups(outcomes).items():
        found = {}
        for epsilon in group[0].extra["exposure"]:
            worst = rates.worst_case(labels, [outcome.extra["exposure"][epsilon] for outcome in group])
            found[f"{epsilon:.3g}"] = rates.success_rates(labels, clean, worst, clean)["attack_success_rate"]
        rows.append({"name": name, "outside": group[0].outside, "rates": found})
    return rows


def _distances(student, teacher, dataset) -> dict:
    if not isinstance(student, tf_keras.Model):  # An audited model is known by its answers alone.
        return {"feature_distance": None, "weight_distance": None}
    return {
        "feature_distance": rates.feature_distance(student, teacher, dataset.train.floats()),
        "weight_distance": rates.weight_distance(student, teacher),
    }
