"""What a student is worth: accuracy, attack success, distances, the curve over epsilon."""

import dataclasses
import functools
import time

import numpy as np
import tf_keras

from reno_tf import attacks
from reno_tf.evaluation import checks, rates, suite
from reno_tf.settings import Settings


@dataclasses.dataclass(frozen=True)
class Measured:
    """What came out."""

    results: dict  # part of results.json
    curve: list[dict]  # rows over epsilon
    convergence: list[float]  # the objective over the steps
    shown: np.ndarray  # the first adversarial images of the first attack, float32 [<= 8, H, W, 3]
    answers: dict[str, np.ndarray]  # the student's predictions, {"clean", "adversarial", "noise"}: int64 [N]
    exposure: list[dict]  # rows {"name", "outside", "rates": {epsilon: success}}; empty unless asked for


def measure(settings: Settings, target: suite.Target, dataset, *, undefended, exposure=False) -> Measured:
    """Runs every attack, shows the student clean, adversarial and noise images, and counts.

    Of several attacks the headline is the worst case for each image; examples and controls are of the first.
    `undefended`: whether the student keeps the teacher's weights and sees no adversarial image; None: unknown.
    """
    started, student, labels = time.monotonic(), target.student, target.split.labels
    rates.check_student(student, labels, dataset.class_names)
    clean = suite.predict(student, target.images, "clean")
    use = functools.partial(_use, settings, target, target.first(settings.report.curve_images), exposure)
    outcomes = suite.run(settings.attack, target, while_built=use)
    first, crafting = outcomes[0], sum(outcome.seconds for outcome in outcomes)

    def count(group: list[suite.Outcome]) -> dict:
        worst = rates.worst_case(labels, [outcome.predicted for outcome in group])
        return rates.success_rates(labels, clean, worst, first.extra["noise"])

    results = {
        **count([outcome for outcome in outcomes if not outcome.outside] or outcomes),  # An only one counts.
        "validation_accuracy": rates.accuracy(student, dataset.validation),
        **_distances(student, target.networks["teacher"][0], dataset),
        "attack": {
            "preset": settings.attack.preset,
            "source": first.network,
            "outside": first.outside,
            **first.parameters,
        },
        "suite": _rows(outcomes, count),
    }
    evaluating = time.monotonic() - started - crafting - sum(outcome.extra["seconds"] for outcome in outcomes)
    results["seconds"] = {"craft": round(crafting, 3), "evaluate": round(evaluating, 3)}
    own, convergence = _point(settings.attack.epsilon, count([first]), len(labels)), first.extra["convergence"]
    curve = sorted([own, *first.extra["curve"]], key=lambda point: point["epsilon"])
    facts = {"curve": curve, "convergence": convergence, "num_classes": len(dataset.class_names)}
    results["checks"] = checks.check(results=count([first]), undefended=undefended, **facts)
    answers = {"clean": clean, "adversarial": first.predicted, "noise": first.extra["noise"]}
    exposed = _exposed(outcomes, target, clean) if exposure else []
    return Measured(results, curve, convergence, first.shown, answers, exposed)


def _use(settings, target: suite.Target, beginning: suite.Target, exposure, number, crafter, craft) -> dict:
    """What an attack is used for while it is in memory: controls of the first, the exposure if asked for."""
    factors, used = settings.report.curve_factors, {}
    if number == 0:
        used["noise"] = suite.predict(target.student, attacks.Noisy(crafter, target.images), "noise")
    started = time.monotonic()

    def over(factors):
        """(the attack, the student's answers on the first images) at multiples of epsilon."""
        for factor in factors:
            smaller = crafter.within(crafter.budget.scaled(factor))
            yield smaller, rates.predict(target.student, craft(smaller, beginning))

    if number == 0:
        # At epsilon 0 the random start is the image itself: a success there would be the measurement's own.
        labels, clean, used["curve"] = beginning.split.labels, rates.predict(target.student, beginning.images), []
        for smaller, predicted in over((0.0, *factors)):
            noise = rates.predict(target.student, attacks.Noisy(smaller, beginning.images))
            counts = rates.success_rates(labels, clean, predicted, noise)
            used["curve"].append(_point(smaller.budget.epsilon, counts, len(labels)))
        digest = target.networks[attacks.ATTACKS[settings.attack.names[0]].network][1]
        batch = target.images[: settings.attack.batch_size]
        used["convergence"] = attacks.trace_once(crafter, batch, teacher=digest, folder=settings.attack.cache)
    if exposure:
        smaller_ones = (*(factor for factor in factors if factor < 1), 1.0)
        used["exposure"] = {smaller.budget.epsilon: predicted for smaller, predicted in over(smaller_ones)}
    return used | {"seconds": time.monotonic() - started}


def _point(epsilon, counts, num_images) -> dict:
    """A row of curve.json."""
    success = {key: value for key, value in counts.items() if "success_rate" in key or key == "num_attacked"}
    return {"epsilon": epsilon, **success, "num_images": num_images}


def _groups(outcomes) -> dict[str, list[suite.Outcome]]:
    """The attacks by their key in the registry."""
    names = dict.fromkeys(outcome.group for outcome in outcomes)
    return {name: [outcome for outcome in outcomes if outcome.group == name] for name in names}


def _rows(outcomes, count) -> list[dict]:
    """A row per attack, and one for the worst case of those that share a key of the registry."""

    def row(name, group):
        counts, parameters = count(group), group[0].parameters if len(group) == 1 else None
        success = {key: counts[key] for key in ("attack_success_rate", "attack_success_rate_ci95")}
        return {"name": name, "outside": group[0].outside, "attack": parameters, **success}

    rows = []
    for name, group in _groups(outcomes).items() if len(outcomes) > 1 else ():
        rows += [row(outcome.name, [outcome]) for outcome in group]
        rows += [row(f"{name}, worst case of {len(group)}", group)] if len(group) > 1 else []
    return rows


def _exposed(outcomes, target, clean) -> list[dict]:
    """Success of each attack of the registry at several epsilon, on the first images."""
    rows = []
    for name, group in _groups(outcomes).items():
        found = {}
        for epsilon in group[0].extra["exposure"]:
            answers = [outcome.extra["exposure"][epsilon] for outcome in group]
            labels, unattacked = target.split.labels[: len(answers[0])], clean[: len(answers[0])]
            counts = rates.success_rates(labels, unattacked, rates.worst_case(labels, answers), unattacked)
            found[f"{epsilon:.3g}"] = counts["attack_success_rate"]
        rows.append({"name": name, "outside": group[0].outside, "rates": found})
    return rows


def _distances(student, teacher, dataset) -> dict:
    if not isinstance(student, tf_keras.Model):  # An audited model is known by its answers alone.
        return {"feature_distance": None, "weight_distance": None}
    features = rates.feature_distance(student, teacher, dataset.train.floats())
    return {"feature_distance": features, "weight_distance": rates.weight_distance(student, teacher)}
