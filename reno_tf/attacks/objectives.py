"""What an attack minimises: functions from the teacher's penultimate features [B, D] to a loss [B]."""

import tensorflow as tf


def target_distance(*, scale: float = 1000.0, neuron: int = 0):
    """||f - t||^2 with t = scale * one_hot(neuron): the paper's equation 1."""

    def loss(features):
        target = scale * tf.one_hot(neuron, features.shape[-1], dtype=features.dtype)
        return tf.reduce_sum(tf.math.squared_difference(features, target), axis=-1)

    return loss


def reference_polarization(*, scale: float = 1000.0, neuron: int = 0):
    """(f_n - scale)^2 + 0.1 mean_{j != n} f_j^2: what the paper's published code computes."""

    def loss(features):
        others = 1.0 - tf.one_hot(neuron, features.shape[-1], dtype=features.dtype)
        mean_square = tf.reduce_sum(others * tf.square(features), axis=-1) / tf.reduce_sum(others)
        return tf.square(features[:, neuron] - scale) + 0.1 * mean_square

    return loss
