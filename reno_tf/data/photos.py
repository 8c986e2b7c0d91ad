"""Photos of any size that stay encoded on the disk until they are used."""

import copy
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
        self._views = functools.cache(functools.partial(_compiled_views, read, size, geometry))  # For all subsets.

    def __len__(self):
        return len(self.numbers)

    def __getitem__(self, index) -> np.ndarray:
        """The views at a slice or an array of positions."""
        return self._views()(tf.constant(self.numbers[index])).numpy()

    def take(self, positions) -> "Photos":
        subset = copy.copy(self)
        subset.numbers = self.numbers[positions]
        subset.shape = len(subset), *self.shape[1:]
        return subset

    def seen(self, geometry: str) -> "Photos":
        """The same photos in another geometry."""
        return Photos(self._read, self.numbers, size=self.size, geometry=geometry)

    def encoded(self, position):
        """The encoded photo at `position`, a scalar tensor, as a string tensor; works in any graph."""
        return _encoded(self._read, tf.gather(self.numbers, position))

    def digest(self) -> str:
        """SHA-256 over the size of the views and the encoded bytes of all photos, in hexadecimal."""
        total = hashlib.sha256(str(self.shape).encode() + self.geometry.removeprefix("zoom").encode())
        for number in self.numbers:
            total.update(hashlib.sha256(self._read(number)).digest())
        return total.hexdigest()


def _encoded(read, number):
    return tf.ensure_shape(tf.numpy_function(read, [number], tf.string, stateful=False), [])


def _compiled_views(read, size, geometry):
    """The compiled function from numbers of photos, int64 [N], to their views."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int64)])
    def views(numbers):
        view = lambda number: transforms.test_view(_encoded(read, number), size=size, geometry=geometry)  # noqa: E731
        spec = tf.TensorSpec([size, size, 3], tf.uint8)
        return tf.map_fn(view, numbers, fn_output_signature=spec, parallel_iterations=8)

    return views.get_concrete_function()


class Floats:
    """Behaves as the float32 array `images` / 255, of which only the indexed part is computed."""

    dtype = np.dtype(np.float32)

    def __init__(self, images):
        self._images, self.shape = images, images.shape

    def __len__(self):
        return len(self._images)

    def __getitem__(self, index) -> np.ndarray:
        return self._images[index].astype(np.float32) / 255
