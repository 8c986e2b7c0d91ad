"""Random numbers that are the same whether XLA compiles or not.

TensorFlow's integers of the Philox generator are; its floats are not, as XLA makes them of other bits. So floats are
made of the integers here. The uniform ones are bit-equal to those of TensorFlow without XLA.
"""

import math

import tensorflow as tf

_MANTISSA = 23  # bits of a float32
_TINY = 1e-7  # Its logarithm is finite.


def uniform(shape, key, low: float = 0.0, high: float = 1.0) -> tf.Tensor:
    """float32 of that shape in [low, high), a pure function of `key`, int32 [2]."""
    bits = tf.random.stateless_uniform(shape, key, None, None, tf.int32, alg="philox")
    draw = tf.cast(bits & (2**_MANTISSA - 1), tf.float32) * 2.0**-_MANTISSA  # Exact.
    return draw * (high - low) + low


def normal(shape, key) -> tf.Tensor:
    """float32 of that shape, mean 0 and variance 1, a pure function of `key`, int32 [2] (Box and Muller, 1958)."""
    size = tf.reduce_prod(tf.convert_to_tensor(shape, tf.int32))
    draw = uniform([(size + 1) // 2, 2], key)
    radius, angle = tf.sqrt(-2 * tf.math.log(tf.maximum(draw[:, 0], _TINY))), 2 * math.pi * draw[:, 1]
    pairs = tf.stack([radius * tf.sin(angle), radius * tf.cos(angle)], axis=1)
    return tf.reshape(tf.reshape(pairs, [-1])[:size], shape)
