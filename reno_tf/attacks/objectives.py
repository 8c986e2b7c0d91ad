"""What an attack minimises: pure functions from features or logits to one loss per image, [B]."""

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


def stage_distance(*, scale: float = 1000.0, neuron: int = 0):
    """mean_l ||mean_{h,w} f_l - scale * one_hot(neuron mod c)||^2 over the stages l, a dict of [B, h, w, c]."""

    def distance(features):
        polarised = target_distance(scale=scale, neuron=neuron % features.shape[-1])
        return polarised(tf.reduce_mean(features, axis=[1, 2]))

    def loss(stages):
        return tf.add_n([distance(features) for features in stages.values()]) / len(stages)

    return loss


def squared_distance(features, others):
    """||f - g||^2, over all but the first axis."""
    return tf.reduce_sum(_flat(tf.math.squared_difference(features, others)), axis=-1)


def cosine_similarity(features, others):
    """<f, g> / (||f|| ||g||), over all but the first axis."""
    return tf.reduce_sum(tf.math.l2_normalize(_flat(features), -1) * tf.math.l2_normalize(_flat(others), -1), axis=-1)


def mean_norm(features):
    """||f||_2 / sqrt(number of features): how strongly a layer answers."""
    return tf.sqrt(tf.reduce_mean(tf.square(_flat(features)), axis=-1))


def negative_cross_entropy(logits, labels):
    """log softmax(logits)_label: lowest where the label is least likely."""
    return -tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)


def _flat(features):
    return tf.reshape(features, [tf.shape(features)[0], -1])
