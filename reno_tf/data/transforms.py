"""The transforms between an image and a network, in TensorFlow: every random choice is a pure function of a key."""

import math

import tensorflow as tf

_BANDS = 16  # A resize computes its output rows in this many bands.


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
        return lambda: tf.io.decode_and_crop_jpeg(
            encoded, window // ratio, channels=3, ratio=ratio, dct_method="INTEGER_ACCURATE"
        )

    reduction = tf.reduce_min(window[2:]) // (2 * size)  # The crop may be decoded this many times smaller.
    halvings = tf.reduce_sum(tf.cast(reduction >= [2, 4, 8], tf.int32))
    jpeg = lambda: tf.switch_case(halvings, [scaled(ratio) for ratio in (1, 2, 4, 8)])  # noqa: E731
    cropped = lambda: tf.image.crop_to_bounding_box(decode(encoded), *tf.unstack(window))  # noqa: E731
    return tf.ensure_shape(tf.cond(tf.io.is_jpeg(encoded), jpeg, cropped), [None, None, 3])


def resize(image, height: int, width: int, *, mirror=False):
    """Antialiased bilinear resize: [H, W, 3] -> float32 [height, width, 3], left and right exchanged if `mirror`.

    The filter is Pillow's triangle, whose support grows with the reduction. The resize of each axis is a
    product with a banded matrix. Dense products over bands take less than half the time of
    tf.image.resize(antialias=True) on a CPU, and differ from it by rounding alone.
    """
    return _resize_rows(_resize_rows(tf.cast(image, tf.float32), height), width, mirror=mirror)


def _resize_rows(image, size, *, mirror=False):
    """[H, W, 3] -> [W, size, 3] in `_BANDS` bands of the new rows; the last row comes first if `mirror`."""
    rows, columns, size = tf.shape(image)[0], tf.shape(image)[1], tf.convert_to_tensor(size)
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
    resized = tf.matmul(weights, tf.gather(tf.reshape(image, [rows, columns * 3]), inputs))
    resized = tf.reshape(resized, [_BANDS * band, columns, 3])[:size]
    return tf.transpose(resized, [1, 0, 2])


def test_view(encoded, *, size: int, geometry: str = "zoom"):
    """An encoded image as the network sees it in a test: uint8 [size, size, 3]. `geometry`: a key of `GEOMETRIES`."""
    return view(decode(encoded), size=size, geometry=geometry)


def view(image, *, size: int, geometry: str):
    """The same for a decoded image, uint8 [H, W, 3]."""
    sides = tf.shape(image)[:2]
    height, width = tf.unstack(GEOMETRIES[geometry](sides, size))
    image = tf.cast(tf.round(resize(image, height, width)), tf.uint8)
    # torchvision rounds margins of half a pixel to even, as Python does.
    halves = [tf.cast(tf.round(tf.cast(side - size, tf.float32) / 2), tf.int32) for side in (height, width)]
    top, left = (tf.maximum(half, 0) for half in halves)
    cut = image[top : top + size, left : left + size]
    above, before = (tf.maximum(-half, 0) for half in halves)
    below, behind = size - tf.shape(cut)[0] - above, size - tf.shape(cut)[1] - before
    return tf.ensure_shape(tf.pad(cut, [[above, below], [before, behind], [0, 0]]), [size, size, 3])


# (height and width of an image, the view's side) -> the size it is resized to; then a centred view is cut, black where
# it lies outside.
GEOMETRIES = {
    "zoom": lambda sides, size: round(size * 256 / 224) * sides // tf.reduce_min(sides),  # torchvision's
    "crop": lambda sides, size: size * sides // tf.reduce_min(sides),
    "squash": lambda sides, size: tf.stack([size, size]),
    "pad": lambda sides, size: tf.maximum(size * sides // tf.reduce_max(sides), 1),
}


def random_resized_crop(encoded, key, *, size: int, **ranges):
    """torchvision's RandomResizedCrop and RandomHorizontalFlip of an encoded image: [size, size, 3] in [0, 255].

    The result is float32. `key` is int32 [2], and `ranges` are those of `crop_window`.
    """
    jpeg_shape = lambda: tf.io.extract_jpeg_shape(encoded)[:2]  # noqa: E731
    shape = tf.cond(tf.io.is_jpeg(encoded), jpeg_shape, lambda: tf.shape(decode(encoded))[:2])
    crop_key, flip_key = tf.unstack(tf.random.experimental.stateless_split(key, 2, alg="philox"))
    crop = decode_crop(encoded, crop_window(shape, crop_key, **ranges), size=size)
    mirror = tf.random.stateless_uniform([], flip_key, alg="philox") < 0.5
    return tf.ensure_shape(resize(crop, size, size, mirror=mirror), [size, size, 3])


def crop_window(shape, key, *, scale=(0.08, 1.0), ratio=(3 / 4, 4 / 3)):
    """RandomResizedCrop's window (top, left, height, width), int32 [4], in an image of `shape` (H, W).

    It is the first of ten draws (torchvision's number) that lies in the image, or else the largest centred window of
    an allowed ratio. `scale` is the range of its share of the image's area, `ratio` that of its width / height.
    """
    height, width = (tf.cast(side, tf.float32) for side in tf.unstack(shape))
    draw = tf.random.stateless_uniform([4, 10], key, alg="philox")
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

    `images` are float [B, H, W, 3], and `seed` is int32 [2]. The others are limits: `rotation` in radians, `scale` of
    the change of size, as a fraction, `shift` along each axis, in pixels.
    """
    batch, height, width = tf.shape(images)[0], images.shape[1], images.shape[2]
    draw = tf.random.stateless_uniform([4, batch], seed, -1.0, 1.0, alg="philox")
    angle, zoom = rotation * draw[0], 1.0 + scale * draw[1]
    a, b = tf.cos(angle) / zoom, tf.sin(angle) / zoom
    cx, cy = (width - 1) / 2, (height - 1) / 2
    # From an output pixel (x, y) to its input pixel: a rotation about the centre, then a shift.
    tx = cx + shift * draw[2] - (a * cx - b * cy)
    ty = cy + shift * draw[3] - (b * cx + a * cy)
    maps = tf.stack([a, -b, tx, b, a, ty, tf.zeros_like(a), tf.zeros_like(a)], axis=1)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=maps,
        interpolation="BILINEAR",
        fill_mode="NEAREST",
        fill_value=0.0,
        output_shape=[height, width],
    )
