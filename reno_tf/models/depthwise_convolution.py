"""Strided depthwise convolutions whose gradient for the images is a depthwise convolution too.

It has stride 1 and the flipped kernel, and runs over the upstream gradient with zeros between its values. For
TensorFlow's own gradient oneDNN has no kernel in bfloat16: on CPUs it takes up to forty times as long.
"""

import numpy as np
import tensorflow as tf


def convolve(x, kernel: np.ndarray, *, stride: int, around):
    """tf.nn.depthwise_conv2d on [B, H, W, c], H and W known. The kernel, [h, w, c, 1], gets no gradient.

    `around`: how many zeros go before and after each of height and width, [[top, bottom], [left, right]].
    """
    back = []  # The same for the gradient.
    for length, window, (before, after) in zip(x.shape[1:3], kernel.shape, around, strict=False):
        steps = (length + before + after - window) // stride + 1
        back.append([window - 1 - before, length + before - stride * steps])
    if np.min(back) < 0:  # Windows that skip pixels, or see nothing but zeros.
        return _convolution(x, kernel, stride, around)
    flipped = np.ascontiguousarray(kernel[::-1, ::-1])

    @tf.custom_gradient
    def run(x):
        return _convolution(x, kernel, stride, around), lambda dy: _convolution(_spread(dy, stride), flipped, 1, back)

    return run(x)


def same_padding(length: int, window: int, stride: int) -> list[int]:
    """How many zeros TensorFlow's "SAME" puts before and after an axis."""
    total = max((-(-length // stride) - 1) * stride + window - length, 0)
    return [total // 2, total - total // 2]


def _convolution(x, kernel, stride, around):
    """Never with explicit paddings: fused with a bias and ReLU6 they abort TensorFlow 2.21."""
    same = [same_padding(length, window, stride) for length, window in zip(x.shape[1:3], kernel.shape, strict=False)]
    x = x if around == same else tf.pad(x, [[0, 0], *around, [0, 0]])
    padding = "SAME" if around == same else "VALID"
    return tf.nn.depthwise_conv2d(x, tf.constant(kernel), [1, stride, stride, 1], padding)


def _spread(x, stride):
    """[B, H, W, c] -> [B, stride * H, stride * W, c]: zeros follow each value."""
    _, height, width, channels = x.shape
    pixels = tf.reshape(x, [-1, height, 1, width, 1, channels])
    zeros = [[0, 0], [0, 0], [0, stride - 1], [0, 0], [0, stride - 1], [0, 0]]
    return tf.reshape(tf.pad(pixels, zeros), [-1, stride * height, stride * width, channels])
