"""Whether an attack can go through a network that was made elsewhere: asked once, before hours are spent."""

import tensorflow as tf

from reno_tf import hardware
from reno_tf.attacks import ATTACKS
from reno_tf.errors import one_line


def why_none(network, images) -> str | None:
    """Why the white box cannot follow the gradient of `network`, images -> {"logits"}; None if it can.

    images: float32 [B, H, W, 3] in [0, 1]. A gradient that is zero there says nothing: elsewhere it may not be.
    """
    objective = ATTACKS["white_box"].attack.objective

    def gradient(images):
        labels = objective.remember(network, images, None, None)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(images)
            total = tf.reduce_sum(objective.loss(network(images), *labels))
        return tape.gradient(total, images)

    try:
        values = tf.function(gradient, autograph=False, jit_compile=hardware.resolve_jit("auto"))(tf.constant(images))
    except Exception as error:  # From any operation that has no gradient, or none that compiles.
        return f"the model gives no gradient: {one_line(error).partition('. ')[0]}"
    if values is None:
        return "the model gives no gradient: an operation between its images and its answers has none"
    if not tf.reduce_all(tf.math.is_finite(values)):
        return "the model's gradient is not finite"
    return None
