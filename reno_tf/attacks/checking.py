"""What an attack can be given and cannot work with, said in one line."""

import tensorflow as tf

from reno_tf.errors import UserError

_ROUNDING = 1e-5  # resizing leaves [0, 1] by as much


class ZeroGradient(UserError):
    """The attacked network does not answer to its input."""


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


def refuse_zero_gradient(loss, images) -> None:
    """Raises ZeroGradient if the gradient of `loss`, images -> [B], is zero for every value of `images`."""

    @tf.function
    def any_gradient(images):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(images)
            total = tf.reduce_sum(loss(images))
        return tf.reduce_any(tape.gradient(total, images, unconnected_gradients=tf.UnconnectedGradients.ZERO) != 0)

    try:
        found = any_gradient.get_concrete_function(images)(images)  # Each attack's own, so compiled once.
    except LookupError as error:  # An operation that has none, as some of those that change an image's contrast.
        raise ZeroGradient(f"the attack cannot work: {' '.join(str(error).split())[:200]}") from None
    if not found:
        raise ZeroGradient("the attack cannot work: the attacked model's gradient is zero everywhere")
