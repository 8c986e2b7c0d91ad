"""What takes a layer's place in a frozen network: operations (compute type, inputs...) -> output.

Weights are constants of the graph: only those oneDNN lays out for its kernels once, not at each call.
"""

import functools
import inspect

import numpy as np
import tensorflow as tf
import tf_keras
from tf_keras import layers

from reno_tf.models import block_convolution

_FEW_CHANNELS = 4  # An image's: a convolution's gradient for them leaves most of each vector register empty.


def identity(dtype, x):
    return x


def folds(layer, norm) -> bool:
    """Whether `norm` is a BatchNorm that can become part of the convolution `layer`."""
    return (
        type(layer) in (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D)
        and layer.activation is tf_keras.activations.linear
        and isinstance(norm, layers.BatchNormalization)
        and tuple(norm.axis) == (3,)
    )


def operation(layer, norm=None):
    """The layer in inference mode; with the BatchNorm `norm` after it, if given."""
    if type(layer) in _BUILDERS:
        return _BUILDERS[type(layer)](layer, *_affine(norm))
    if isinstance(layer, layers.BatchNormalization):
        return _scale(*_affine(layer))
    return functools.partial(_as_it_is if layer.weights else _weightless, layer)


def _affine(norm):
    """BatchNorm in inference mode is x * scale + offset, in float64."""
    if norm is None:
        return 1.0, 0.0
    mean, variance, beta, gamma = (
        None if weight is None else weight.numpy().astype(np.float64)
        for weight in (norm.moving_mean, norm.moving_variance, norm.beta, norm.gamma)
    )
    scale = (1.0 if gamma is None else gamma) / np.sqrt(variance + norm.epsilon)
    return scale, (0.0 if beta is None else beta) - mean * scale


def _scale(scale, offset):
    return lambda dtype, x: x * tf.constant(scale, x.dtype) + tf.constant(offset, x.dtype)


def _convolution(layer, scale, offset):
    kernel, padding = layer.kernel.numpy() * scale, layer.padding.upper()
    options = {"strides": layer.strides, "padding": padding, "dilations": layer.dilation_rate}
    size, blocks = kernel.shape[:2], None
    if kernel.shape[2] <= _FEW_CHANNELS and layer.strides == (2, 2) and layer.dilation_rate == (1, 1):
        blocks = block_convolution.blocked(kernel)

    def run(dtype, x):
        x = tf.cast(x, dtype)
        if blocks is None or None in x.shape[1:]:
            return tf.nn.conv2d(x, _constant(kernel, dtype), **options)
        return block_convolution.convolve(x, _constant(blocks, dtype), size=size, padding=padding)

    return _with_bias(layer, run, scale, offset)


def _depthwise(layer, scale, offset):
    kernel = layer.depthwise_kernel.numpy()
    kernel = kernel * np.reshape(np.broadcast_to(scale, kernel[0, 0].size), kernel.shape[2:])
    return _with_bias(layer, _depthwise_run(layer, kernel), scale, offset)


def _separable(layer, scale, offset):
    depthwise = _depthwise_run(layer, layer.depthwise_kernel.numpy())
    kernel = layer.pointwise_kernel.numpy() * scale

    def run(dtype, x):
        return tf.nn.conv2d(depthwise(dtype, x), _constant(kernel, dtype), strides=1, padding="VALID")

    return _with_bias(layer, run, scale, offset)


def _depthwise_run(layer, kernel):
    def run(dtype, x):
        return tf.nn.depthwise_conv2d(
            tf.cast(x, dtype),
            _constant(kernel, dtype),
            strides=(1, *layer.strides, 1),
            padding=layer.padding.upper(),
            dilations=layer.dilation_rate,
        )

    return run


def _dense(layer, scale, offset):
    kernel = layer.kernel.numpy() * scale
    return _with_bias(layer, lambda dtype, x: tf.cast(x, dtype) @ _constant(kernel, dtype), scale, offset)


def _with_bias(layer, run, scale, offset):
    """(run(x) + bias) * scale + offset, whose scale is in run's kernel already; then the activation."""
    bias = (layer.bias.numpy() if layer.use_bias else 0.0) * scale + offset

    def biased(dtype, x):
        y = run(dtype, x)
        return layer.activation(tf.nn.bias_add(y, _constant(bias, dtype)) if np.ndim(bias) else y)

    return biased


def _constant(value, dtype):
    return tf.constant(value.astype(dtype.as_numpy_dtype))


def _global_average(layer, *_):
    """Sums many small numbers: never in bfloat16."""
    return lambda dtype, x: layer.call(tf.cast(x, tf.float32) if x.dtype == tf.bfloat16 else x)


def _weightless(layer, dtype, *arguments, **keywords):
    """The layer's own code, which takes any floating type where the layer itself would cast."""
    if len({x.dtype for x in tf.nest.flatten(arguments) if _is_floating(x)}) > 1:
        arguments = tf.nest.map_structure(functools.partial(_cast, dtype), arguments)
    return layer.call(*arguments, **keywords | _inference(layer))


def _as_it_is(layer, dtype, x, *arguments, **keywords):
    """A layer with weights that this file does not know, in the layer's own type."""
    y = layer(_cast(layer.compute_dtype, x), *arguments, **keywords | _inference(layer))
    return _cast(x.dtype, y)


def _inference(layer):
    return {"training": False} if "training" in inspect.signature(layer.call).parameters else {}


def _is_floating(x):
    return tf.is_tensor(x) and x.dtype.is_floating


def _cast(dtype, x):
    return tf.cast(x, dtype) if _is_floating(x) else x


_BUILDERS = {
    layers.Conv2D: _convolution,
    layers.DepthwiseConv2D: _depthwise,
    layers.SeparableConv2D: _separable,
    layers.Dense: _dense,
    layers.GlobalAveragePooling2D: _global_average,
}
