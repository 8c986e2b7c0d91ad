"""Random numbers: TensorFlow's own, and the same under XLA."""

import numpy as np
import pytest
import tensorflow as tf
from conftest import long

from reno_tf import draws, models

_KEYS = ([0, 0], [7, 11], [123456, -5])


def _under_xla(function, key):
    """function(key), the key being an argument: of a constant TensorFlow computes the draw before XLA sees it."""
    return tf.function(function, jit_compile=True)(tf.constant(key))


@pytest.mark.parametrize("shape", [[], *long([4]), [3, 1, 1, 5], *long([7, 9, 3])])
def test_draws_are_tensorflows_with_and_without_xla(shape):
    for key in _KEYS:
        uniform = tf.random.stateless_uniform(shape, key, -1.0, 1.0, alg="philox")
        np.testing.assert_array_equal(draws.uniform(shape, key, -1.0, 1.0), uniform)
        np.testing.assert_array_equal(_under_xla(lambda key: draws.uniform(shape, key, -1.0, 1.0), key), uniform)
        normal = tf.random.stateless_normal(shape, key, alg="philox")
        np.testing.assert_allclose(draws.normal(shape, key), normal, atol=1e-5)
        np.testing.assert_allclose(_under_xla(lambda key: draws.normal(shape, key), key), normal, atol=1e-5)


def test_dropout_drops_the_same_under_xla():
    layer, features = models.SpatialDropout2D(0.5), tf.ones([5, 2, 2, 40])

    def dropped(key):
        layer.key = lambda: key
        return layer(features, training=True)

    compiled = _under_xla(dropped, [3, 4])
    np.testing.assert_array_equal(compiled, dropped(tf.constant([3, 4])))
    assert 0.3 < np.mean(compiled == 0) < 0.7
