"""What layers and losses do when a batch is split over several replicas."""

from collections.abc import Callable

import tensorflow as tf
import tf_keras


def _context() -> tf.distribute.ReplicaContext | None:
    """The context of the replica that computes now; None if it is the only one."""
    context = tf.distribute.get_replica_context()
    return context if context is not None and context.num_replicas_in_sync > 1 else None


def share(loss):
    """A replica's part of the global loss, its mean over its own rows / number of replicas: gradients are added up."""
    context = _context()
    return loss if context is None else loss / context.num_replicas_in_sync


def mean(value):
    """The mean of `value` over the replicas, the same for all."""
    context = _context()
    return value if context is None else context.all_reduce(tf.distribute.ReduceOp.MEAN, value)


def own_rows(draw: Callable, rows):
    """This replica's `rows` rows of `draw(rows of the global batch)`: the draw is that of a single device."""
    context = _context()
    if context is None:
        return draw(rows)
    first = context.replica_id_in_sync_group * rows
    return draw(context.num_replicas_in_sync * rows)[first : first + rows]


class GlobalBatchNormalization(tf_keras.layers.BatchNormalization):
    """Keras's layer, but training normalises by the statistics of the global batch.

    Keras's own `synchronized=True` computes something else than its fused layer: its moving variance
    lacks Bessel's correction, and mean square - mean^2 cancels digits.
    """

    def call(self, inputs, training=None, mask=None):
        context = _context()
        if context is None or not self._get_training_value(training):
            return super().call(inputs, training=training, mask=mask)
        x = tf.cast(inputs, self.moving_mean.dtype)
        axes = [axis for axis in range(x.shape.rank) if axis not in self.axis]
        mean_of = lambda x: context.all_reduce(tf.distribute.ReduceOp.MEAN, tf.reduce_mean(x, axes))  # noqa: E731
        mean = mean_of(x)
        variance = mean_of(tf.math.squared_difference(x, mean))
        self._assign_moving_average(self.moving_mean, mean, self.momentum, None)
        count = tf.cast(context.num_replicas_in_sync * tf.size(x) / tf.size(mean), x.dtype)
        # Keras's fused layer averages the unbiased variance, its other one the biased variance.
        averaged = variance * count / (count - 1) if self.fused else variance
        self._assign_moving_average(self.moving_variance, averaged, self.momentum, None)
        normalized = tf.nn.batch_normalization(x, mean, variance, self.beta, self.gamma, self.epsilon)
        return tf.cast(normalized, inputs.dtype)


def synchronize(model: tf_keras.Model) -> None:
    """Makes the model's BatchNorms use the global batch: the layers change their class in place."""
    for layer in model._flatten_layers():
        if type(layer) is tf_keras.layers.BatchNormalization:
            layer.__class__ = GlobalBatchNormalization
