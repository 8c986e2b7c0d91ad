"""A model made elsewhere, called as this package's students are."""

import tensorflow as tf

from reno_tf.audit.convention import Convention
from reno_tf.audit.foreign import Foreign
from reno_tf.audit.outputs import as_logits
from reno_tf.audit.ranges import RANGES


class Student:
    """The model as this package's students are: images [B, H, W, 3] in [0, 1] -> {"logits": [B, classes]}."""

    def __init__(self, model: Foreign, convention: Convention):
        self._model, self._convention = model, convention
        self.output = {"logits": tf.TensorSpec([None, model.num_classes])}

    def __call__(self, images, training=False) -> dict:
        fed = RANGES[self._convention.input_range](images)
        draws = [as_logits(self._model.call(fed), self._convention.outputs) for _ in range(self._convention.draws)]
        return {"logits": tf.gather(tf.add_n(draws) / len(draws), self._convention.order, axis=1)}
