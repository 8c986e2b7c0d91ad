"""What an attack cannot work with, refused in one line."""

import contextlib
from collections.abc import Iterator

import tensorflow as tf

from reno_tf.errors import UserError, one_line

_ROUNDING = 1e-5  # resizing leaves [0, 1] by as much


class ZeroGradient(UserError):
    """The attacked network does not respond to its input."""


def as_images(images) -> tf.Tensor:
    """Images as float32 [B, H, W, 3]; inside a tf.function their values are not looked at.

    Raises UserError for integers, another shape, NaN, or values outside [0, 1].
    """
    images = tf.convert_to_tensor(images)
    refuse_integers(images.dtype)
    if images.shape.rank != 4 or images.shape[-1] != 3:
        raise UserError(f"images must be [B, H, W, 3], not {images.shape}")
    images = tf.cast(images, tf.float32)
    if tf.executing_eagerly():
        if not tf.reduce_all(tf.math.is_finite(images)):
            raise UserError("images must be finite, but some values are NaN or infinite")
        lowest, highest = float(tf.reduce_min(images)), float(tf.reduce_max(images))
        if lowest < -_ROUNDING or highest > 1 + _ROUNDING:
            raise UserError(f"images must be in [0, 1], but their values are from {lowest:.4g} to {highest:.4g}")
    return images


def refuse_integers(dtype) -> None:
    if not dtype.is_floating:
        raise UserError(f"images must be floats in [0, 1], not {dtype.name}: divide 0..255 by 255")


@contextlib.contextmanager
def refuse_no_gradient() -> Iterator[None]:
    """Raises ZeroGradient where TensorFlow has no gradient of an operation, as of some that change the contrast."""
    try:
        yield
    except LookupError as error:
        if isinstance(error, (KeyError, IndexError)):  # A mistake in a program, not in a network.
            raise
        raise ZeroGradient(f"the attack cannot work: {one_line(error)}") from None


def refuse_zero_gradient(loss, images) -> None:
    """Raises ZeroGradient if the gradient of `loss`, images -> [B], is zero for every value of `images`."""

    @tf.function
    def any_gradient(images):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(images)
            total = tf.reduce_sum(loss(images))
        return tf.reduce_any(tape.gradient(total, images, unconnected_gradients=tf.UnconnectedGradients.ZERO) != 0)

    if not any_gradient.get_concrete_function(images)(images):  # Each attack's own, so compiled once.
        raise ZeroGradient("the attack cannot work: the attacked model's gradient is zero everywhere")
