"""What a student is worth: accuracy, attack success, distances, the curve over epsilon."""

import dataclasses
import time

import numpy as np
import tf_keras

from reno_tf import attacks
from reno_tf.data import Dataset, Split
from reno_tf.evaluation import checks, curve, per_image, rates, worst
from reno_tf.evaluation.answers import Answers
from reno_tf.evaluation.asking import ask, check_student, predict
from reno_tf.evaluation.attacker import CRAFTING, Attacker, Crafting, Network, own_images
from reno_tf.evaluation.suite import Suite, named
from reno_tf.models import distances
from reno_tf.results import AttackRates, CurvePoint, Distance, Evaluation, Exposure, Seconds


@dataclasses.dataclass(frozen=True)
class Measured:
    """An evaluation, and what its figures are drawn from."""

    evaluation: Evaluation
    answers: Answers
    curve: list[CurvePoint]
    exposure: list[Exposure]  # empty unless the suite asks for it
    table: str  # CSV, a row for each image
    attacked: Split
    class_names: list[str]


def worst_case(
    student,
    teacher,
    test: Split,
    *,
    suite: str | Suite = "core",
    attacker: Attacker | None = None,
    crafting: Crafting = CRAFTING,
) -> Evaluation:
    """How often someone who has the teacher fools the student, at best.

        found = worst_case(student, teacher, test)
        found.worst_case.rate, found.worst_case.interval, found["disruption stage3"].rate

    Args:
      student: a callable (images, training=False) -> {"logits": [B, classes]}, images float32 [B, H, W, 3] in [0, 1]:
        a model of this package, an `audit.Student`, or one of your own.
      teacher: a model of this package, the public network.
      suite: "core", what every run tries; "suite", all; "quick"; or one of your own.
      attacker: None has the teacher, and some of the attacked images as their own. Without students of the attacker's
        own, the attacks through them are skipped.

    Raises UserError if a label is not a class of the student's, or the headline attack cannot work.
    """
    suite = named(suite)
    if attacker is None:
        images = own_images(test, seed=suite.seed)
        attacker = Attacker(networks={"teacher": Network.of(teacher)}, own_images=images)
    classes = student(test.take([0]).floats()[:], training=False)["logits"].shape[-1]
    empty, names = test.take([]), [str(number) for number in range(classes)]
    return evaluate(student, attacker, Dataset("", names, empty, empty, test), suite, crafting=crafting).evaluation


def attack_success(student, attack, test: Split, *, batch_size: int = 100) -> AttackRates:
    """Attacks the whole split with a `Crafter`, which never sees the student (paper, section 3).

    `student`: a model with "logits" among its outputs. Raises UserError if a label is not a class of the student's, or
    the attack cannot work.
    """
    check_student(student, test.labels)
    images = test.floats()
    adversarial = attacks.craft(attack, images, batch_size=batch_size)
    shown = (images, adversarial, attacks.Noisy(attack, images))
    clean, attacked, noisy = (predict(student, one, batch_size=batch_size) for one in shown)
    return AttackRates(
        clean_accuracy=rates.accuracy(test.labels, clean),
        adversarial_accuracy=rates.accuracy(test.labels, attacked),
        attack_success_rate=rates.success(test.labels, clean, attacked),
        noise_success_rate=rates.success(test.labels, clean, noisy),
    )


def evaluate(
    student,
    attacker: Attacker,
    dataset: Dataset,
    suite: Suite,
    *,
    undefended: bool | None = None,
    crafting: Crafting = CRAFTING,
) -> Measured:
    """Runs every attack of the suite, shows the student clean, adversarial and noise images, and counts.

    Args:
      student: a model or a `Network`. dataset: its test split is attacked; see `Dataset.tested_on`.
      undefended: whether the student keeps the teacher's weights and sees no adversarial image; None: unknown.

    Raises UserError as `worst_case`.
    """
    student, attacked = Network.of(student), suite.attacked(dataset.test)
    check_student(student.model, attacked.labels, dataset.class_names)
    answers = ask(student, attacker, attacked, suite, crafting=crafting)
    started, points = time.monotonic(), curve.curve(answers, suite.core)
    from_answers = _rates(answers, suite)
    judged = checks.run_checks(
        attack=from_answers["attack_success_rate"],
        noise=from_answers["noise_success_rate"],
        curve=points,
        convergence=answers.convergence,
        num_classes=len(dataset.class_names),
        undefended=undefended,
    )
    distances_to_teacher = _distances(student.model, attacker.models["teacher"], dataset.train)
    validation_accuracy = _validation_accuracy(student.model, dataset.validation)
    evaluating = answers.asking + time.monotonic() - started
    evaluation = Evaluation(
        **from_answers,
        **distances_to_teacher,
        mean_worst_case_success_rate=curve.mean_worst_case(points, answers.epsilon),
        validation_accuracy=validation_accuracy,
        attack=_headline(answers, suite),
        per_class=tuple(per_image.per_class(answers, dataset.class_names)),
        checks=tuple(judged),
        seconds=Seconds(train=None, craft=round(answers.crafting, 3), evaluate=round(evaluating, 3)),
    )
    table = per_image.table(answers, attacked, dataset.class_names)
    exposure = curve.exposure(answers) if suite.exposure else []
    return Measured(evaluation, answers, points, exposure, table, attacked, dataset.class_names)


def _rates(answers: Answers, suite: Suite) -> dict:
    """The fields of an evaluation that the answers alone decide."""
    labels, clean, headline = answers.labels, answers.clean, answers.headline
    tried = slice(answers.num_tried)
    success = rates.success(labels, clean, headline.at[1.0])
    rounded = None if headline.rounded is None else rates.success(labels, clean, headline.rounded)
    return {
        "clean_accuracy": rates.accuracy(labels, clean),
        "adversarial_accuracy": rates.accuracy(labels, headline.at[1.0]),
        "attack_success_rate": success,
        "attack_success_rate_8bit": rounded,
        "attack_success_rate_of_all": rates.success_of_all(labels, clean, headline.final),
        "noise_success_rate": rates.success(labels, clean, answers.noise[1.0, 0]),
        "num_attacked": success.total,
        "worst_case_success_rate": worst.worst_case_success(answers, answers.counting),
        "worst_case_success_rate_of_all": rates.success_of_all(labels[tried], clean[tried], rates.worst(answers)),
        "core_worst_case_success_rate": worst.of_core(answers, suite.core),
        "worst_case_noise_success_rate": worst.of_noise(answers),
        "worst_case_of": worst.describe_worst_case(answers),
        "suite": tuple(worst.rows(answers)),
        "skipped": answers.skipped,
    }


def _headline(answers: Answers, suite: Suite) -> dict:
    headline = answers.headline
    return {
        "preset": suite.name,
        "name": headline.name,
        "source": headline.reference.entry.network,
        "outside": headline.reference.entry.outside,
        "gradients": headline.gradients,
        "eight_bit": suite.eight_bit,
        **headline.parameters,
    }


def _validation_accuracy(student, split: Split) -> float | None:
    return rates.accuracy(split.labels, predict(student, split.floats())).rate if len(split) else None


def _distances(student, teacher, train: Split) -> dict:
    """Those of the features on the training images, and of the weights; None for a student known by its answers."""
    fields = ("feature_distance", "relative_feature_distance", "stage_distances", "weight_distance")
    if not isinstance(student, tf_keras.Model) or not len(train):
        return dict.fromkeys(fields)
    stages = distances.stage_distances(student, teacher, train.floats())
    by_stage = {stage: Distance(**values) for stage, values in stages.items()} if stages else None
    means = [_mean([getattr(one, kind) for one in (by_stage or {}).values()]) for kind in ("absolute", "relative")]
    return dict(zip(fields, (*means, by_stage, distances.weight_distance(student, teacher)), strict=True))


def _mean(values) -> float | None:
    return float(np.mean(values)) if values and None not in values else None
