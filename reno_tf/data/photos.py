"""Photos of any size that stay encoded, on disk, until they are looked at."""

import functools
import hashlib
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from reno_tf.data import transforms


class Photos:
    """Looks like a uint8 array [N, size, size, 3] of test views; what is indexed is decoded then.

    A test view is the photo with its shorter side at size * 256 / 224, its centre cropped.

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
        """The bytes of the photo at `position` (a scalar tensor), as a string tensor in any graph."""
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
        @tf.function(input_signature=[tf.TensorSpec([None], tf.int64)])
        def views(positions):
            view = tf.TensorSpec([self.size, self.size, 3], tf.uint8)
            decode = lambda position: transforms.test_view(self.encoded(position), size=self.size)  # noqa: E731
            return tf.map_fn(decode, positions, fn_output_signature=view, parallel_iterations=8)

        return views


class Floats:
    """`images` / 255 as float32, computed for what is indexed: [0, 1], as the models take them."""

    dtype = np.dtype(np.float32)

    def __init__(self, images):
        self._images, self.shape = images, images.shape

    def __len__(self):
        return len(self._images)

    def __getitem__(self, index) -> np.ndarray:
        return self._images[index].astype(np.float32) / 255
