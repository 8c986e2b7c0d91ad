"""The ball that an attack stays in: how to project on it, step in it, draw from it and round inside of it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from reno_tf import draws

_TINY = 1e-12
_SLACK = 1e-3  # of a level: what float32 loses


class Limits(NamedTuple):
    """How far each step and all of them go, and the valid range: scalars or one value per channel, in [0, 1] pixels."""

    epsilon: Any
    step_size: Any
    steps: Any
    low: Any = 0.0
    high: Any = 1.0


class Ball(NamedTuple):
    projection: Callable  # (images, limits) -> (x -> the nearest allowed x)
    direction: Callable  # gradient [B, H, W, C] -> the step of size 1 that raises a linear loss most
    draw: Callable  # (shape, key int32 [2]) -> a point of the unit ball, uniformly
    levels: Callable  # (x, images, epsilon) -> the 255ths that x is rounded to, in the ball if `images` are 255ths


def _box(images, limits):
    edges = (images - limits.epsilon, images + limits.epsilon)
    # Where an image itself leaves the valid range by more than epsilon, the range wins.
    lowest, highest = (tf.clip_by_value(edge, limits.low, limits.high) for edge in edges)
    return lambda x: tf.clip_by_value(x, lowest, highest)


def _uniform(shape, key):
    return draws.uniform(shape, key, -1.0, 1.0)


def _levels_in_box(x, images, epsilon):
    lowest, highest = tf.math.ceil(255 * (images - epsilon) - _SLACK), tf.floor(255 * (images + epsilon) + _SLACK)
    nearest = tf.round(255 * x)
    # A small ball may lie between two levels.
    return tf.where(lowest <= highest, tf.clip_by_value(nearest, lowest, tf.maximum(lowest, highest)), nearest)


def _levels_towards_images(x, images, epsilon):
    change = 255 * (x - images)
    return tf.round(255 * images) + tf.sign(change) * tf.floor(tf.abs(change) + _SLACK)


def _euclidean_ball(images, limits):
    def project(x):
        change = x - images
        # The range holds the images: clipping to it brings x nearer to them, so x stays in the ball.
        inside = images + change * tf.minimum(1.0, limits.epsilon / _norm(change))
        return tf.clip_by_value(inside, limits.low, limits.high)

    return project


def _in_unit_ball(shape, key):
    size = tf.cast(tf.reduce_prod(shape), tf.float32)
    normal = draws.normal(shape, key)
    radius = draws.uniform([], tf.random.experimental.stateless_fold_in(key, 1, alg="philox"))
    return normal / tf.norm(normal) * radius ** (1 / size)


def _norm(x):
    """Each image's Euclidean norm, [B, 1, 1, 1]."""
    return tf.maximum(tf.sqrt(tf.reduce_sum(tf.square(x), axis=[1, 2, 3], keepdims=True)), _TINY)


BALLS = {
    "linf": Ball(_box, tf.sign, _uniform, _levels_in_box),
    "l2": Ball(_euclidean_ball, lambda gradient: gradient / _norm(gradient), _in_unit_ball, _levels_towards_images),
}
