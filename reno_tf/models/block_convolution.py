"""Convolutions of stride 2 as ones of stride 1 on 2x2 blocks, which hold four times the channels.

The same sums in another order. On an image's three channels the gradient is several times faster.
"""

import numpy as np
import tensorflow as tf


def blocked(kernel: np.ndarray) -> np.ndarray:
    """[h, w, c, n] -> [ceil(h/2), ceil(w/2), 4 c, n], the kernel for `convolve`."""
    kernel = np.pad(kernel, [[0, size % 2] for size in kernel.shape[:2]] + [[0, 0]] * 2)
    high, wide, channels, filters = kernel.shape
    kernel = kernel.reshape(high // 2, 2, wide // 2, 2, channels, filters)
    return kernel.transpose(0, 2, 1, 3, 4, 5).reshape(high // 2, wide // 2, 4 * channels, filters)


def convolve(images, kernel, *, size, padding: str):
    """tf.nn.conv2d of stride 2 on [B, H, W, c], H and W known, with the kernel that `kernel` was `blocked` from.

    `size` is that kernel's height and width, `padding` "SAME" or "VALID".
    """
    lengths, around = [-1] * 4, [[0, 0]] * 4
    for axis in (1, 2):  # Pad or crop it to what a kernel of that size, made even, crosses in steps of 2.
        length, window = images.shape[axis], size[axis - 1]
        steps = -(-length // 2) if padding == "SAME" else (length - window) // 2 + 1
        before = max(2 * (steps - 1) + window - length, 0) // 2 if padding == "SAME" else 0
        after = 2 * (steps - 1) + window + window % 2 - length - before
        lengths[axis], around[axis] = length + min(after, 0), [before, max(after, 0)]
    images = tf.pad(tf.slice(images, [0] * 4, lengths), around)
    _, height, width, channels = images.shape
    blocks = tf.reshape(images, [-1, height // 2, 2, width // 2, 2, channels])
    blocks = tf.reshape(tf.transpose(blocks, [0, 1, 3, 2, 4, 5]), [-1, height // 2, width // 2, 4 * channels])
    return tf.nn.conv2d(blocks, kernel, 1, "VALID")
