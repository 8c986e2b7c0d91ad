"""Loss terms: pure functions from tensors to a scalar. `methods` multiply them by coefficients."""

import tensorflow as tf

from reno_tf.models import replicas

_TINY = 1e-12


def cross_entropy(labels, logits, weights=None):
    """Mean softmax cross-entropy, no label smoothing. labels: int [B]; logits: [B, classes]; weights: [B]."""
    # -1/B sum_i w_i log softmax(z_i)[y_i]
    each = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    return tf.reduce_mean(each if weights is None else tf.cast(weights, each.dtype) * each)


def half_squared_norm(weights):
    """Weight decay without its coefficient: its gradient is the weight itself, as torch.optim.SGD adds it."""
    # 1/2 sum_w ||w||^2        (tf.nn.l2_loss carries the 1/2)
    return tf.add_n([tf.nn.l2_loss(w) for w in weights])


def half_squared_distance(weights, anchors):
    """L2-SP without its coefficient (Li et al., 2018). weights and anchors: equally shaped, in pairs."""
    # 1/2 sum_w ||w - w0||^2
    return half_squared_norm([w - w0 for w, w0 in zip(weights, anchors, strict=True)])


def feature_distance(features, targets):
    """Feature distillation (paper, Table 1). Both: lists of L stages, [B, H, W, C], in pairs."""
    # sum_l mean_{b,h,w,c} (f_l - g_l)^2      mean, not sum: the weight of a stage must not grow with its size
    return tf.add_n([tf.reduce_mean(tf.math.squared_difference(f, g)) for f, g in zip(features, targets, strict=True)])


def relative_feature_distance(features, targets):
    """`feature_distance` with each stage in units of the targets' variance: 1 where only each channel's mean is met."""
    # sum_l mean_{b,h,w,c} (f_l - g_l)^2 / mean_{b,h,w,c} (g_l - mean_{b,h,w} g_l)^2
    return tf.add_n([feature_distance([f], [g]) / variance(g) for f, g in zip(features, targets, strict=True)])


def distance_shortfall(features, targets, threshold):
    """By how much each image's features are nearer to the targets than `threshold`, on average. Both [B, H, W, C]."""
    # mean_b max(0, threshold - sqrt(mean_{h,w,c} (f - g)^2 / variance(g)))
    squared = tf.reduce_mean(tf.math.squared_difference(features, targets), axis=[1, 2, 3]) / variance(targets)
    distance = tf.sqrt(tf.maximum(squared, _TINY))  # The root's slope at 0 is infinite.
    return tf.reduce_mean(tf.nn.relu(threshold - distance))


def variance(features):
    """Mean over the channels of each channel's variance in the whole batch, all replicas' rows together."""
    # mean_{b,h,w,c} (g - mean_{b,h,w} g)^2
    mean = replicas.mean(tf.reduce_mean(features, axis=[0, 1, 2]))
    return replicas.mean(tf.reduce_mean(tf.math.squared_difference(features, mean)))
