"""What a gradient may see in the image's place: random views, each a function of one key for each image."""

import math

import tensorflow as tf

from reno_tf.draws import uniform

_LEAST_SCALE = 0.9  # of a diverse view; Xie et al. go from 331 to 299 pixels
_ANGLE = math.radians(24)  # at most, of a strip; as Wang et al. have it


def draw(keys, number, count: int):
    """[B, count] in [0, 1), each row a function of its key int32 [2] and `number`."""

    def row(key):
        own = tf.random.experimental.stateless_fold_in(key, number, alg="philox")
        return uniform([count], own)

    return tf.map_fn(row, keys, fn_output_signature=tf.float32)


def place(x, draws, probability):
    """Shrinks and places each image [H, W, C] by its draws [B, 4]: whether, scale, top, left."""
    scale = tf.where(draws[:, 0] < probability, _LEAST_SCALE + (1 - _LEAST_SCALE) * draws[:, 1], 1.0)
    # Products of matrices: XLA has them and their gradients, image resizing it has not.
    rows, columns = (resampling(x.shape[axis], scale, draws[:, 1 + axis]) for axis in (1, 2))
    return tf.einsum("bih,bjw,bhwc->bijc", rows, columns, x)


def resampling(size, scale, place):
    """[B, size, size]: each output pixel's bilinear weights over the input's; 0 outside the shrunk image."""
    scale, place = scale[:, None], place[:, None]
    first = size * (1 - scale) * place
    position = tf.range(size, dtype=tf.float32)[None]
    source = (position + 0.5 - first) / scale - 0.5
    inside = (source >= -0.5) & (source < size - 0.5)
    nearest = tf.clip_by_value(source, 0.0, size - 1.0)
    weights = tf.nn.relu(1 - tf.abs(nearest[:, :, None] - position[:, None]))
    return tf.where(inside[:, :, None], weights, 0.0)


def shuffle(x, draws, strips: int):
    """Cuts each image [H, W, C] into strips along a random axis, rotates each, and puts them in another order.

    draws: [B, 1 + 3 strips] in [0, 1): the axis, then each strip's length, place in the order, and angle. What is
    turned in from outside of a strip is black.
    """
    height, width = x.shape[1:3]
    y, across, inside = _sources(height, width, draws, strips)
    turned = [tf.transpose(values, [0, 2, 1]) for values in _sources(width, height, draws, strips)]
    by_rows = (draws[:, 0] < 0.5)[:, None, None]
    rows, columns = tf.where(by_rows, y, turned[1]), tf.where(by_rows, across, turned[0])
    return tf.where(tf.where(by_rows, inside, turned[2])[..., None], _bilinear(x, rows, columns), 0.0)


def _sources(along, across, draws, strips):
    """Where each pixel [B, along, across] comes from: both coordinates, and whether that is inside of its strip."""
    lengths, order, angles = tf.split(draws[:, 1:], 3, axis=1)
    order, angles = tf.argsort(order, axis=1), _ANGLE * (2 * angles - 1)
    shares = tf.cumsum(0.5 + lengths, axis=1)  # The longest strip is at most three times the shortest.
    cuts = tf.round(along * shares / shares[:, -1:])
    sizes = tf.concat([cuts[:, :1], cuts[:, 1:] - cuts[:, :-1]], axis=1)
    ends = tf.cumsum(tf.gather(sizes, order, batch_dims=1), axis=1)
    position = tf.range(along, dtype=tf.float32)
    slot = tf.reduce_sum(tf.cast(position[None, :, None] >= ends[:, None, :-1], tf.int32), axis=2)
    strip = tf.gather(order, slot, batch_dims=1)

    def of_strip(values, which=strip):
        return tf.gather(values, which, batch_dims=1)[:, :, None]

    size, angle, first = of_strip(sizes), of_strip(angles), of_strip(tf.cumsum(sizes, axis=1, exclusive=True))
    placed = of_strip(tf.concat([tf.zeros_like(ends[:, :1]), ends[:, :-1]], axis=1), slot)
    # About the middle of the strip.
    middle, half = (size - 1) / 2, (across - 1) / 2
    down, right = position[None, :, None] - placed - middle, tf.range(across, dtype=tf.float32)[None, None, :] - half
    u = tf.cos(angle) * down - tf.sin(angle) * right + middle
    v = tf.sin(angle) * down + tf.cos(angle) * right + half
    inside = (u >= -0.5) & (u <= size - 0.5) & (v >= -0.5) & (v <= across - 0.5)
    return first + tf.clip_by_value(u, 0.0, size - 1), tf.clip_by_value(v, 0.0, across - 1.0), inside


def _bilinear(x, rows, columns):
    """The image's values [B, H, W, C] at the coordinates [B, H, W], which lie inside of it."""
    height, width, channels = x.shape[1:]
    pixels = tf.reshape(x, [-1, height * width, channels])

    def at(row, column):
        place = tf.minimum(row, height - 1) * width + tf.minimum(column, width - 1)
        return tf.reshape(tf.gather(pixels, tf.reshape(place, [-1, height * width]), batch_dims=1), tf.shape(x))

    top, left = tf.cast(tf.floor(rows), tf.int32), tf.cast(tf.floor(columns), tf.int32)
    down, right = (rows - tf.floor(rows))[..., None], (columns - tf.floor(columns))[..., None]
    upper = (1 - right) * at(top, left) + right * at(top, left + 1)
    return (1 - down) * upper + down * ((1 - right) * at(top + 1, left) + right * at(top + 1, left + 1))
