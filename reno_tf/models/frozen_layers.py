"""What takes a layer's place in a frozen network: operations (compute type, inputs...) -> output.

Weights are constants of the graph: oneDNN lays out only constants once for its kernels, not at each call.
"""

import functools
import inspect

import numpy as np
import tensorflow as tf
import tf_keras
from tf_keras import layers

from reno_tf.models import block_convolution, depthwise_convolution

_FEW_CHANNELS = 4  # An image's: a convolution's gradient for them leaves most of each vector register empty.


def folds(layer, norm) -> bool:
    """Whether `norm` is a BatchNorm that can become part of the convolution `layer`."""
    return (
        type(layer) in (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D)
        and layer.activation is tf_keras.activations.linear
        and isinstance(norm, layers.BatchNormalization)
        and tuple(norm.axis) == (3,)
    )


def pads(layer, convolution) -> bool:
    """Whether `layer` only adds zeros, which the strided depthwise `convolution` can add itself."""
    return (
        type(layer) is layers.ZeroPadding2D
        and type(convolution) is layers.DepthwiseConv2D
        and convolution.padding == "valid"
        and _has_own_gradient(convolution)
    )


def operation(layer, norm=None, padding=None):
    """The layer in inference mode; with the ZeroPadding2D `padding` before it and the BatchNorm `norm` after it."""
    if type(layer) is layers.GlobalAveragePooling2D:  # It sums many small numbers: never in bfloat16.
        return lambda dtype, x: layer.call(tf.cast(x, tf.float32) if x.dtype == tf.bfloat16 else x)
    if type(layer) is layers.Rescaling:
        return lambda dtype, x: _rescaled(x, layer.scale, layer.offset)
    if isinstance(layer, layers.BatchNormalization):
        scale, offset = _affine(layer)
        return lambda dtype, x: x * tf.constant(scale, x.dtype) + tf.constant(offset, x.dtype)
    if type(layer) not in _PRODUCTS:
        return functools.partial(_as_it_is if layer.weights else _weightless, layer)
    scale, offset = _affine(norm) if norm else (1.0, 0.0)
    product = _depthwise(layer, scale, padding.padding) if padding else _PRODUCTS[type(layer)](layer, scale)
    bias = (layer.bias.numpy() if layer.use_bias else 0.0) * scale + offset

    def run(dtype, x):
        y = product(dtype, tf.cast(x, dtype))
        return layer.activation(tf.nn.bias_add(y, _constant(bias, dtype)) if np.ndim(bias) else y)

    return run


def _rescaled(images, scale, offset):
    """Row by row: over an innermost axis of 3 TensorFlow's broadcasts are six times as slow."""
    width, channels = images.shape[2:]
    if None in images.shape[1:]:
        return images * tf.constant(scale, images.dtype) + tf.constant(offset, images.dtype)
    scale, offset = (np.tile(np.broadcast_to(value, channels), width) for value in (scale, offset))
    rows = tf.reshape(images, [-1, images.shape[1], width * channels])
    return tf.reshape(
        rows * tf.constant(scale, images.dtype) + tf.constant(offset, images.dtype), [-1, *images.shape[1:]]
    )


def _affine(norm):
    """BatchNorm in inference mode is x * scale + offset, in float64."""
    mean, variance, beta, gamma = (
        None if weight is None else weight.numpy().astype(np.float64)
        for weight in (norm.moving_mean, norm.moving_variance, norm.beta, norm.gamma)
    )
    scale = (1.0 if gamma is None else gamma) / np.sqrt(variance + norm.epsilon)
    return scale, (0.0 if beta is None else beta) - mean * scale


def _convolution(layer, scale):
    kernel, padding = layer.kernel.numpy() * scale, layer.padding.upper()
    size, blocks = kernel.shape[:2], None
    if kernel.shape[2] <= _FEW_CHANNELS and layer.strides == (2, 2) and layer.dilation_rate == (1, 1):
        blocks = block_convolution.blocked(kernel)

    def product(dtype, x):
        if blocks is None or None in x.shape[1:]:
            return tf.nn.conv2d(x, _constant(kernel, dtype), layer.strides, padding, dilations=layer.dilation_rate)
        return block_convolution.convolve(x, _constant(blocks, dtype), size=size, padding=padding)

    return product


def _depthwise(layer, scale, around=((0, 0), (0, 0))):
    """`around`: zeros that are added first, [[top, bottom], [left, right]], if the layer's padding is "valid"."""
    kernel, stride, padding = layer.depthwise_kernel.numpy(), layer.strides[0], layer.padding.upper()
    kernel = kernel * np.reshape(np.broadcast_to(scale, kernel[0, 0].size), kernel.shape[2:])
    strides = (1, stride, stride, 1)

    def product(dtype, x):
        if dtype == tf.bfloat16 and _has_own_gradient(layer) and None not in x.shape[1:]:
            sizes = zip(x.shape[1:3], kernel.shape, strict=False)
            same = [depthwise_convolution.same_padding(*size, stride) for size in sizes]
            zeros = same if padding == "SAME" else [list(pair) for pair in around]
            return depthwise_convolution.convolve(x, kernel.astype(dtype.as_numpy_dtype), stride=stride, around=zeros)
        x = tf.pad(x, [[0, 0], *around, [0, 0]]) if np.any(around) else x
        return tf.nn.depthwise_conv2d(x, _constant(kernel, dtype), strides, padding, dilations=layer.dilation_rate)

    return product


def _has_own_gradient(layer):
    """TensorFlow's own is slow for them in bfloat16, and `depthwise_convolution` has another."""
    return layer.strides[0] > 1 and layer.depth_multiplier == 1


def _separable(layer, scale):
    depthwise, kernel = _depthwise(layer, 1.0), layer.pointwise_kernel.numpy() * scale
    return lambda dtype, x: tf.nn.conv2d(depthwise(dtype, x), _constant(kernel, dtype), 1, "VALID")


def _dense(layer, scale):
    kernel = layer.kernel.numpy() * scale
    return lambda dtype, x: x @ _constant(kernel, dtype)


def _constant(value, dtype):
    return tf.constant(value.astype(dtype.as_numpy_dtype))


def _weightless(layer, dtype, *arguments, **keywords):
    """The layer's own code, which takes any floating type where the layer itself would cast."""
    if len({x.dtype for x in tf.nest.flatten(arguments) if tf.is_tensor(x) and x.dtype.is_floating}) > 1:
        arguments = tf.nest.map_structure(functools.partial(_cast, dtype), arguments)
    return layer.call(*arguments, **keywords | _inference(layer))


def _as_it_is(layer, dtype, x, *arguments, **keywords):
    """A layer with weights that this file does not know, in the layer's own type."""
    return _cast(x.dtype, layer(_cast(layer.compute_dtype, x), *arguments, **keywords | _inference(layer)))


def _inference(layer):
    return {"training": False} if "training" in inspect.signature(layer.call).parameters else {}


def _cast(dtype, x):
    return tf.cast(x, dtype) if tf.is_tensor(x) and x.dtype.is_floating else x


# Type of a layer -> (layer, factor of its outputs) -> (compute type, x) -> product with the scaled kernel.
_PRODUCTS = {
    layers.Conv2D: _convolution,
    layers.DepthwiseConv2D: _depthwise,
    layers.SeparableConv2D: _separable,
    layers.Dense: _dense,
}
