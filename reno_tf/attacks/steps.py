"""The parts of a descent: the ball it stays in, and what becomes of the gradient before each step."""

import dataclasses
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from reno_tf.errors import UserError

_LEAST_SCALE = 0.9  # of a diverse view; Xie et al. go from 331 to 299 pixels
_TINY = 1e-12


class Ball(NamedTuple):
    """projection: (images, epsilon, low, high) -> (x -> the nearest allowed x).

    direction: gradient [B, H, W, C] -> the step of size 1 that raises a linear loss most.
    draw: (shape, key int32 [2]) -> a point of the unit ball, uniformly.
    """

    projection: Callable
    direction: Callable
    draw: Callable


def _box(images, epsilon, low, high):
    # Where an image itself leaves the valid range by more than epsilon, the range wins.
    lowest, highest = (tf.clip_by_value(edge, low, high) for edge in (images - epsilon, images + epsilon))
    return lambda x: tf.clip_by_value(x, lowest, highest)


def _uniform(shape, key):
    return tf.random.stateless_uniform(shape, key, -1.0, 1.0, alg="philox")


def _euclidean_ball(images, epsilon, low, high):
    def project(x):
        change = x - images
        # The range holds the images: what is clipped to it comes nearer to them, so the ball is not left again.
        return tf.clip_by_value(images + change * tf.minimum(1.0, epsilon / _norm(change)), low, high)

    return project


def _unit(gradient):
    return gradient / _norm(gradient)


def _in_unit_ball(shape, key):
    size = tf.cast(tf.reduce_prod(shape), tf.float32)
    normal = tf.random.stateless_normal(shape, key, alg="philox")
    radius = tf.random.stateless_uniform([], tf.random.experimental.stateless_fold_in(key, 1, alg="philox"))
    return normal / tf.norm(normal) * radius ** (1 / size)


def _norm(x):
    """Each image's Euclidean norm, [B, 1, 1, 1]."""
    return tf.maximum(tf.sqrt(tf.reduce_sum(tf.square(x), axis=[1, 2, 3], keepdims=True)), _TINY)


BALLS = {"linf": Ball(_box, tf.sign, _uniform), "l2": Ball(_euclidean_ball, _unit, _in_unit_ball)}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rule:
    """What makes a gradient carry over to another network than the one it was computed on.

    Attributes:
      momentum: mu of g <- mu g + gradient / mean|gradient| (MI-FGSM; Dong et al., 2018); 0: none.
      diversity: probability that a step looks at the image shrunk to 90 to 100 % and placed at
        random on black (DI; Xie et al., 2019); 0: never.
      smoothing: sigma, in pixels, of the Gaussian that the gradient is convolved with, which makes
        the attack nearly invariant to shifts (TI; Dong et al., 2019); 0: none.
    """

    momentum: float = 0.0
    diversity: float = 0.0
    smoothing: float = 0.0

    def __post_init__(self):
        if min(self.momentum, self.smoothing) < 0 or not 0 <= self.diversity <= 1:
            raise UserError(f"momentum and smoothing must not be negative and diversity in [0, 1], not {self}")

    def views(self, keys, steps: int):
        """(number of the step, x) -> what the loss sees; random draws are functions of keys int32 [B, 2]."""
        if not self.diversity:
            return lambda number, x: x
        draw = tf.map_fn(
            lambda key: tf.random.stateless_uniform([max(steps, 1), 4], key, alg="philox"),
            keys,
            fn_output_signature=tf.float32,
        )
        return lambda number, x: _place(x, draw[:, number], self.diversity)

    def velocity(self, gradient, velocity):
        """From the gradient, and the velocity of the step before, to this step's."""
        if self.smoothing:
            kernel = tf.repeat(_gaussian(self.smoothing), gradient.shape[-1], axis=2)
            gradient = tf.nn.depthwise_conv2d(gradient, kernel, [1, 1, 1, 1], "SAME")
        if not self.momentum:
            return gradient
        size = tf.reduce_mean(tf.abs(gradient), axis=[1, 2, 3], keepdims=True)
        return self.momentum * velocity + gradient / tf.maximum(size, _TINY)


def _gaussian(sigma):
    """float32 [k, k, 1, 1] of sum 1, cut off at three sigma."""
    radius = math.ceil(3 * sigma)
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    kernel = np.outer(weights, weights)
    return tf.constant((kernel / kernel.sum())[:, :, None, None], tf.float32)


def _place(x, draw, probability):
    """Shrinks and places each image [H, W, C] by its draw [B, 4] in [0, 1): whether, scale, top, left."""
    scale = tf.where(draw[:, 0] < probability, _LEAST_SCALE + (1 - _LEAST_SCALE) * draw[:, 1], 1.0)
    # Products of matrices: XLA has them and their gradients, image resizing it has not.
    rows, columns = (_resampling(x.shape[axis], scale, draw[:, 1 + axis]) for axis in (1, 2))
    return tf.einsum("bih,bjw,bhwc->bijc", rows, columns, x)


def _resampling(size, scale, place):
    """[B, size, size]: each output pixel's bilinear weights over the input's; 0 outside the shrunk image."""
    scale, place = scale[:, None], place[:, None]
    first = size * (1 - scale) * place
    position = tf.range(size, dtype=tf.float32)[None]
    source = (position + 0.5 - first) / scale - 0.5
    inside = (source >= -0.5) & (source < size - 0.5)
    nearest = tf.clip_by_value(source, 0.0, size - 1.0)
    weights = tf.nn.relu(1 - tf.abs(nearest[:, :, None] - position[:, None]))
    return tf.where(inside[:, :, None], weights, 0.0)
