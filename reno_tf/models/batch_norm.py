"""BatchNorm over several replicas."""

import tensorflow as tf
import tf_keras

from reno_tf.models.replicas import replica_context


class GlobalBatchNormalization(tf_keras.layers.BatchNormalization):
    """Keras's layer, but training normalises by the statistics of the global batch.

    Keras's own `synchronized=True` computes something else than its fused layer: its moving variance
    lacks Bessel's correction, and mean square - mean^2 cancels digits.
    """

    def call(self, inputs, training=None, mask=None):
        context = replica_context()
        if context is None or not self._get_training_value(training):
            return super().call(inputs, training=training, mask=mask)
        x = tf.cast(inputs, self.moving_mean.dtype)
        axes = [axis for axis in range(x.shape.rank) if axis not in self.axis]

        def mean_of(values):
            return context.all_reduce(tf.distribute.ReduceOp.MEAN, tf.reduce_mean(values, axes))

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
