"""A model made elsewhere, as this package's students are."""

import numpy as np
import tensorflow as tf

from reno_tf.audit.convention import RANGES, Convention
from reno_tf.audit.opening import Foreign


class Student:
    """The model as this package's students are: images [B, H, W, 3] in [0, 1] -> {"logits": [B, classes]}."""

    def __init__(self, model: Foreign, convention: Convention):
        self._model, self._convention = model, convention
        self.output = {"logits": tf.TensorSpec([None, model.num_classes])}

    def __call__(self, images, training=False) -> dict:
        scores = self._model.call(RANGES[self._convention.input_range](images))
        if self._convention.probabilities:
            scores = tf.math.log(tf.maximum(scores, 1e-30))
        return {"logits": tf.gather(tf.cast(scores, tf.float32), self._convention.order, axis=1)}


def has_gradient(student: Student, images: np.ndarray) -> bool:
    """Whether any score of the student changes with the images [B, H, W, 3] in [0, 1]."""
    images = tf.constant(images)
    with tf.GradientTape() as tape:
        tape.watch(images)
        best = tf.reduce_sum(tf.reduce_max(student(images)["logits"], axis=1))
    gradient = tape.gradient(best, images)
    return gradient is not None and bool(tf.reduce_any(gradient != 0))
