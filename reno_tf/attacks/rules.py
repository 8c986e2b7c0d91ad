"""What becomes of the image before the loss sees it, and of the gradient before each step."""

import dataclasses
import math

import numpy as np
import tensorflow as tf

from reno_tf import draws
from reno_tf.errors import UserError

_LEAST_SCALE = 0.9  # of a diverse view; Xie et al. go from 331 to 299 pixels
_TINY = 1e-12


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rule:
    """What makes a gradient carry over to another network than the one it was computed on; 0 leaves a part out.

    momentum: mu of g <- mu g + gradient / mean|gradient| (MI-FGSM; Dong et al., "Boosting Adversarial
      Attacks with Momentum", CVPR 2018).
    diversity: probability that a step looks at the image shrunk to 90 to 100 % and placed at random on black
      (Xie et al., "Improving Transferability of Adversarial Examples with Input Diversity", CVPR 2019).
    smoothing: sigma, in pixels, of the Gaussian that the gradient is convolved with, against small shifts (Dong
      et al., "Evading Defenses to Transferable Adversarial Examples by Translation-Invariant Attacks", CVPR
      2019); 1 suits small images, 3 those of ImageNet's size.
    """

    momentum: float = 0.0
    diversity: float = 0.0
    smoothing: float = 0.0

    def __post_init__(self):
        if min(self.momentum, self.smoothing) < 0 or not 0 <= self.diversity <= 1:
            raise UserError(f"momentum and smoothing must not be negative and diversity in [0, 1], not {self}")

    def view(self, keys, number):
        """x -> what the loss sees in step `number`; random draws are functions of keys int32 [B, 2]."""
        if not self.diversity:
            return lambda x: x

        def draw(key):
            own = tf.random.experimental.stateless_fold_in(key, number, alg="philox")
            return draws.uniform([4], own)

        drawn = tf.map_fn(draw, keys, fn_output_signature=tf.float32)
        return lambda x: _place(x, drawn, self.diversity)

    def velocity(self, gradient, velocity):
        """This step's velocity, from the gradient and the velocity of the step before."""
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
