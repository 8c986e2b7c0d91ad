"""A model made elsewhere, as this package's students are."""

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
