"""What a student is worth: accuracy, attack success, distances, the curve over epsilon."""

import dataclasses
import functools
import time

import numpy as np
import tf_keras

from reno_tf import attacks
from reno_tf.evaluation import checks, per_image, rates, suite, worst
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
    table: str  # CSV, a row for each image


def measure(
    settings: Settings, target: suite.Target, dataset, *, undefended, exposure=False, folder=None, save=None
) -> Measured:
    """Runs every attack, shows the student clean, adversarial and noise images, and counts.

    The headline is the first attack on all images; the worst case for each image, of all attacks, is that of the
    first images. `undefended`: whether the student keeps the teacher's weights and sees no adversarial image; None:
    unknown. `folder`, `save`: see `suite.run`.
    """
    started, student, labels = time.monotonic(), target.student, target.split.labels
    rates.check_student(student, labels, dataset.class_names)
    clean = suite.predict(student, target.images, "clean")
    use = functools.partial(_use, settings, target, exposure)
    outcomes, skipped = suite.run(settings.attack, target, folder=folder, while_built=use, save=save)
    first, crafting = outcomes[0], sum(outcome.seconds for outcome in outcomes)
    noise = [np.array(answers) for answers in first.extra["noise"]]
    counts = rates.success_rates(labels, clean, first.predicted, noise[0])
    if first.rounded is not None:
        rounded = rates.success_rates(labels, clean, first.rounded, noise[0])
        counts["attack_success_rate_8bit"] = rounded["attack_success_rate"]
        counts["attack_success_rate_8bit_ci95"] = rounded["attack_success_rate_ci95"]
    tried = target.first(settings.attack.images).split.labels
    results = {
        **counts,
        **worst.measure(tried, clean, outcomes, noise, core=settings.attack.core),
        **per_image.of_all(labels, clean, outcomes, len(tried)),
        "per_class": per_image.per_class(labels, dataset.class_names, clean, outcomes, len(tried)),
        "validation_accuracy": rates.accuracy(student, dataset.validation),
        **_distances(student, target.networks["teacher"][0], dataset),
        "attack": {
            "preset": settings.attack.preset,
            "name": first.member.name,
            "source": first.member.entry.network,
            "outside": first.member.entry.outside,
            "gradients": first.gradients,
            "eight_bit": settings.attack.eight_bit,
            **first.parameters,
        },
        "skipped": skipped,
    }
    evaluating = time.monotonic() - started - crafting - sum(outcome.extra["seconds"] for outcome in outcomes)
    results["seconds"] = {"craft": round(crafting, 3), "evaluate": round(max(evaluating, 0), 3)}
    own, convergence = _point(settings.attack.epsilon, counts, len(labels)), first.extra["convergence"]
    curve = sorted([own, *first.extra["curve"]], key=lambda point: point["epsilon"])
    facts = {"curve": curve, "convergence": convergence, "num_classes": len(dataset.class_names)}
    results["checks"] = checks.check(results=counts, undefended=undefended, **facts)
    answers = {"clean": clean, "adversarial": first.predicted, "noise": noise[0]}
    exposed = _exposed(settings, target, outcomes, clean) if exposure else []
    table = per_image.table(target.split, dataset.class_names, clean, outcomes, len(tried))
    return Measured(results, curve, convergence, first.shown, answers, exposed, table)


def _use(settings, target: suite.Target, exposure, is_first, crafter, craft) -> dict:
    """What an attack is used for while it is in memory: controls of the first, the exposure if asked for."""
    used, started = {}, time.monotonic()

    @functools.cache
    def at(factor, count):
        """(the attack at a multiple of epsilon, the student's answers to the first images)."""
        smaller = crafter.within(crafter.budget.scaled(factor))
        return smaller, rates.predict(target.student, craft(smaller, target.first(count)))

    if is_first:
        used |= _controls(settings, target, crafter, at)
    if exposure:
        count = len(_exposed_images(settings, target).split)
        smaller_ones = [at(factor, count) for factor in settings.report.curve_factors if factor < 1]
        used["exposure"] = [[smaller.budget.epsilon, answers.tolist()] for smaller, answers in smaller_ones]
    return used | {"seconds": time.monotonic() - started}


def _exposed_images(settings, target) -> suite.Target:
    """The first, which every attack is tried on."""
    return target.first(settings.attack.images).first(settings.report.curve_images)


def _controls(settings, target, crafter, at) -> dict:
    """Of the first attack: noise, the curve over epsilon, the objective over the steps.

    noise: answers to one draw for each attack of the worst case; the first draw on all images, the others on those of
    the worst case.
    """
    members, tried = suite.plan(settings.attack, target.networks), target.first(settings.attack.images)
    noise = [suite.predict(target.student, attacks.Noisy(crafter, target.images), "noise")]
    for draw in range(1, sum(member.counts for member in members)):
        noise.append(suite.predict(target.student, attacks.Noisy(crafter, tried.images, draw=draw), f"noise {draw}"))
    # At epsilon 0 the random start is the image itself: a success there would be the measurement's own.
    beginning = target.first(settings.report.curve_images)
    labels, clean, curve = beginning.split.labels, rates.predict(target.student, beginning.images), []
    for factor in (0.0, *settings.report.curve_factors):
        smaller, predicted = at(factor, len(labels))
        noisy = rates.predict(target.student, attacks.Noisy(smaller, beginning.images))
        counts = rates.success_rates(labels, clean, predicted, noisy)
        curve.append(_point(smaller.budget.epsilon, counts, len(labels)))
    digest, batch = target.networks[members[0].entry.network][1], target.images[: settings.attack.batch_size]
    convergence = attacks.trace_once(crafter, batch, teacher=digest, folder=settings.attack.cache)
    return {"noise": [answers.tolist() for answers in noise], "curve": curve, "convergence": convergence}


def _point(epsilon, counts, num_images) -> dict:
    """A row of curve.json."""
    shown = ("attack_success_rate", "noise_success_rate")
    success = {key: counts[key] for rate in shown for key in (rate, f"{rate}_ci95")}
    return {"epsilon": epsilon, **success, "num_attacked": counts["num_attacked"], "num_images": num_images}


def _exposed(settings, target, outcomes, clean) -> list[dict]:
    """Success of each attack of the registry at several epsilon, its own the last, on the first images."""
    labels, rows = _exposed_images(settings, target).split.labels, []
    for name, group in worst.groups(outcomes).items():
        tried = [[*o.extra["exposure"], [settings.attack.epsilon, o.final[: len(labels)]]] for o in group]
        found = {}
        for points in zip(*tried, strict=True):
            (epsilon, _), answers = points[0], [np.array(answers) for _, answers in points]
            unattacked, fooled = clean[: len(labels)], rates.worst_case(labels, answers)
            counts = rates.success_rates(labels, unattacked, fooled, unattacked)
            found[f"{epsilon:.3g}"] = counts["attack_success_rate"]
        rows.append({"name": name, "outside": worst.why_not(group[0]), "rates": found})
    return rows


def _distances(student, teacher, dataset) -> dict:
    if not isinstance(student, tf_keras.Model):  # An audited model is known by its answers alone.
        return dict.fromkeys(("feature_distance", "relative_feature_distance", "stage_distances", "weight_distance"))
    stages = rates.stage_distances(student, teacher, dataset.train.floats())

    def mean(kind):
        values = [distances[kind] for distances in stages.values()] if stages else [None]
        return None if None in values else float(np.mean(values))

    return {
        "feature_distance": mean("absolute"),
        "relative_feature_distance": mean("relative"),
        "stage_distances": stages,
        "weight_distance": rates.weight_distance(student, teacher),
    }
