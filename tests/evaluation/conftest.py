"""A linear student, and images that it gets right."""

import numpy as np
import pytest
from toys import linear_teacher

from reno_tf.data import Dataset, Split
from reno_tf.evaluation import predict


@pytest.fixture(scope="module")
def student():
    return linear_teacher(seed=4)


@pytest.fixture(scope="module")
def dataset(student):
    rng = np.random.default_rng(0)

    def split(count):
        images = rng.integers(0, 256, [count, 4, 4, 3]).astype(np.uint8)
        return Split(images, predict(student, images.astype(np.float32) / 255))  # All are right.

    return Dataset("toy", ["a", "b", "c"], split(6), split(9), split(12))
