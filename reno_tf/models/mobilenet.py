"""MobileNetV2 (Sandler et al., 2018, table 2) as torchvision builds it."""

import functools

import tf_keras
from tf_keras import layers

from reno_tf.models.layers import IMAGENET, SMALL, conv_norm, normalize
from reno_tf.models.stages import Stages, tapped_model

# Expansion, channels, repeats, stride of the first: the paper's t, c, n, s.
_BLOCKS = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
_TAPPED = (3, 6, 10, 16)  # Blocks, counted from 1; the fifth stage is the last convolution.


def mobilenet(
    *,
    name,
    mean,
    std,
    width=1.0,
    stem_stride=2,
    num_classes=None,
    dropout=0.0,
    tap="before_dropout",
    image_size=None,
):
    """Any MobileNetV2.

    Args:
      name: the model's.
      mean, std: of the normalisation, per channel of images in [0, 1].
      width: factor of all channels but the last 1280.
      stem_stride: of the first convolution; 1 for small images.
      num_classes: size of the linear head; None builds the backbone alone.
      dropout, tap: see `reno_tf.models.taps.Stages`.
      image_size: side of the square input in pixels; None accepts any size.

    Returns:
      Images [B, H, W, 3] in [0, 1] -> {"stage1": [B, H/4, W/4, 24], "stage2": [B, H/8, W/8, 32],
      "stage3": [B, H/16, W/16, 64], "stage4": [B, H/32, W/32, 160], "stage5": [B, H/32, W/32,
      1280], "penultimate": [B, 1280][, "logits": [B, num_classes]]}; sizes are rounded up, and twice
      as large with a stem stride of 1. Stages 1 to 4 are outputs of linear bottlenecks, so they may be
      negative.
    """
    images = tf_keras.Input([image_size, image_size, 3], name="images")
    stem = conv_norm(normalize(images, mean=mean, std=std), round(32 * width), 3, stem_stride, "stem")
    x, stages, number = _relu6(stem, "stem"), Stages(dropout, tap), 0
    for expansion, channels, repeats, first_stride in _BLOCKS:
        for stride in (first_stride, *[1] * (repeats - 1)):
            number += 1
            x = _inverted_residual(x, expansion, round(channels * width), stride, f"block{number}")
            x = stages(x) if number in _TAPPED else x
    x = stages(_relu6(conv_norm(x, 1280, 1, 1, "last"), "last"))
    return tapped_model(images, stages, x, num_classes, name)


def _inverted_residual(x, expansion, channels, stride, name):
    shortcut = x
    if expansion > 1:
        x = _relu6(conv_norm(x, expansion * x.shape[-1], 1, 1, f"{name}_expand"), f"{name}_expand")
    x = _relu6(conv_norm(x, None, 3, stride, f"{name}_depthwise"), f"{name}_depthwise")
    x = conv_norm(x, channels, 1, 1, f"{name}_project")
    return layers.Add(name=f"{name}_add")([shortcut, x]) if stride == 1 and x.shape[-1] == shortcut.shape[-1] else x


def _relu6(x, name):
    return layers.ReLU(6.0, name=f"{name}_relu")(x)


MOBILENETS = {
    "mobilenet_v2": functools.partial(mobilenet, name="mobilenet_v2", **IMAGENET),
    "mobilenet_v2_cifar": functools.partial(mobilenet, name="mobilenet_v2_cifar", width=0.5, stem_stride=1, **SMALL),
}
