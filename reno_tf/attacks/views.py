"""What a gradient may see in the image's place: random views, each a function of one key for each image."""

import math

import tensorflow as tf

from reno_tf.draws import uniform

_LEAST_SCALE = 0.9  # of a diverse view; Xie et al. go from 331 to 299 pixels
_ANGLE = math.radians(24)  # at most, of a strip; as Wang et al. have it


def uniform_rows(keys, number, count: int):
    """[B, count] in [0, 1), each row a function of its key int32 [2] and `number`."""

    def row(key):
        row_key = tf.random.experimental.stateless_fold_in(key, number, alg="philox")
        return uniform([count], row_key)

    return tf.map_fn(row, keys, fn_output_signature=tf.float32)


def placing(height: int, width: int, draws, probability):
    """images [B, H, W, C] -> each shrunk and placed on black by its draws [B, 4]: whether, scale, top, left."""
    scale = tf.where(draws[:, 0] < probability, _LEAST_SCALE + (1 - _LEAST_SCALE) * draws[:, 1], 1.0)
    # Products of matrices: XLA has them and their gradients, but no image resizing.
    rows, columns = resampling(height, scale, draws[:, 2]), resampling(width, scale, draws[:, 3])
    return lambda images: tf.einsum("bih,bjw,bhwc->bijc", rows, columns, images)


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


def shuffling(height: int, width: int, draws, strips: int):
    """images [B, H, W, C] -> each cut into strips along a random axis, which are rotated and put in another order.

    draws: [B, 1 + 3 strips] in [0, 1): the axis, then each strip's length, place in the order, and angle. What is
    turned in from outside of a strip is black.
    """
    down, right, inside = _sources(height, width, draws, strips)
    turned = [tf.transpose(values, [0, 2, 1]) for values in _sources(width, height, draws, strips)]
    by_rows = (draws[:, 0] < 0.5)[:, None, None]
    rows, columns = tf.where(by_rows, down, turned[1]), tf.where(by_rows, right, turned[0])
    inside = tf.where(by_rows, inside, turned[2])
    return _sampling(height, width, rows, columns, tf.cast(inside, tf.float32))


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


def _sampling(height, width, rows, columns, weight):
    """images -> their bilinear values at the coordinates, inside of them, times the weight; these all [B, H, W]."""
    top, left = tf.floor(rows), tf.floor(columns)
    down, right = rows - top, columns - left
    shares = {
        (0, 0): (1 - down) * (1 - right),
        (0, 1): (1 - down) * right,
        (1, 0): down * (1 - right),
        (1, 1): down * right,
    }

    def place(below, beside):
        row, column = tf.minimum(top + below, height - 1.0), tf.minimum(left + beside, width - 1.0)
        return tf.reshape(tf.cast(row * width + column, tf.int32), [-1, height * width])

    corners = [(place(*corner), (weight * share)[..., None]) for corner, share in shares.items()]

    def sample(images):
        pixels = tf.reshape(images, [-1, height * width, images.shape[3]])
        values = (tf.reshape(tf.gather(pixels, index, batch_dims=1), tf.shape(images)) for index, _ in corners)
        return tf.add_n([share * value for (_, share), value in zip(corners, values, strict=True)])

    return sample
