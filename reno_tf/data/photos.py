"""Photos of any size that stay encoded on the disk until they are used."""

import functools
import hashlib
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from reno_tf.data import transforms


class Photos:
    """Behaves as a uint8 array [N, size, size, 3] of test views, each of which is decoded when indexed.

    A test view is the centre of the photo, after a resize of its shorter side to size * 256 / 224.

    Args:
      read: number of a photo -> its encoded bytes.
      numbers: int [N], the photos that belong to this set.
      size: side of the views, in pixels.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, read: Callable, numbers, *, size: int):
        self._read, self.numbers, self.size = read, np.asarray(numbers, np.int64), size

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return len(self), self.size, self.size, 3

    def __len__(self):
        return len(self.numbers)

    def __getitem__(self, index) -> np.ndarray:
        """The views at a slice or an array of positions."""
        return self._views(tf.constant(np.arange(len(self))[index])).numpy()

    def take(self, positions) -> "Photos":
        return Photos(self._read, self.numbers[positions], size=self.size)

    def encoded(self, position):
        """The encoded photo at `position`, a scalar tensor, as a string tensor; works in any graph."""
        number = tf.gather(self.numbers, position)
        return tf.ensure_shape(tf.numpy_function(self._read, [number], tf.string, stateful=False), [])

    def digest(self) -> str:
        """SHA-256 over the size of the views and the encoded bytes of all photos, in hexadecimal."""
        total = hashlib.sha256(str(self.shape).encode())
        for number in self.numbers:
            total.update(hashlib.sha256(self._read(number)).digest())
        return total.hexdigest()

    @functools.cached_property
    def _views(self):
        """The compiled function from positions [N] to their views."""

        def view(position):
            return transforms.test_view(self.encoded(position), size=self.size)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.int64)])
        def views(positions):
            spec = tf.TensorSpec(self.shape[1:], tf.uint8)
            return tf.map_fn(view, positions, fn_output_signature=spec, parallel_iterations=8)

        return views


class Floats:
    """Behaves as the float32 array `images` / 255, of which only the indexed part is computed."""

    dtype = np.dtype(np.float32)

    def __init__(self, images):
        self._images, self.shape = images, images.shape

    def __len__(self):
        return len(self._images)

    def __getitem__(self, index) -> np.ndarray:
        return self._images[index].astype(np.float32) / 255
