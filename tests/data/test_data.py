"""The embedded data sets and the order of their batches."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from reno_tf import data
from reno_tf.data import Split, base, glyphs
from reno_tf.errors import UserError


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return lambda **options: data.load("digits", data_dir=str(tmp_path_factory.getbasetemp() / "tfds"), **options)


def _numbered(size):
    images = np.zeros((size, 4, 4, 3), np.uint8)
    return Split(images, np.arange(size))


def test_a_digest_is_of_the_images():
    split = Split(np.random.default_rng(0).integers(0, 256, (3, 4, 4, 3)).astype(np.uint8), np.arange(3))
    other = split.images.copy()
    other[2, 3, 3, 2] ^= 1
    assert Split(split.images, split.labels + 1).digest() == split.digest()
    different = (other, split.images[:2], split.images.reshape(3, 2, 8, 3), split.images[::-1])
    assert split.digest() not in {Split(images, split.labels).digest() for images in different}


def test_digits_are_real_disjoint_and_complete(digits):
    whole = digits()
    assert len(whole.train) == 597 and len(whole.test) == 1200 and len(whole.validation) == 0
    assert (np.bincount(whole.test.labels) == 120).all()
    from sklearn.datasets import load_digits

    assert sorted([*whole.train.labels, *whole.test.labels]) == sorted(load_digits().target)
    unique = {image.tobytes() for image in (*whole.train.images, *whole.test.images)}
    assert len(unique) == len({row.tobytes() for row in load_digits().data})


def test_draws_are_stratified_nested_seeded_and_disjoint(digits):
    four, ten, other = (digits(shots=n, validation_per_class=20, seed=s) for n, s in ((4, 0), (10, 0), (4, 1)))
    assert (np.bincount(four.train.labels) == 4).all() and (np.bincount(four.validation.labels) == 20).all()
    as_set = lambda split: {image.tobytes() for image in split.images}  # noqa: E731
    assert as_set(four.train) < as_set(ten.train)
    assert as_set(four.train) != as_set(other.train)
    np.testing.assert_array_equal(four.test.images, other.test.images)
    assert not as_set(ten.train) & as_set(ten.validation)
    assert not (as_set(ten.train) | as_set(ten.validation)) & as_set(ten.test)


@pytest.mark.parametrize(
    "shots, asked, held_out",
    [
        (0, 40, 6),  # a fifth of 30
        (0, 4, 4),
        (0, 0, 0),
        (10, 40, 20),  # what the shots leave
        (10, 4, 4),
        (29, 4, 1),
    ],
)
def test_small_classes_hold_fewer_images_out(shots, asked, held_out):
    split = Split(np.zeros([60, 1, 1, 3], np.uint8), np.repeat([0, 1], 30))
    train, validation = base.draw_splits(split, shots=shots, validation_per_class=asked, seed=0)
    assert (np.bincount(validation.labels, minlength=2) == held_out).all()
    assert (np.bincount(train.labels) == (shots or 30 - held_out)).all()
    assert not set(train.indices) & set(validation.indices)


@pytest.mark.parametrize(
    "members, options, asked",
    [
        (30, {"shots": 31}, "data.shots=31"),
        (30, {"shots": 30, "validation_per_class": 40}, "data.shots=30 and one for validation"),
        (1, {"validation_per_class": 2}, "data.shots=0 and one for validation"),
    ],
)
def test_too_small_classes_are_named(members, options, asked):
    split = Split(np.zeros([members, 1, 1, 3], np.uint8), np.ones(members, int))
    with pytest.raises(UserError, match=f"^class 'bee' has {members} training images?: too few for {asked}$"):
        base.draw_splits(split, **options, seed=0, class_names=["ant", "bee"])


def test_the_data_sets_classes_are_named(digits):
    with pytest.raises(UserError, match="class '.' has .* training images: too few for data.shots=60"):
        digits(shots=60)


def test_a_place_that_cannot_be_made_is_named_with_the_key_that_helps():
    with pytest.raises(
        UserError, match="^digits cannot be kept in /proc/nohome/.*: .*; name another .*config.data.tfds_dir"
    ):
        data.load("digits", data_dir="/proc/nohome")


def test_unknown_data_set():
    with pytest.raises(UserError, match="unknown data set 'cats'; choose one of: .*digits, .*glyphs"):
        data.load("cats")


def test_glyphs_are_deterministic_and_differ():
    draw = lambda character, number: glyphs.render(character, np.random.default_rng([0, number]))  # noqa: E731
    np.testing.assert_array_equal(draw("g", 1), draw("g", 1))
    assert (draw("g", 1) != draw("g", 2)).any() and (draw("g", 1) != draw("h", 1)).any()
    image = draw("g", 1)
    assert image.shape == (32, 32, 3) and image.dtype == np.uint8
    for number in range(20):  # The glyph is there: ink and paper differ.
        assert draw("g", number).mean(-1).std() > 5


def test_each_pass_is_a_permutation_and_passes_differ():
    batches = data.train_batches(_numbered(10), batch_size=4, seed=3).take(10)
    order = np.concatenate([labels.numpy() for _, labels in batches])
    passes = order.reshape(4, 10)
    assert all(sorted(one) == list(range(10)) for one in passes)
    assert len({tuple(one) for one in passes}) == 4


def test_batches_are_a_function_of_seed_and_step():
    rng = np.random.default_rng(0)
    split = Split(rng.integers(0, 255, (10, 8, 8, 3), np.uint8), np.arange(10))
    batches = lambda seed, step: [  # noqa: E731
        (images.numpy(), labels.numpy())
        for images, labels in data.train_batches(
            split, batch_size=4, seed=seed, start_step=step, augment=data.random_affine
        ).take(6 - step)
    ]
    whole, resumed, other = batches(0, 0), batches(0, 4), batches(1, 0)
    for a, b in zip(whole[4:], resumed, strict=True):
        np.testing.assert_array_equal(a[0], b[0])
        np.testing.assert_array_equal(a[1], b[1])
    assert any((a[1] != b[1]).any() for a, b in zip(whole, other, strict=True))


def test_augmentation_moves_each_image_by_itself_and_stays_in_range():
    images = np.random.default_rng(0).uniform(size=(3, 16, 16, 3)).astype(np.float32)
    same = np.stack([images[0]] * 3)
    augmented = data.random_affine(tf.constant(same), tf.constant([0, 1])).numpy()
    assert augmented.min() >= 0 and augmented.max() <= 1
    assert (augmented[0] != augmented[1]).any()
    still = data.random_affine(tf.constant(images), tf.constant([0, 1]), rotation=0.0, scale=0.0, shift=0.0)
    np.testing.assert_allclose(still, images, atol=1e-6)


def test_augmentation_shifts_by_whole_pixels_exactly():
    images = np.zeros((64, 9, 9, 1), np.float32)
    images[:, 4, 4] = 1
    moved = data.random_affine(tf.constant(images), tf.constant([0, 1]), rotation=0.0, scale=0.0, shift=2.0).numpy()
    rows, columns = np.mgrid[:9, :9]
    weight = moved[..., 0].sum((1, 2))
    centre = [(moved[..., 0] * axis).sum((1, 2)) / weight - 4 for axis in (rows, columns)]
    assert np.abs(centre).max() <= 2.0 + 1e-4 and np.std(centre) > 0.8
    np.testing.assert_allclose(weight, 1.0, atol=1e-4)


def test_eval_batches_are_the_split_in_order():
    split = _numbered(10)
    labels = np.concatenate([labels.numpy() for _, labels in data.eval_batches(split, batch_size=4)])
    np.testing.assert_array_equal(labels, np.arange(10))


@pytest.mark.long
def test_two_processes_may_build_the_same_data_set_at_once(tmp_path):
    script = "import sys; from reno_tf import data; print(len(data.load('digits', data_dir=sys.argv[1]).train))"
    command = [sys.executable, "-c", script, str(tmp_path)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for process in both:
        out, err = process.communicate(timeout=200)
        assert process.returncode == 0 and out.strip() == "597", err


def test_a_split_holds_whole_numbers():
    with pytest.raises(UserError, match="images must be uint8, 0 to 255, not float32"):
        Split(np.zeros((2, 4, 4, 3), np.float32), np.zeros(2, np.int64))
