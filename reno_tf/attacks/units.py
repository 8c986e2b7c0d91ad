"""How a budget is read: what its numbers are multiplied by, and which pixels are valid."""

import math

import numpy as np
import tensorflow as tf

from reno_tf.attacks.balls import Limits
from reno_tf.errors import UserError
from reno_tf.models import normalization
from reno_tf.models.layers import IMAGENET

_REFERENCE_RANGE = 2.2  # of the paper's published code, after normalisation
_STANDARDISES = (0.1, 0.9)  # Whoever divides by less or more than this scales to 0..255 or 0..1.


def _pixel(network):
    """Numbers are in [0, 1] pixels: 0.1 is a tenth of the range from black to white."""
    return lambda shape: (1.0, 0.0, 1.0)


def _normalized(network):
    """Numbers count after the mean/std normalisation, where the range ends at -/+ 2.2.

    It is the network's own if that brings images to a size of about 1: if its std is from 0.1 to 0.9 of the pixels'
    range in every channel. Keras's networks that take 0..255, Caffe's mean or 0..1 only scale; for them it is
    ImageNet's, as in the paper's published code. Numbers become one value per channel, under which a signed step
    does not change.
    """
    mean, std = np.float32(normalization(network))
    lowest, highest = _STANDARDISES
    if not (lowest <= std.min() and std.max() <= highest):
        mean, std = np.float32(IMAGENET["mean"]), np.float32(IMAGENET["std"])
    return lambda shape: (std, mean - _REFERENCE_RANGE * std, mean + _REFERENCE_RANGE * std)


def _noise_length(network):
    """Numbers are multiplied by sqrt(H W 3 / 3), the length of noise that is uniform in [-1, 1]."""
    return lambda shape: (math.sqrt(math.prod(shape) / 3), 0.0, 1.0)


def widened(limits: Limits, images) -> Limits:
    """The limits with a valid range, [B, H, W, 3], that each clean image's own values are always in.

    The published code moves white, 2.64 in blue, to 2.2 whatever epsilon is. Here a value that is out of the range
    may stay, or come nearer within the ball: at epsilon 0 no image changes.
    """
    return limits._replace(low=tf.minimum(limits.low, images), high=tf.maximum(limits.high, images))


# unit -> (its largest number, from one end of its range to the other; what it counts)
_LARGEST = {
    "pixel": (1.0, "[0, 1] pixels"),
    "normalized": (2 * _REFERENCE_RANGE, "pixels after the mean/std normalisation"),
    "noise_length": (math.sqrt(3), "the length of noise that is uniform in [-1, 1]"),
}


def refuse_too_large(key: str, value: float, unit: str) -> None:
    """Raises UserError for a budget's number that is larger than any difference of two images."""
    largest, counted = _LARGEST[unit]
    if value > largest:
        levels = f"; {value:g} of 255 is {value / 255:.4f}" if unit == "pixel" and value <= 255 else ""
        raise UserError(f"{key} counts {counted}, and must be at most {largest:.3g}, not {value:g}{levels}")


# unit -> network -> (shape of an image -> scale, lowest, highest value)
UNITS = {"pixel": _pixel, "normalized": _normalized, "noise_length": _noise_length}
