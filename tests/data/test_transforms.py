"""The transforms of photos beside Pillow's, and the crops' distribution beside torchvision's rule."""

import math

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from reno_tf.data import transforms
from tests import photos

_SIZES = [(375, 500), (500, 375), (100, 60), (33, 300), (256, 256), (224, 224), (40, 1)]


@pytest.fixture(scope="module")
def compiled_view():
    compiled = tf.function(transforms.test_view, reduce_retracing=True)
    return lambda encoded, size: compiled(tf.constant(encoded), size=size).numpy()


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"quality": 30}], ids=str)
def test_jpegs_are_decoded_bit_equal_to_pillow(options):
    for image in (photos.picture(97, 131), photos.picture(64, 33).convert("L")):
        encoded = photos.encode(image, **options)
        np.testing.assert_array_equal(transforms.decode(tf.constant(encoded)), photos.pixels(encoded))


def test_pngs_are_decoded_too():
    image = photos.picture(30, 41)
    np.testing.assert_array_equal(transforms.decode(tf.constant(photos.encode(image, "PNG"))), np.asarray(image))


@pytest.mark.parametrize("size", [224, 32])
@pytest.mark.parametrize("shape", _SIZES, ids=str)
def test_views_are_within_a_level_of_torchvisions(compiled_view, shape, size):
    encoded = photos.encode(photos.picture(*shape))
    ours = compiled_view(encoded, size).astype(int)
    assert ours.shape == (size, size, 3)
    assert np.abs(ours - photos.torchvision_test_view(encoded, size)).max() <= 1


@pytest.mark.parametrize("geometry", ["crop", "squash", "pad"])
@pytest.mark.parametrize("shape", _SIZES, ids=str)
def test_other_views_are_within_a_level_of_pillows(shape, geometry):
    encoded, size = photos.encode(photos.picture(*shape)), 32
    ours = transforms.test_view(tf.constant(encoded), size=size, geometry=geometry).numpy().astype(int)
    assert np.abs(ours - photos.view(encoded, size, geometry)).max() <= 1


@pytest.mark.parametrize(
    ("shape", "to"), [((50, 70), (224, 100)), ((375, 500), (224, 224)), ((97, 13), (5, 31))], ids=str
)
def test_resize_is_tensorflows_antialiased_one(shape, to):
    image = np.asarray(photos.picture(*shape))
    ours = transforms.resize(tf.constant(image), *to)
    np.testing.assert_allclose(ours, tf.image.resize(image, to, antialias=True), atol=0.01)


def _windows(shape, count=400, **options):
    keys = tf.stack([tf.zeros(count, tf.int32), tf.range(count)], 1)

    @tf.function
    def draw_all(keys):
        draw = lambda key: transforms.crop_window(tf.constant(shape), key, **options)  # noqa: E731
        return tf.map_fn(draw, keys, fn_output_signature=tf.int32)

    return draw_all(keys).numpy()


def test_crops_lie_in_the_image_within_scale_and_ratio():
    top, left, height, width = _windows([375, 500]).T
    assert (top >= 0).all() and (left >= 0).all() and (top + height <= 375).all() and (left + width <= 500).all()
    area, ratio = height * width / (375 * 500), width / height
    assert 0.075 < area.min() < 0.12 and 0.9 < area.max() <= 1.0
    assert ratio.min() > 0.73 and ratio.max() < 1.36
    # Small crops are never rejected: their log ratio is uniform, and so is their place.
    small = _windows([1000, 1000], scale=(0.1, 0.1))
    logs = np.log(small[:, 3] / small[:, 2]) / math.log(4 / 3)
    assert abs(logs.mean()) < 4 / math.sqrt(3 * 400) and abs(logs.std() - 1 / math.sqrt(3)) < 0.05
    place = small[:, 0] / (1000 - small[:, 2])
    assert abs(place.mean() - 0.5) < 4 / math.sqrt(12 * 400) and place.min() < 0.05 and place.max() > 0.95


def test_where_no_crop_fits_it_is_the_largest_centred_one():
    # torchvision: of a long strip, its whole short side and that times the largest ratio.
    np.testing.assert_array_equal(np.unique(_windows([30, 1000], 20), axis=0), [[0, 480, 30, 40]])
    np.testing.assert_array_equal(np.unique(_windows([1000, 30], 20), axis=0), [[480, 0, 40, 30]])


def test_a_decoded_crop_is_a_part_of_the_image():
    encoded = photos.encode(photos.picture(375, 500))
    crop = transforms.decode_crop(tf.constant(encoded), tf.constant([31, 77, 205, 300]), size=224)
    whole = photos.pixels(encoded)[31:236, 77:377]
    assert crop.shape == whole.shape
    np.testing.assert_array_equal(crop[1:-1, 1:-1], whole[1:-1, 1:-1])


def test_a_large_crop_is_decoded_at_a_smaller_scale_and_looks_alike():
    encoded = photos.encode(photos.picture(600, 800))
    window = tf.constant([8, 16, 560, 720])
    crop = transforms.decode_crop(tf.constant(encoded), window, size=32)
    assert crop.shape == (70, 90, 3)  # an eighth, still twice as large as needed
    whole = Image.fromarray(photos.pixels(encoded)).crop((16, 8, 736, 568))
    expected = np.asarray(whole.resize((32, 32), Image.Resampling.BILINEAR)).astype(int)
    assert np.abs(transforms.resize(crop, 32, 32) - expected).max() < 10


def test_random_resized_crop_is_the_resized_window_and_half_are_flipped():
    encoded = tf.constant(photos.encode(photos.picture(60, 80), "PNG"))
    image = Image.fromarray(photos.pixels(encoded.numpy()))
    flipped = 0
    for number in range(40):
        key = tf.constant([5, number])
        ours = transforms.random_resized_crop(encoded, key, size=24).numpy()
        crop_key = tf.random.experimental.stateless_split(key, 2, alg="philox")[0]
        top, left, height, width = transforms.crop_window(tf.constant([60, 80]), crop_key).numpy().tolist()
        crop = image.crop((left, top, left + width, top + height)).resize((24, 24), Image.Resampling.BILINEAR)
        straight, mirrored = (np.abs(ours - x).max() for x in (np.asarray(crop), np.asarray(crop)[:, ::-1]))
        assert min(straight, mirrored) < 1.5  # Pillow rounds after each axis.
        flipped += mirrored < 1.5
    assert 10 <= flipped <= 30
