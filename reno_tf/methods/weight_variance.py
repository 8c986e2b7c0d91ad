"""Fine-tuning that evens out the weights of each convolution."""

import dataclasses

import tensorflow as tf

from reno_tf.methods.base import Method
from reno_tf.methods.hooks import Batch
from reno_tf.methods.schedule import FROM_TEACHER


@dataclasses.dataclass(frozen=True, kw_only=True)
class WeightVariance(Method):
    """variance_weight: lambda of lambda sum_k Var(W_k), over the kernels W_k of all convolutions.

    Written from a description, with its lambda and learning rate; the publication could not be seen. Chosen here:
    the variance is over all weights of a kernel, and depthwise convolutions count too.
    """

    name = "weight_variance"
    start = "teacher"
    schedule = dataclasses.replace(FROM_TEACHER, learning_rate=1e-3)
    weight_decay: float = 1e-4
    variance_weight: float = 1000.0

    def terms(self, batch: Batch):
        kernels = [weight for weight in batch.backbone if len(weight.shape) == 4]
        terms = super().terms(batch)
        terms["weight_variance"] = self.variance_weight * tf.add_n([tf.math.reduce_variance(w) for w in kernels])
        return terms
