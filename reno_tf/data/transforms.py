"""The transforms between an image and a network: torchvision's for photos, in TensorFlow.

Every random choice is a pure function of the given key.
"""

import math

import tensorflow as tf

_ATTEMPTS = 10  # torchvision's number of draws until a crop lies in the image
_BANDS = 16  # A resize computes its output rows in so many bands.


def decode(encoded):
    """Encoded JPEG, PNG, ... -> uint8 [H, W, 3], a JPEG bit-equal to Pillow's."""
    image = tf.cond(
        tf.io.is_jpeg(encoded),
        lambda: tf.io.decode_jpeg(encoded, channels=3, dct_method="INTEGER_ACCURATE"),
        lambda: tf.io.decode_image(encoded, channels=3, expand_animations=False),
    )
    return tf.ensure_shape(image, [None, None, 3])


def decode_crop(encoded, window, *, size: int):
    """The crop `window` (top, left, height, width) of an image, uint8 [h, w, 3], for a resize to `size`.

    A JPEG's blocks outside the crop are not decoded, so the colours of the outermost pixels may differ.
    The others are decoded at 1/2, 1/4 or 1/8 of their size while the crop stays at least twice as large as
    `size` (Pillow's reducing_gap=2); the crop's border is then rounded down to a multiple of 2, 4 or 8.
    """

    def scaled(ratio):
        options = {"channels": 3, "ratio": ratio, "dct_method": "INTEGER_ACCURATE"}
        return lambda: tf.io.decode_and_crop_jpeg(encoded, window // ratio, **options)

    def cropped():
        top, left, height, width = tf.unstack(window)
        return decode(encoded)[top : top + height, left : left + width]

    reduction = tf.reduce_min(window[2:]) // (2 * size)  # The crop may be decoded so many times smaller.
    halvings = tf.reduce_sum(tf.cast(reduction >= [2, 4, 8], tf.int32))
    jpeg = lambda: tf.switch_case(halvings, [scaled(ratio) for ratio in (1, 2, 4, 8)])  # noqa: E731
    return tf.ensure_shape(tf.cond(tf.io.is_jpeg(encoded), jpeg, cropped), [None, None, 3])


def resize(image, height: int, width: int, *, mirror=False):
    """Antialiased bilinear resize: [H, W, 3] -> float32 [height, width, 3], left and right exchanged if `mirror`.

    The filter is Pillow's triangle, whose support grows with the reduction. The resize of each axis is a
    product with a banded matrix. Dense products over bands take less than half the time of
    tf.image.resize(antialias=True) on a CPU, and differ from it by rounding alone.
    """
    rows, columns = tf.shape(image)[0], tf.shape(image)[1]
    flat = tf.reshape(tf.cast(image, tf.float32), [rows, columns * 3])
    flat = tf.reshape(_resize_rows(flat, rows, height), [height, columns, 3])
    flat = tf.reshape(tf.transpose(flat, [1, 0, 2]), [columns, height * 3])
    flat = _resize_rows(flat, columns, width, mirror=mirror)
    return tf.transpose(tf.reshape(flat, [width, height, 3]), [1, 0, 2])


def _resize_rows(image, rows, size, *, mirror=False):
    """[rows, M] -> [size, M] in `_BANDS` bands; the last row comes first if `mirror`."""
    size = tf.convert_to_tensor(size)
    band = tf.cast(tf.math.ceil(size / _BANDS), tf.int32)
    scale = tf.cast(rows, tf.float32) / tf.cast(size, tf.float32)
    support = tf.maximum(scale, 1.0)
    number = tf.reshape(tf.range(_BANDS * band), [_BANDS, band])
    number = tf.where(mirror, size - 1 - number, number)
    centre = scale * (tf.cast(number, tf.float32) + 0.5)
    reach = tf.cast(tf.math.ceil(scale * tf.cast(band, tf.float32) + 2 * support), tf.int32) + 1
    length = tf.minimum(rows, reach)  # the input rows that a band reads
    first = tf.clip_by_value(tf.cast(tf.reduce_min(centre, 1) - support, tf.int32), 0, rows - length)
    inputs = first[:, None] + tf.range(length)
    distance = tf.abs(tf.cast(inputs, tf.float32)[:, None, :] + 0.5 - centre[..., None])
    weights = tf.maximum(0.0, 1.0 - distance / support)
    weights = tf.math.divide_no_nan(weights, tf.reduce_sum(weights, -1, keepdims=True))
    resized = tf.matmul(weights, tf.gather(image, inputs))
    return tf.reshape(resized, [_BANDS * band, -1])[:size]


def test_view(encoded, *, size: int):
    """Resizes the shorter side to size * 256 / 224, then crops the centre: uint8 [size, size, 3]."""
    image = decode(encoded)
    shorter = round(size * 256 / 224)
    height, width = tf.shape(image)[0], tf.shape(image)[1]
    tall = height > width
    longer = tf.where(tall, shorter * height // width, shorter * width // height)
    height, width = tf.where(tall, longer, shorter), tf.where(tall, shorter, longer)
    image = tf.cast(tf.round(resize(image, height, width)), tf.uint8)
    # torchvision rounds margins of half a pixel to even, as Python does.
    top, left = (tf.cast(tf.round(tf.cast(side - size, tf.float32) / 2), tf.int32) for side in (height, width))
    return tf.ensure_shape(image[top : top + size, left : left + size], [size, size, 3])


def random_resized_crop(encoded, key, *, size: int, scale=(0.08, 1.0), ratio=(3 / 4, 4 / 3)):
    """torchvision's RandomResizedCrop and RandomHorizontalFlip: float32 [size, size, 3] in [0, 255].

    Args:
      encoded: one encoded image.
      key: int32 [2].
      scale: range of the crop's area, as a part of the image's.
      ratio: range of the crop's width / height.
    """
    jpeg_shape = lambda: tf.io.extract_jpeg_shape(encoded)[:2]  # noqa: E731
    shape = tf.cond(tf.io.is_jpeg(encoded), jpeg_shape, lambda: tf.shape(decode(encoded))[:2])
    crop_key, flip_key = tf.unstack(tf.random.experimental.stateless_split(key, 2, alg="philox"))
    crop = decode_crop(encoded, crop_window(shape, crop_key, scale=scale, ratio=ratio), size=size)
    mirror = tf.random.stateless_uniform([], flip_key, alg="philox") < 0.5
    return tf.ensure_shape(resize(crop, size, size, mirror=mirror), [size, size, 3])


def crop_window(shape, key, *, scale=(0.08, 1.0), ratio=(3 / 4, 4 / 3)):
    """RandomResizedCrop's window (top, left, height, width), int32 [4], in an image of `shape` (H, W).

    It is the first of ten draws that lies in the image, or else the largest centred window of an allowed ratio.
    """
    height, width = (tf.cast(side, tf.float32) for side in tf.unstack(shape))
    draw = tf.random.stateless_uniform([4, _ATTEMPTS], key, alg="philox")
    area = height * width * (scale[0] + draw[0] * (scale[1] - scale[0]))
    aspect = tf.exp(math.log(ratio[0]) + draw[1] * (math.log(ratio[1]) - math.log(ratio[0])))
    w, h = tf.round(tf.sqrt(area * aspect)), tf.round(tf.sqrt(area / aspect))
    top, left = tf.floor(draw[2] * (height - h + 1)), tf.floor(draw[3] * (width - w + 1))
    fits = (w > 0) & (w <= width) & (h > 0) & (h <= height)
    first = tf.argmax(fits)
    drawn = tf.gather(tf.stack([top, left, h, w], 1), first)
    w, h = tf.minimum(width, tf.round(height * ratio[1])), tf.minimum(height, tf.round(width / ratio[0]))
    centred = tf.stack([(height - h) // 2, (width - w) // 2, h, w])
    return tf.cast(tf.where(tf.reduce_any(fits), drawn, centred), tf.int32)


def random_affine(images, seed, *, rotation=0.15, scale=0.1, shift=2.0):
    """Turns, scales and shifts each image about its centre; the pixels of its edges continue outwards.

    Args:
      images: float [B, H, W, 3].
      seed: int32 [2].
      rotation: largest angle, in radians.
      scale: largest change of size, as a fraction.
      shift: largest shift along each axis, in pixels.
    """
    batch, height, width = tf.shape(images)[0], images.shape[1], images.shape[2]
    draw = tf.random.stateless_uniform([4, batch], seed, -1.0, 1.0, alg="philox")
    angle, zoom = rotation * draw[0], 1.0 + scale * draw[1]
    a, b = tf.cos(angle) / zoom, tf.sin(angle) / zoom
    cx, cy = (width - 1) / 2, (height - 1) / 2
    # From an output pixel (x, y) to its input pixel: a rotation about the centre, then a shift.
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
