"""How a budget is read: what its numbers are multiplied by, and which pixels are valid."""

import math

import numpy as np

from reno_tf.models import normalization

_REFERENCE_RANGE = 2.2  # of the paper's published code, after normalisation


def _pixel(network):
    """Numbers are in [0, 1] pixels: 0.1 is a tenth of the range from black to white."""
    return lambda shape: (1.0, 0.0, 1.0)


def _normalized(network):
    """Numbers count after the network's own mean/std normalisation, where the range ends at -/+ 2.2.

    Each becomes one value per channel, under which a signed step does not change.
    """
    mean, std = np.float32(normalization(network))
    return lambda shape: (std, mean - _REFERENCE_RANGE * std, mean + _REFERENCE_RANGE * std)


def _noise_length(network):
    """Numbers are multiplied by sqrt(H W 3 / 3), the length of noise that is uniform in [-1, 1]."""
    return lambda shape: (math.sqrt(math.prod(shape) / 3), 0.0, 1.0)


# unit -> network -> (shape of an image -> scale, lowest, highest value)
UNITS = {"pixel": _pixel, "normalized": _normalized, "noise_length": _noise_length}
