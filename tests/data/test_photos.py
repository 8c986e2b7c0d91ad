"""Photos that are decoded when they are looked at, and their batches."""

import numpy as np
import pytest

from reno_tf import data
from reno_tf.data import Photos, Split
from tests import photos


@pytest.fixture(scope="module")
def encoded():
    return [photos.encode(photos.picture(40 + 5 * i, 60, seed=i), "PNG" if i == 3 else "JPEG") for i in range(7)]


@pytest.fixture(scope="module")
def split(encoded):
    return Split(Photos(encoded.__getitem__, range(7), size=24), np.arange(7), np.array([f"{i}.jpg" for i in range(7)]))


def test_views_are_those_of_each_photo_however_they_are_indexed(split, encoded):
    expected = np.stack([photos.torchvision_test_view(content, 24) for content in encoded]).astype(int)
    assert split.images.shape == expected.shape
    for index in (slice(None), slice(2, 5), np.array([6, 0, 0])):
        assert np.abs(split.images[index] - expected[index]).max() <= 1
    floats = split.floats()
    assert floats.shape == expected.shape and len(floats) == 7
    np.testing.assert_array_equal(floats[1:3], split.images[1:3].astype(np.float32) / 255)


def test_a_part_keeps_files_labels_and_published_indices(split):
    part = split.take([5, 2, 4]).take([2, 0])
    np.testing.assert_array_equal(part.images[:], split.images[np.array([4, 5])])
    assert part.labels.tolist() == part.indices.tolist() == [4, 5] and part.files.tolist() == ["4.jpg", "5.jpg"]


def test_digest_names_the_photos_their_order_and_the_size(split, encoded):
    again = Photos(encoded.__getitem__, range(7), size=24)
    assert again.digest() == split.images.digest()
    changed = [*encoded[:-1], encoded[-1] + b"x"]
    others = (
        Photos(encoded.__getitem__, range(7), size=25),
        Photos(encoded.__getitem__, range(6), size=24),
        Photos(encoded.__getitem__, [1, 0, *range(2, 7)], size=24),
        Photos(changed.__getitem__, range(7), size=24),
    )
    assert len({split.images.digest(), *(other.digest() for other in others)}) == 5


def test_batches_of_photos_are_a_function_of_seed_and_step(split):
    def batches(seed, step):
        made = data.train_batches(split, batch_size=4, seed=seed, start_step=step).take(5 - step)
        return [(images.numpy(), labels.numpy()) for images, labels in made]

    whole, resumed, other = batches(0, 0), batches(0, 3), batches(1, 0)
    for (images, labels), (images_again, labels_again) in zip(whole[3:], resumed, strict=True):
        np.testing.assert_array_equal(images, images_again)
        np.testing.assert_array_equal(labels, labels_again)
    assert whole[0][0].shape == (4, 24, 24, 3) and whole[0][0].dtype == np.float32
    assert whole[0][0].min() >= 0 and 0.5 < whole[0][0].max() <= 1
    assert any((a[0] != b[0]).any() for a, b in zip(whole, other, strict=True))
    labels = np.concatenate([labels for _, labels in whole])
    assert sorted(labels[:7]) == sorted(labels[7:14]) == list(range(7))


def test_each_sight_of_a_photo_is_another_crop(split):
    one = split.take([0])
    images = next(iter(data.train_batches(one, batch_size=6, seed=0)))[0].numpy()
    assert len({image.tobytes() for image in images}) == 6


def test_eval_batches_are_the_views_in_order(split):
    images, labels = zip(*data.eval_batches(split, batch_size=3), strict=True)
    np.testing.assert_array_equal(np.concatenate(images), split.floats()[:])
    np.testing.assert_array_equal(np.concatenate(labels), np.arange(7))
