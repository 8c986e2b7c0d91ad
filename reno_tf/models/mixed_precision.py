"""Models that train with bfloat16 feature maps and float32 weights."""

import contextlib

import tensorflow as tf
import tf_keras
from tf_keras import mixed_precision

from reno_tf import hardware
from reno_tf.errors import choose

PRECISIONS = ("float32", "mixed_bfloat16", "auto")


@contextlib.contextmanager
def policy(precision: str):
    """Layers built inside compute in that precision; "auto": mixed if the hardware has it. Raises UserError."""
    choose("precision", precision, PRECISIONS)
    if precision == "float32" or (precision == "auto" and not hardware.has_bfloat16()):
        yield  # Keras's own floating type, which tests may raise to float64.
        return
    before = mixed_precision.global_policy()
    mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        yield
    finally:
        # None stands for Keras's floating type, also after a later change of it.
        mixed_precision.set_global_policy(None if before.name == tf_keras.backend.floatx() else before)


def pays(model: tf_keras.Model) -> bool:
    """Whether bfloat16 speeds its training up: on CPUs not where there are depthwise convolutions (docs/speed.md)."""
    kinds = (tf_keras.layers.DepthwiseConv2D, tf_keras.layers.SeparableConv2D)
    depthwise = any(isinstance(layer, kinds) for layer in model._flatten_layers(include_self=False))
    return not depthwise or bool(tf.config.list_physical_devices("GPU"))


def is_mixed(model: tf_keras.Model) -> bool:
    """Whether any of the model's layers computes in bfloat16."""
    return any(layer.compute_dtype == "bfloat16" for layer in model._flatten_layers(include_self=False))


def as_float32(model: tf_keras.Model) -> tf_keras.Model:
    """Switches a mixed model to float32, in place, and returns it. Its weights are float32 in either case."""
    for layer in model._flatten_layers(include_self=False):
        if layer.compute_dtype == "bfloat16":
            layer._set_dtype_policy("float32")
    return model
