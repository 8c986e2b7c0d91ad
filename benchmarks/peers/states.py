"""Weights and images that are a function of a seed, so that neither side needs the other's files."""

import binascii
import math

import numpy as np


def random_state(shapes: dict[str, tuple], seed: int = 0) -> dict[str, np.ndarray]:
    """A state dict in torchvision's names with random weights and random BatchNorm statistics."""
    return {key: _draw(key, shape, seed).astype(np.float32) for key, shape in shapes.items()}


def _draw(key, shape, seed):
    generator = np.random.default_rng([seed, binascii.crc32(key.encode())])
    if len(shape) > 1:  # A convolution [out, in, h, w] or a linear layer [out, in].
        return generator.normal(size=shape) / math.sqrt(math.prod(shape[1:]))
    if key.endswith(("running_var", "weight")):
        return generator.uniform(0.5, 1.5, shape)
    return generator.normal(size=shape) * 0.2


def random_images(count: int, height: int, width: int, seed: int = 0) -> np.ndarray:
    """[count, height, width, 3] in [0, 1]: smooth patches of 8 pixels, so that features vary."""
    generator = np.random.default_rng([seed, height, width])
    patches = generator.uniform(size=(count, -(-height // 8), -(-width // 8), 3))
    images = 0.8 * patches.repeat(8, axis=1).repeat(8, axis=2)[:, :height, :width]
    return (images + generator.uniform(0, 0.2, images.shape)).astype(np.float32)
