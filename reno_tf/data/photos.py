"""Photos of any size that stay encoded on the disk until they are used."""

import functools
import hashlib
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from reno_tf.data import transforms


class Photos:
    """Behaves as a uint8 array [N, size, size, 3] of `transforms.test_view`s, each of which is decoded when indexed.

    read: number of a photo -> its encoded bytes. numbers: int [N], the photos that belong to this set. geometry: of the
    views, a key of `transforms.GEOMETRIES`.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, read: Callable, numbers, *, size: int, geometry: str = "zoom"):
        self._read, self.numbers, self.size, self.geometry = read, np.asarray(numbers, np.int64), size, geometry
        self.shape = len(self), size, size, 3

    def __len__(self):
        return len(self.numbers)

    def __getitem__(self, index) -> np.ndarray:
        """The views at a slice or an array of positions."""
        return self._views(tf.constant(np.arange(len(self))[index])).numpy()

    def take(self, positions) -> "Photos":
        return Photos(self._read, self.numbers[positions], size=self.size, geometry=self.geometry)

    def seen(self, geometry: str) -> "Photos":
        """The same photos in another geometry."""
        return Photos(self._read, self.numbers, size=self.size, geometry=geometry)

    def encoded(self, position):
        """The encoded photo at `position`, a scalar tensor, as a string tensor; works in any graph."""
        number = tf.gather(self.numbers, position)
        return tf.ensure_shape(tf.numpy_function(self._read, [number], tf.string, stateful=False), [])

    def digest(self) -> str:
        """SHA-256 over the size of the views and the encoded bytes of all photos, in hexadecimal."""
        total = hashlib.sha256(str(self.shape).encode() + self.geometry.removeprefix("zoom").encode())
        for number in self.numbers:
            total.update(hashlib.sha256(self._read(number)).digest())
        return total.hexdigest()

    @functools.cached_property
    def _views(self):
        """The compiled function from positions [N] to their views."""
        view = lambda position: transforms.test_view(  # noqa: E731
            self.encoded(position), size=self.size, geometry=self.geometry
        )
        options = {"fn_output_signature": tf.TensorSpec(self.shape[1:], tf.uint8), "parallel_iterations": 8}
        signature = [tf.TensorSpec([None], tf.int64)]
        return tf.function(lambda positions: tf.map_fn(view, positions, **options), input_signature=signature)


class Floats:
    """Behaves as the float32 array `images` / 255, of which only the indexed part is computed."""

    dtype = np.dtype(np.float32)

    def __init__(self, images):
        self._images, self.shape = images, images.shape

    def __len__(self):
        return len(self._images)

    def __getitem__(self, index) -> np.ndarray:
        return self._images[index].astype(np.float32) / 255
