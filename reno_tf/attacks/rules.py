"""What is done to the image before the loss sees it, and to the gradient before each step."""

import dataclasses
import functools
import math

import numpy as np
import tensorflow as tf

from reno_tf.attacks import views
from reno_tf.errors import UserError

_TINY = 1e-12


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rule:
    """What helps a gradient carry over to another network than the one it was computed on; 0 leaves a part out.

    momentum: mu of g <- mu g + gradient / mean|gradient| (MI-FGSM; Dong et al., "Boosting Adversarial
      Attacks with Momentum", CVPR 2018).
    diversity: probability that a gradient looks at the image shrunk to 90 to 100 % and placed at random on black
      (Xie et al., "Improving Transferability of Adversarial Examples with Input Diversity", CVPR 2019).
    strips: into how many strips along a random axis the image is cut, which are shuffled and each rotated by at
      most 24 degrees (BSR; Wang et al., "Boosting Adversarial Transferability by Block Shuffle and Rotation",
      CVPR 2024, arXiv 2308.10299; they also cut each strip along the other axis).
    copies: gradients, each of a view of its own, whose mean a step follows.
    smoothing: sigma, in pixels, of the Gaussian that the gradient is convolved with, against small shifts (Dong
      et al., "Evading Defenses to Transferable Adversarial Examples by Translation-Invariant Attacks", CVPR
      2019); 1 suits small images, 3 those of ImageNet's size.
    """

    momentum: float = 0.0
    diversity: float = 0.0
    strips: int = 0
    copies: int = 1
    smoothing: float = 0.0

    def __post_init__(self):
        if min(self.momentum, self.smoothing) < 0 or not 0 <= self.diversity <= 1:
            raise UserError(f"momentum and smoothing must not be negative and diversity in [0, 1], not {self}")
        if self.strips < 0 or self.copies < 1:
            raise UserError(f"strips must be at least 0 and copies at least 1, not {self.strips} and {self.copies}")

    def paced(self, budget):
        """The budget in steps of `copies` gradients: that many times fewer, each as much longer."""
        length, steps = np.multiply(self.copies, budget.step_size), math.ceil(budget.steps / self.copies)
        return dataclasses.replace(budget, step_size=length, steps=steps)

    @property
    def has_views(self) -> bool:
        """Whether a gradient sees something other than the image."""
        return bool(self.diversity or self.strips)

    def view(self, shape, keys, number):
        """images [B, H, W, 3] of that shape -> what gradient `number` sees, drawn from keys int32 [B, 2]."""
        transforms, (height, width) = [], shape[1:3]
        if self.diversity:
            transforms.append(views.placing(height, width, views.uniform_rows(keys, number, 4), self.diversity))
        if self.strips:
            drawn = views.uniform_rows(keys, -1 - number, 1 + 3 * self.strips)
            transforms.append(views.shuffling(height, width, drawn, self.strips))
        return lambda images: functools.reduce(lambda seen, transform: transform(seen), transforms, images)

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
