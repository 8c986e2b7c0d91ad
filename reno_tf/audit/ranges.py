"""The numbers that a model may want its images as, and which of them a public network's own preprocessing gives."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_BYTE_MEAN = (123.68, 116.779, 103.939)  # red, green, blue
_NEAR = 0.01  # of what lies between black and white; EfficientNet-Lite's (x - 127) / 128 is as near to -1..1


def _bgr(images):
    return images[..., ::-1]


# From images in [0, 1], red first. Blue first is OpenCV's order: "bgr:..." is what its users feed who do not turn it.
RANGES = {
    "0..1": lambda images: images,
    "0..255": lambda images: 255 * images,
    "-1..1": lambda images: 2 * images - 1,
    "caffe": lambda images: _bgr(255 * images - _BYTE_MEAN),  # also Keras's for VGG and ResNet
    "mean/std": lambda images: (images - _MEAN) / _STD,  # torchvision's
    "slim": lambda images: 255 * images - _BYTE_MEAN,  # TF-Slim's for VGG and ResNet
    "bgr:0..1": _bgr,
    "bgr:0..255": lambda images: 255 * _bgr(images),
    "bgr:-1..1": lambda images: 2 * _bgr(images) - 1,
}
_EXTREMES = np.array([[[[0, 0, 0], [1, 1, 1], [1, 0, 0], [0, 1, 0]]]], np.float32)


def is_red_first(name: str) -> bool:
    red = np.ravel(RANGES[name](_EXTREMES)[0, 0, 2])
    return bool(red[0] > red[2])


def nearest_to_limits(low: float, high: float) -> list[str]:
    """The ranges, in each order of the colours, that fit an input between these limits best."""

    def distance(name):
        values = np.asarray(RANGES[name](_EXTREMES))
        return abs(values.min() - low) + abs(values.max() - high)

    least = min(map(distance, RANGES))
    return [name for name in RANGES if distance(name) <= least + 1e-6]


def name_of(preprocess: Callable) -> str | None:
    """The range that a network's own preprocessing gives of images [B, H, W, 3] in [0, 1]; None: none of these."""
    own = np.asarray(preprocess(tf.constant(_EXTREMES)))
    spread = np.ptp(own)
    fits = [name for name in RANGES if np.abs(np.asarray(RANGES[name](_EXTREMES)) - own).max() <= _NEAR * spread]
    return fits[0] if fits else None
