"""Attacks a whole set of images, batch by batch; the set need not fit into memory."""

import math
import tempfile
from collections.abc import Callable, Iterator

import numpy as np

_LARGE = 2**30  # bytes; a larger set is kept in an unnamed file


def batches(attack, images, *, batch_size=100, eight_bit=False, progress=iter) -> Iterator[np.ndarray]:
    """Yields `attack(images, indices)` for all images in order; `progress` wraps the iterable of batch offsets.

    eight_bit: as uint8, by the attack's `levels`.
    """
    for first in progress(range(0, len(images), batch_size)):
        indices = np.arange(first, first + batch_size)
        batch = images[np.minimum(indices, len(images) - 1)]  # Always full: no second shape is compiled.
        crafted = attack(batch, indices)
        crafted = attack.levels(crafted, batch) if eight_bit else crafted
        yield np.asarray(crafted, dtype(eight_bit))[: len(images) - first]


def dtype(eight_bit: bool) -> np.dtype:
    """Of a set of adversarial images."""
    return np.dtype(np.uint8 if eight_bit else np.float32)


def craft(attack: Callable, images, *, eight_bit: bool = False, **options) -> np.ndarray:
    """Applies `attack(images, indices)` to all images; `**options` of `batches`.

    Takes float32 [N, H, W, 3] in [0, 1], an array or anything with `shape` and `len` that gives arrays when it is
    indexed by a slice or by integers, and returns the same (uint8 if `eight_bit`), above 1 GiB in a temporary file
    that is deleted with it.
    """
    shape, kind = tuple(images.shape), dtype(eight_bit)
    crafted = np.empty(shape, kind) if kind.itemsize * math.prod(shape) <= _LARGE else _unnamed(shape, kind)
    left = crafted
    for batch in batches(attack, images, eight_bit=eight_bit, **options):
        left[: len(batch)] = batch
        left = left[len(batch) :]
    return crafted


def trace(attack, images, *, batch_size: int = 100) -> list[float]:
    """`attack.trace` of all images together, batch by batch."""
    if len(images) <= batch_size:
        return attack.trace(images)
    places = np.split(np.arange(len(images)), range(batch_size, len(images), batch_size))
    traces = [attack.trace(images[rows], rows) for rows in places]
    return np.average(traces, axis=0, weights=[len(rows) for rows in places]).tolist()


def _unnamed(shape, kind) -> np.memmap:
    with tempfile.TemporaryFile() as file:
        reserve(file, kind.itemsize * math.prod(shape))
        return np.memmap(file, kind, "r+", shape=shape)


def reserve(file, size: int) -> None:
    """Fills `file` with `size` zeros: on a full disk that fails here, as an OSError, and not hours later."""
    block = bytes(2**20)
    for done in range(0, size, len(block)):
        file.write(block[: size - done])
    file.flush()
    file.seek(0)


class Noisy:
    """A set of images under `attack.noise`, computed when it is indexed, as `evaluation.predict` takes it."""

    def __init__(self, attack, images, *, draw: int = 0):
        self._attack, self._images, self._draw, self.shape = attack, images, draw, images.shape

    def __len__(self):
        return len(self._images)

    def __getitem__(self, index):
        return self._attack.noise(self._images[index], np.arange(len(self))[index], draw=self._draw).numpy()
