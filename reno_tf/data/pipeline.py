"""Batches that are a pure function of (seed, step), so that a run can resume at any step."""

import math

import tensorflow as tf

from reno_tf.data import transforms
from reno_tf.data.base import Split
from reno_tf.data.photos import Photos

_ORDER_STREAM, _AUGMENT_STREAM, _CROP_STREAM = 2, 3, 4


def train_batches(split: Split, *, batch_size: int, seed: int, start_step: int = 0, augment=None) -> tf.data.Dataset:
    """Endless batches (images float32 [B, H, W, 3] in [0, 1], labels int64 [B]) from `start_step` on.

    Each pass over the data has its own permutation; a batch may span two passes. Each photo gets a random
    resized crop, and then `augment`, if given: (images float32 [B, H, W, 3], seed int32 [2]) -> images.
    """
    key = _key(seed, _AUGMENT_STREAM)
    batches = _photo_batches if isinstance(split.images, Photos) else _array_batches

    def finish(step, images, labels):
        images = tf.cast(images, tf.float32) / 255
        if augment is not None:
            images = augment(images, tf.random.experimental.stateless_fold_in(key, step, alg="philox"))
        return images, labels

    steps = batches(split, batch_size=batch_size, seed=seed, start_step=start_step)
    return steps.map(finish, num_parallel_calls=1, deterministic=True).prefetch(2)


def first_images(dataset, *, batch_size: int, seed: int, count: int = 32):
    """(images [N, H, W, 3] in [0, 1], class names): the first training images, as a student sees them."""
    batches = train_batches(dataset.train, batch_size=batch_size, seed=seed, augment=dataset.augment)
    images, labels = next(iter(batches))
    return images[:count].numpy(), [dataset.class_names[label] for label in labels[:count]]


def eval_batches(split: Split, *, batch_size: int) -> tf.data.Dataset:
    """One pass in order, without augmentation: (images float32 in [0, 1], labels)."""
    images, shape = split.floats(), (None, *split.images.shape[1:])

    def batches():
        for first in range(0, len(split), batch_size):
            yield images[first : first + batch_size], split.labels[first : first + batch_size]

    signature = (tf.TensorSpec(shape, tf.float32), tf.TensorSpec([None], tf.int64))
    dataset = tf.data.Dataset.from_generator(batches, output_signature=signature).prefetch(2)
    return dataset.apply(tf.data.experimental.assert_cardinality(batches_per_pass(split, batch_size)))


def batches_per_pass(split: Split, batch_size: int) -> int:
    return math.ceil(len(split) / batch_size)


def _array_batches(split, *, batch_size, seed, start_step):
    """(step, images uint8, labels), a batch at a time."""
    images, labels = tf.constant(split.images), tf.constant(split.labels)

    def batch(step):
        indices = _order(step * batch_size + tf.range(batch_size, dtype=tf.int64), size=len(split), seed=seed)
        return step, tf.gather(images, indices), tf.gather(labels, indices)

    return tf.data.Dataset.range(start_step, tf.int64.max).map(batch, num_parallel_calls=1, deterministic=True)


def _photo_batches(split, *, batch_size, seed, start_step):
    """(step, images float32 in [0, 255], labels), a photo at a time on each core."""
    labels, key = tf.constant(split.labels), _key(seed, _CROP_STREAM)

    def photo(position):
        index = _order(position[None], size=len(split), seed=seed)[0]
        photo_key = tf.random.experimental.stateless_fold_in(key, position, alg="philox")
        crop = transforms.random_resized_crop(split.images.encoded(index), photo_key, size=split.images.size)
        return position // batch_size, crop, labels[index]

    positions = tf.data.Dataset.range(start_step * batch_size, tf.int64.max)
    photos = positions.map(photo, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return photos.batch(batch_size, drop_remainder=True).map(lambda step, x, y: (step[0], x, y))


def _key(seed, stream):
    return tf.random.experimental.stateless_fold_in([seed, stream], 0, alg="philox")


def _order(positions, *, size, seed):
    """The place in the split of each position of the endless sequence: one permutation per pass, computed on demand."""
    passes, offsets = positions // size, positions % size
    streams = [tf.fill(tf.shape(positions), tf.constant(c, tf.int64)) for c in (seed, _ORDER_STREAM)]
    keys = tf.stack([*streams, passes], 1)
    return tf.raw_ops.RandomIndexShuffle(index=offsets, seed=keys, max_index=tf.constant(size - 1, tf.int64))
