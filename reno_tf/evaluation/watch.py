"""Watches a training: what the attack does to the student at each interval, for TensorBoard."""

from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_keras

from reno_tf import attacks
from reno_tf.attacks import AttackRef
from reno_tf.data import Dataset
from reno_tf.errors import UserError
from reno_tf.evaluation.attacker import CRAFTING
from reno_tf.evaluation.suite import Suite
from reno_tf.models import distances

_BATCH = 100  # images
_PROFILED = 10, 20  # the first step of the profile, and that after its last


def check_watchable(reference: AttackRef, dataset: Dataset, *, several_devices: bool) -> None:
    """Raises UserError if there are no validation images, if the attack goes through another network than the
    teacher, or if several devices train together."""
    network = reference.entry.network
    if several_devices:
        raise UserError("config.watch.images needs one device: config.distribution=none")
    if network != "teacher":
        raise UserError(
            f"config.watch.images needs an attack through the teacher; {reference} goes through a {network}"
        )
    if not len(dataset.validation):
        raise UserError("config.watch.images needs validation images: config.data.validation_per_class of at least 1")


class Watch(tf_keras.callbacks.Callback):
    """At the end of each epoch of `Transfer.fit`, on a few validation images:

    the scalars watch/accuracy and watch/attack_success (of the run's own attack), watch/feature_distance/STAGE
    (relative, see `models.distances`), and the histograms of the penultimate features of clean and of adversarial
    images. The images are crafted once: they come from the teacher alone. No number of the run depends on this.

    Args:
      teacher: the public model. suite: whose headline is the attack. images: how many, spread evenly over the
        validation split. folder: for TensorBoard.
    """

    def __init__(self, suite: Suite, dataset: Dataset, teacher, *, images: int, folder: Path, crafting=CRAFTING):
        super().__init__()
        count = len(dataset.validation)
        split = dataset.validation.take(np.linspace(0, count - 1, min(images, count)).round())
        self._labels, self._clean = split.labels, np.asarray(split.floats()[: len(split)])
        attack, precision = suite.plan({"teacher": teacher})[0].attack, crafting.precision
        crafter = attack.on(teacher, suite.budget, seed=suite.seed, precision=precision, others=self._clean)
        self._adversarial = attacks.craft(crafter, self._clean, batch_size=crafting.batch_size)
        self._teacher, self._folder, self._distances = teacher, folder, None

    def on_train_begin(self, logs=None):
        if self._distances is None:
            self._distances = distances.StageDistances(self.model.student, self._teacher)
        self._writer = tf.summary.create_file_writer(str(self._folder))

    def on_epoch_end(self, epoch, logs=None):
        with self._writer.as_default(step=int(self.model.step.numpy())):
            answers = {}
            for name, images in {"clean": self._clean, "adversarial": self._adversarial}.items():
                features, answers[name] = _look(self.model.student, images)
                tf.summary.histogram(f"watch/penultimate/{name}", features)
            right = answers["clean"] == self._labels
            tf.summary.scalar("watch/accuracy", right.mean())
            if right.any():
                tf.summary.scalar("watch/attack_success", (answers["adversarial"] != self._labels)[right].mean())
            for stage, distance in (self._distances(self._clean) or {}).items():
                if distance["relative"] is not None:
                    tf.summary.scalar(f"watch/feature_distance/{stage}", distance["relative"])

    def on_train_end(self, logs=None):
        self._writer.close()


class Profile(tf_keras.callbacks.Callback):
    """TensorBoard's profile of ten training steps, from the tenth of this process on."""

    def __init__(self, folder: Path):
        super().__init__()
        self._folder, self._steps, self._running = folder, 0, False

    def on_train_batch_begin(self, batch, logs=None):
        self._steps += 1
        if self._steps == _PROFILED[0]:
            tf.profiler.experimental.start(str(self._folder))
            self._running = True
        if self._steps == _PROFILED[1]:
            self._stop()

    def on_train_end(self, logs=None):
        self._stop()

    def _stop(self):
        if self._running:
            tf.profiler.experimental.stop()
            self._running = False


def _look(student, images) -> tuple[np.ndarray, np.ndarray]:
    """The penultimate features, float32 [N, d], and the classes that the student sees, int64 [N]."""
    offsets = range(0, len(images), _BATCH)
    batches = [_features_and_classes(student, tf.constant(images[i : i + _BATCH])) for i in offsets]
    features, classes = (np.concatenate([batch.numpy() for batch in output]) for output in zip(*batches, strict=True))
    return features, classes


@tf.function(reduce_retracing=True)
def _features_and_classes(student, images):
    outputs = student(images, training=False)
    return tf.cast(outputs["penultimate"], tf.float32), tf.argmax(outputs["logits"], axis=-1)
