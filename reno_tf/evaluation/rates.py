"""Accuracy, attack success and distances, with intervals."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf
from scipy.stats import binomtest

from reno_tf import attacks
from reno_tf.data import Split
from reno_tf.errors import UserError
from reno_tf.models import named_weights, stage_names


def predict(student, images, *, batch_size: int = 100, progress: Callable = iter) -> np.ndarray:
    """The predicted class of each image, int64 [N]; `progress` wraps the iterable of batch offsets.

    `images`: float32 [N, H, W, 3] in [0, 1], an array or anything with `len` that gives arrays when it is sliced.
    """
    offsets = progress(range(0, len(images), batch_size))
    return np.concatenate([_classify(student, tf.constant(images[i : i + batch_size])).numpy() for i in offsets])


def _classify(student, images):
    # One trace for each student, whatever the size of the batch; TensorFlow keeps it as long as the student lives.
    spec = tf.TensorSpec([None, *images.shape[1:]], images.dtype)
    return _classes.get_concrete_function(student, spec)(images=images)


@tf.function
def _classes(student, images):
    return tf.argmax(student(images, training=False)["logits"], axis=-1)


def check_student(student, labels, class_names=None) -> None:
    """Raises UserError if the student's classes are not those of the labels (or of `class_names`)."""
    classes = student.output["logits"].shape[-1]
    if class_names is not None and classes != len(class_names):
        raise UserError(f"the student tells {classes} classes apart, but the data set has {len(class_names)}")
    if len(labels) and not (np.min(labels) >= 0 and np.max(labels) < classes):
        raise UserError(
            f"the student's classes are 0 to {classes - 1}, but the labels go from {np.min(labels)} to {np.max(labels)}"
        )


def accuracy(student, split: Split) -> float | None:
    """Part of the split that the student gets right; None for an empty one."""
    return float((predict(student, split.floats()) == split.labels).mean()) if len(split) else None


def worst_case(labels, predictions) -> np.ndarray:
    """The first wrong one of each image's predictions [K, N], or its label [N] if none is wrong."""
    worst = np.array(labels)
    for predicted in reversed(predictions):
        worst = np.where(predicted != labels, predicted, worst)
    return worst


def rate(name: str, hits: int, total: int) -> dict:
    """{name: hits / total, name_ci95: Wilson's 95 % interval}; both None if nothing was counted."""
    if total == 0:
        return {name: None, f"{name}_ci95": None}
    interval = binomtest(int(hits), int(total)).proportion_ci(0.95, method="wilson")
    return {name: hits / total, f"{name}_ci95": [float(interval.low), float(interval.high)]}


def success_rates(labels, clean, adversarial, noise) -> dict:
    """Counts (paper, section 3): attack success is P(wrong on adversarial | right on clean).

    Takes labels and predictions, int [N]; gives four rates, each as by `rate`, and the number of clean-correct images.
    """
    right = clean == labels
    attacked = int(right.sum())
    return {
        **rate("clean_accuracy", attacked, len(labels)),
        **rate("adversarial_accuracy", int((adversarial == labels).sum()), len(labels)),
        **rate("attack_success_rate", int((right & (adversarial != labels)).sum()), attacked),
        **rate("noise_success_rate", int((right & (noise != labels)).sum()), attacked),
        "num_attacked": attacked,
    }


def attack_success(student, attack, test: Split, *, batch_size: int = 100, craft: Callable = attacks.craft) -> dict:
    """Attacks the whole test split with a `Crafter`, which never sees the student, and counts as `success_rates`.

    `student`: a model with "logits" among its outputs. `craft`: as `attacks.craft`. Raises UserError if a label is
    no class of the student's, or the attack cannot work.
    """
    check_student(student, test.labels)
    images = test.floats()
    adversarial = craft(attack, images, batch_size=batch_size)
    noise = attacks.Noisy(attack, images)
    predictions = [predict(student, x, batch_size=batch_size) for x in (images, adversarial, noise)]
    return success_rates(test.labels, *predictions)


def feature_distance(student, teacher, images: np.ndarray, *, batch_size: int = 100) -> float | None:
    """Mean over stages and images of mean((f_l(x, theta) - f_l(x, theta_0))^2); see `stage_distances`."""
    stages = stage_distances(student, teacher, images, batch_size=batch_size)
    return None if stages is None else float(np.mean([distances["absolute"] for distances in stages.values()]))


class StageDistances:
    """How far a student's features are from the teacher's, stage by stage. Holds one compiled function for many calls.

    Called with images, float32 [N, H, W, 3] in [0, 1], not augmented (paper, section 3), it gives {stage: {"absolute":
    mean((f - g)^2), "relative": that / the variance of g}}, g the teacher's features. The variance is the mean of each
    channel's over images and places, so that a student which gives each channel's mean has the relative distance 1.
    Both networks are in inference mode. None if the stages' shapes differ.
    """

    def __init__(self, student, teacher):
        self._stages = stage_names(teacher)
        shapes = [[model.output[stage].shape[1:] for stage in stage_names(model)] for model in (student, teacher)]
        self._comparable = shapes[0] == shapes[1]

        @tf.function(reduce_retracing=True)
        def batch_sums(batch):
            """{stage: each channel's sums over the batch, of means over places, of (f - g)^2, g and g^2: [3, c]}."""
            ours, theirs, sums = student(batch, training=False), teacher(batch, training=False), {}
            for stage in self._stages:
                f, g = (tf.cast(features[stage], tf.float64) for features in (ours, theirs))
                values = (tf.math.squared_difference(f, g), g, tf.square(g))
                sums[stage] = tf.reduce_sum(tf.stack([tf.reduce_mean(value, axis=[1, 2]) for value in values]), axis=1)
            return sums

        self._batch_sums = batch_sums

    def __call__(self, images: np.ndarray, *, batch_size: int = 100) -> dict[str, dict] | None:
        if not self._comparable:
            return None
        offsets = range(0, len(images), batch_size)
        batches = (tf.constant(images[first : first + batch_size]) for first in offsets)
        found = [self._batch_sums.get_concrete_function(batch)(batch) for batch in batches]
        distances = {}
        for stage in self._stages:
            square, mean, second = np.sum([sums[stage].numpy() for sums in found], axis=0) / len(images)
            absolute, variance = float(square.mean()), float((second - mean**2).mean())
            distances[stage] = {"absolute": absolute, "relative": absolute / variance if variance > 0 else None}
        return distances


def stage_distances(student, teacher, images: np.ndarray, *, batch_size: int = 100) -> dict[str, dict] | None:
    """`StageDistances` of one set of images."""
    return StageDistances(student, teacher)(images, batch_size=batch_size)


def weight_distance(student, teacher) -> float | None:
    """||theta - theta_0||_2 over the backbone's trained weights; None if the backbones differ."""
    ours, theirs = (named_weights(model, head=False) for model in (student, teacher))
    ours, theirs = ({n: w for n, w in ws.items() if "moving_" not in n} for ws in (ours, theirs))
    if {n: w.shape for n, w in ours.items()} != {n: w.shape for n, w in theirs.items()}:
        return None
    return float(np.sqrt(sum(np.sum((ours[n].numpy() - theirs[n].numpy()).astype(np.float64) ** 2) for n in ours)))
