"""ReMoS (Zhang et al., "ReMoS: Reducing Defect Inheritance in Transfer Learning via Relevant Model Slicing", 2022)."""

import dataclasses

import numpy as np
import tensorflow as tf
import tf_keras
from scipy.stats import rankdata

from reno_tf import models
from reno_tf.errors import UserError
from reno_tf.methods.base import Method
from reno_tf.methods.hooks import Preparation
from reno_tf.methods.schedule import FROM_TEACHER

_ACTIVE = 0.5  # A channel is active on an image if the mean of its scaled activation is above this.
_BATCH = 32  # images


@dataclasses.dataclass(frozen=True, kw_only=True)
class Remos(Method):
    """Fine-tuning without the teacher's weights that are large and that the target's images hardly use.

    Written from a description, not from the published code. Not verified, and chosen here: a weight's coverage is that
    of its output channel; a convolution's activation is taken after the BatchNorm and the activation that follow it;
    equal values share their mean rank. The weights that are set to 0 are trained again with the others.
    """

    name = "remos"
    start = "teacher"
    schedule = FROM_TEACHER
    weight_decay: float = 1e-4
    removed: float = 0.1  # part of the convolutions' weights

    def __post_init__(self):
        super().__post_init__()
        if self.removed > 1:
            raise UserError(f"remos: removed must be at most 1, not {self.removed}")

    def prepare(self, preparation: Preparation):
        if preparation.number:
            return
        if preparation.train is None:
            raise UserError("remos looks at the training images first: call Transfer.prepare with them")
        if not models.convolution_activations(preparation.teacher):
            raise UserError(f"remos slices convolutions: {preparation.teacher.name} has none of this package's")
        counts = coverage(preparation.teacher, preparation.train.floats())
        kernels = convolution_kernels(preparation.student, counts)
        lost = irrelevant({name: kernel.numpy() for name, kernel in kernels.items()}, counts, self.removed)
        for name, kernel in kernels.items():
            kernel.assign(np.where(lost[name], 0.0, kernel.numpy()))


def coverage(teacher, images) -> dict[str, np.ndarray]:
    """{convolution: in how many images each of its channels is active, int [c]}; images: float [N, H, W, 3]."""
    tensors = models.convolution_activations(teacher)
    profile = tf.function(tf_keras.Model(teacher.input, tensors), reduce_retracing=True)
    counts = {name: np.zeros(tensor.shape[-1], int) for name, tensor in tensors.items()}
    for first in range(0, len(images), _BATCH):
        for name, activation in profile(tf.constant(images[first : first + _BATCH]), training=False).items():
            counts[name] += active(activation).numpy().sum(axis=0)
    return counts


def active(activation):
    """Activations of one layer [B, h, w, c] -> whether each channel is active on each image, bool [B, c]."""
    # mean_{h,w} (a - min a) / (max a - min a) > 0.5, minimum and maximum over one image's h, w, c
    least, most = (reduce(activation, axis=[1, 2, 3], keepdims=True) for reduce in (tf.reduce_min, tf.reduce_max))
    return tf.reduce_mean(tf.math.divide_no_nan(activation - least, most - least), axis=[1, 2]) > _ACTIVE


def convolution_kernels(model, names) -> dict[str, tf.Variable]:
    """{convolution: the kernel that makes its output channels}."""
    kinds = ("depthwise_kernel", "pointwise_kernel", "kernel")  # A separable convolution has the first two.
    kernels = {}
    for name in names:
        layer = model.get_layer(name)
        *_, kernels[name] = [getattr(layer, kind) for kind in kinds if hasattr(layer, kind)]
    return kernels


def irrelevant(kernels, coverage, removed: float) -> dict[str, np.ndarray]:
    """Which weights have the lowest rank(coverage) - rank(|weight|), over all layers: bool, shaped as the kernels.

    kernels: {convolution: [h, w, in, out], or [h, w, c, multiplier] of a depthwise one}; removed: part of all weights.
    """
    spread = [np.broadcast_to(_by_channel(coverage[name], kernel), kernel.shape) for name, kernel in kernels.items()]
    used, size = (np.concatenate([np.ravel(one) for one in values]) for values in (spread, kernels.values()))
    score = rankdata(used) - rankdata(np.abs(size))
    lost = np.zeros(len(score), bool)
    lost[np.argsort(score, kind="stable")[: int(removed * len(score))]] = True
    ends = np.cumsum([kernel.size for kernel in kernels.values()])
    pieces = np.split(lost, ends[:-1])
    return {name: piece.reshape(kernel.shape) for (name, kernel), piece in zip(kernels.items(), pieces, strict=True)}


def _by_channel(counts, kernel):
    """Counts [out], in a depthwise convolution [c * multiplier], as they lie along the kernel's last axes."""
    return counts if kernel.shape[-1] == len(counts) else counts.reshape(kernel.shape[-2:])
