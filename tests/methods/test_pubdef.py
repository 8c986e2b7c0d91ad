"""PubDef: what is attacked beforehand, and what a batch is made of."""

import numpy as np
import pytest
from toys import kernel, linear_teacher

import reno_tf
from reno_tf import data
from reno_tf.attacks.objectives import cosine_similarity
from reno_tf.errors import UserError
from reno_tf.methods import PubDef

_RNG = np.random.default_rng(0)
_TRAIN = data.Split(_RNG.integers(80, 176, [7, 4, 4, 3]).astype(np.uint8), np.arange(7) % 3)


def _preparation(*, batch_size=4, augment=None, seed=0, teacher=None):
    def batches(step):
        return data.train_batches(_TRAIN, batch_size=batch_size, seed=seed, start_step=step, augment=augment)

    teacher = teacher or linear_teacher()
    model = reno_tf.Transfer(linear_teacher(5), teacher, PubDef(), seed=seed)
    return model._preparation(_TRAIN, batches)


def _made(preparation, **coefficients):
    return PubDef(**{"epsilon": 0.1} | coefficients).made_beforehand(preparation)


def _sorted(images):
    return np.array(sorted(image.ravel().tolist() for image in images))


def test_every_image_is_attacked_as_often_as_there_are_copies_and_keeps_its_label():
    made = _made(_preparation(), copies=3, pgd_steps=1, epsilon=0.0)  # Attacked by nothing: the images themselves.
    np.testing.assert_array_equal(_sorted(made.images), _sorted(np.repeat(_TRAIN.images, 3, axis=0)))
    for image, label in zip(made.images, made.labels, strict=True):
        assert label == _TRAIN.labels[(_TRAIN.images == image).all(axis=(1, 2, 3))]


def test_they_lie_in_the_ball_and_turn_the_penultimate_features_away():
    preparation, teacher = _preparation(), linear_teacher()
    clean, one, ten = (_made(preparation, **options) for options in ({"epsilon": 0.0}, {"pgd_steps": 1}, {}))
    change = np.abs(np.int32(ten.images) - clean.images).max(axis=(1, 2, 3))
    assert change.max() == 25 and change.min() > 20  # A tenth of 255, rounded inside.
    features = [teacher(split.images.astype(np.float32) / 255)["penultimate"] for split in (clean, one, ten)]
    similarity = [cosine_similarity(attacked, features[0]).numpy().mean() for attacked in features]
    assert similarity[2] < similarity[1] < similarity[0] == pytest.approx(1)


def test_copies_differ_by_their_start_and_the_same_seed_gives_the_same_bits():
    first, again, other = (_made(_preparation(seed=seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.images, again.images)
    assert len(np.unique(first.images.reshape(28, -1), axis=0)) == 28
    assert (first.images != other.images).any()


def test_what_is_attacked_are_the_trainings_own_views():
    def mirrored(images, key):
        return images[:, :, ::-1]

    made = _made(_preparation(augment=mirrored), copies=1, epsilon=0.0)
    np.testing.assert_array_equal(_sorted(made.images), _sorted(_TRAIN.images[:, :, ::-1]))


@pytest.mark.parametrize("size", [4, 5])
def test_half_of_each_batch_is_clean_and_any_step_can_be_the_first(size):
    preparation, method = _preparation(batch_size=size), PubDef(epsilon=0.1)
    made, batches_from = method.made_beforehand(preparation), method.batches(preparation)
    batches = list(batches_from(0).take(7))
    attacked = [tuple(image.ravel()) for image in made.images]
    for (images, labels), (clean, _) in zip(batches, preparation.batches(0), strict=False):
        kept = size - size // 2
        assert len(images) == len(labels) == size
        np.testing.assert_array_equal(images[:kept], clean[:kept])
        for image, label in zip(np.round(255 * images[kept:].numpy()), labels[kept:].numpy(), strict=True):
            assert made.labels[attacked.index(tuple(image.ravel()))] == label
    for ours, theirs in zip(batches[3], next(iter(batches_from(3))), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_nothing_is_attacked_for_a_training_that_is_done(monkeypatch):
    monkeypatch.setattr(PubDef, "made_beforehand", lambda *_: pytest.fail("attacked"))
    PubDef().batches(_preparation())


def test_it_starts_from_the_teachers_weights_or_from_random_ones():
    student, teacher = linear_teacher(5), linear_teacher()
    own = kernel(student, "stage1")
    reno_tf.Transfer(student, teacher, PubDef(start="random"))
    np.testing.assert_array_equal(kernel(student, "stage1"), own)
    reno_tf.Transfer(student, teacher, PubDef())
    np.testing.assert_array_equal(kernel(student, "stage1"), kernel(teacher, "stage1"))
    with pytest.raises(UserError, match="^pubdef needs a teacher"):
        reno_tf.Transfer(student, None, PubDef(start="random"))


def test_its_bounds():
    for coefficients, message in {
        ("copies", 0): "copies and pgd_steps must be at least 1, not 0 and 10",
        ("pgd_steps", 0): "copies and pgd_steps must be at least 1, not 4 and 0",
        ("epsilon", 8.0): "epsilon counts",
        ("start", "teachers"): "unknown pubdef: start 'teachers'; did you mean teacher",
    }.items():
        with pytest.raises(UserError, match=message):
            PubDef(**dict([coefficients]))
    preparation = _preparation(batch_size=1)
    with pytest.raises(UserError, match="half of each batch is clean, so a batch needs 2 images"):
        PubDef().batches(preparation)(0)
    assert PubDef(copies=2, pgd_steps=3).gradients_beforehand(7) == 42
