"""Batches whose contents are a pure function of (seed, step), so that a run can resume anywhere."""

import math

import tensorflow as tf

from reno_tf.data.base import Split

_ORDER_STREAM, _AUGMENT_STREAM = 2, 3


def train_batches(split: Split, *, batch_size: int, seed: int, start_step: int = 0, augment=None) -> tf.data.Dataset:
    """Endless batches (images float32 [B, H, W, 3] in [0, 1], labels int64 [B]) from `start_step` on.

    Each pass over the data is its own permutation; a batch may span two passes.

    Args:
      augment: (images float32 [B, H, W, 3], seed int32 [2]) -> images, or None.
    """
    size = len(split)
    images, labels = tf.constant(split.images), tf.constant(split.labels)

    def batch(step):
        position = step * batch_size + tf.range(batch_size, dtype=tf.int64)
        passes, offset = position // size, position % size
        keys = tf.stack([tf.fill([batch_size], tf.constant(c, tf.int64)) for c in (seed, _ORDER_STREAM)] + [passes], 1)
        # Where `offset` lies in the permutation named by its key, without ever storing one.
        indices = tf.raw_ops.RandomIndexShuffle(index=offset, seed=keys, max_index=tf.constant(size - 1, tf.int64))
        chosen = tf.cast(tf.gather(images, indices), tf.float32) / 255
        if augment is not None:
            base = tf.random.experimental.stateless_fold_in([seed, _AUGMENT_STREAM], 0, alg="philox")
            chosen = augment(chosen, tf.random.experimental.stateless_fold_in(base, step, alg="philox"))
        return chosen, tf.gather(labels, indices)

    steps = tf.data.Dataset.range(start_step, tf.int64.max)
    return steps.map(batch, num_parallel_calls=1, deterministic=True).prefetch(2)


def eval_batches(split: Split, *, batch_size: int) -> tf.data.Dataset:
    """One pass in order, without augmentation: (images float32 in [0, 1], labels)."""
    batches = tf.data.Dataset.from_tensor_slices((split.images, split.labels)).batch(batch_size)
    return batches.map(lambda images, labels: (tf.cast(images, tf.float32) / 255, labels)).prefetch(2)


def random_affine(images, seed, *, rotation=0.15, scale=0.1, shift=2.0):
    """Turns, scales and shifts each image about its centre; edges are continued outwards.

    Args:
      images: float [B, H, W, 3]. seed: int32 [2].
      rotation: largest angle, radians. scale: largest change of size, a fraction.
      shift: largest shift along each axis, pixels.
    """
    batch, height, width = tf.shape(images)[0], images.shape[1], images.shape[2]
    draw = tf.random.stateless_uniform([4, batch], seed, -1.0, 1.0, alg="philox")
    angle, zoom = rotation * draw[0], 1.0 + scale * draw[1]
    a, b = tf.cos(angle) / zoom, tf.sin(angle) / zoom
    cx, cy = (width - 1) / 2, (height - 1) / 2
    # output (x, y) -> input: rotate about the centre, then shift
    tx = cx + shift * draw[2] - (a * cx - b * cy)
    ty = cy + shift * draw[3] - (b * cx + a * cy)
    zero = tf.zeros_like(a)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([a, -b, tx, b, a, ty, zero, zero], axis=1),
        output_shape=[height, width],
        interpolation="BILINEAR",
        fill_mode="NEAREST",
        fill_value=0.0,
    )


def batches_per_pass(split: Split, batch_size: int) -> int:
    return math.ceil(len(split) / batch_size)
