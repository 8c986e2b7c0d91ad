"""Attacks a whole set of images, batch by batch; the set need not fit into memory."""

import math
import tempfile
from collections.abc import Callable, Iterator

import numpy as np

_LARGE = 2**30  # bytes; a set above is kept in a file without a name


def batches(attack: Callable, images, *, batch_size: int = 100, progress: Callable = iter) -> Iterator[np.ndarray]:
    """Yields `attack(images, indices)` for all images in order; `progress` wraps the iterable of batch offsets."""
    for first in progress(range(0, len(images), batch_size)):
        indices = np.arange(first, first + batch_size)
        batch = images[np.minimum(indices, len(images) - 1)]  # Always full: no second shape is compiled.
        yield np.asarray(attack(batch, indices), np.float32)[: len(images) - first]


def craft(attack: Callable, images, **options) -> np.ndarray:
    """Applies `attack(images, indices)` to all images; `**options` of `batches`.

    Takes float32 [N, H, W, 3] in [0, 1], an array or anything with `shape` and `len` that gives arrays when it is
    indexed by a slice or by integers, and returns the same, above 1 GiB in a temporary file that goes with it.
    """
    shape = tuple(images.shape)
    crafted = np.empty(shape, np.float32) if 4 * math.prod(shape) <= _LARGE else _unnamed(shape)
    left = crafted
    for batch in batches(attack, images, **options):
        left[: len(batch)] = batch
        left = left[len(batch) :]
    return crafted


def _unnamed(shape) -> np.memmap:
    with tempfile.TemporaryFile() as file:
        reserve(file, 4 * math.prod(shape))
        return np.memmap(file, np.float32, "r+", shape=shape)


def reserve(file, size: int) -> None:
    """Fills `file` with `size` zeros: on a full disk that fails here, as an OSError, and not hours later."""
    block = bytes(2**20)
    for done in range(0, size, len(block)):
        file.write(block[: size - done])
    file.flush()
    file.seek(0)


class Noisy:
    """A set of images under `attack.noise`, computed when it is indexed, as `evaluation.predict` takes it."""

    def __init__(self, attack, images):
        self._attack, self._images, self.shape = attack, images, images.shape

    def __len__(self):
        return len(self._images)

    def __getitem__(self, chosen):
        return self._attack.noise(self._images[chosen], np.arange(len(self))[chosen]).numpy()
