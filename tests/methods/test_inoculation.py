"""Inoculation: whose images it attacks, how far, and what its features are matched to."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from toys import SIZE, grey_images, kernel, linear_teacher

import reno_tf
from reno_tf import draws, models
from reno_tf.attacks.objectives import cosine_similarity
from reno_tf.errors import UserError
from reno_tf.methods import METHODS, Inoculation, Step, attacked_images
from reno_tf.training import optimizers

_OUTPUTS = ["stage1", "stage2", "penultimate"]


class _Untouchable:
    def __call__(self, *_, **__):
        raise AssertionError("the student was asked")


def _step(images, number=0):
    return Step(
        labels=tf.zeros([len(images)], tf.int32),
        stages=["stage1", "stage2"],
        images=tf.constant(images),
        student=_Untouchable(),
        teacher=models.freeze(linear_teacher()),
        number=tf.constant(number, tf.int64),
        key=tf.constant([0, number]),
    )


def _perturb(images, *, number=0, **coefficients):
    return Inoculation(**coefficients).perturb(_step(images, number)).numpy()


def test_the_images_come_from_the_teacher_alone_and_stay_in_the_ball():
    images = grey_images(200)
    attacked = _perturb(images, epsilon=0.1, attacked=0.8)
    sizes = np.abs(attacked - images).max(axis=(1, 2, 3))
    assert sizes.max() <= 0.1 + 1e-6 and attacked.min() >= 0 and attacked.max() <= 1
    assert 0.7 < np.mean(sizes > 0) < 0.9
    # Uniform in [0, epsilon]: a third of the attacked ones lies in each third.
    thirds = np.histogram(sizes[sizes > 0], bins=3, range=(0, 0.1))[0] / np.sum(sizes > 0)
    np.testing.assert_allclose(thirds, 1 / 3, atol=0.12)
    np.testing.assert_array_equal(attacked, _perturb(images, epsilon=0.1, attacked=0.8))
    assert (attacked != _perturb(images, epsilon=0.1, attacked=0.8, number=1)).any()


def test_every_image_is_attacked_or_none():
    images = grey_images(20)
    np.testing.assert_array_equal(_perturb(images, attacked=0.0), images)
    np.testing.assert_array_equal(_perturb(images, epsilon=0.0), images)
    assert (np.abs(_perturb(images, attacked=1.0) - images).max(axis=(1, 2, 3)) > 0).sum() >= 19


def test_each_image_has_its_own_objective():
    images, teacher = grey_images(100), linear_teacher()
    step, attacked = _step(images), _perturb(images, epsilon=0.2, attacked=1.0)
    epsilon = np.abs(attacked - images).max(axis=(1, 2, 3))
    chosen = np.argmax(attacked_images.one_of(attacked_images._draw(step, 2, []), 4), axis=1)
    assert set(chosen) == {0, 1, 2, 3}
    # Along a direction d the linear teacher's gradient is W d everywhere, so that one long step ends in a corner.
    weights, direction = kernel(teacher, "penultimate"), attacked_images._draw(step, 1, [6], draws.normal).numpy()
    corners = images.reshape(100, -1) + epsilon[:, None] * np.sign(direction @ weights.T)
    np.testing.assert_allclose(attacked.reshape(100, -1)[chosen == 3], corners[chosen == 3], atol=1e-6)
    # The others turn the features of one output further than the noise that they start from.
    noise = images + epsilon[:, None, None, None] * (2 * attacked_images._draw(step, 3, images.shape[1:]).numpy() - 1)
    clean, hit, start = (teacher(x) for x in (images, attacked, noise))
    for place, output in enumerate(_OUTPUTS):
        found, before = (cosine_similarity(x[output], clean[output]).numpy()[chosen == place] for x in (hit, start))
        assert (found < before).all(), output


def test_more_steps_turn_features_further():
    images, teacher = grey_images(100), linear_teacher()
    ends = [teacher(_perturb(images, epsilon=0.2, attacked=1.0, attack_steps=steps)) for steps in (1, 8)]
    clean = teacher(images)
    chosen = np.argmax(attacked_images.one_of(attacked_images._draw(_step(images), 2, []), 4), axis=1) == 0
    one, eight = (cosine_similarity(end["stage1"], clean["stage1"]).numpy()[chosen].mean() for end in ends)
    assert eight < one


def test_radius_factors_and_one_of():
    # Below 0.8 the draw is spread over [0, 1), the rest is clean.
    factors = attacked_images.radius_factors(tf.constant([0.0, 0.4, 0.79, 0.81]), 0.8)
    np.testing.assert_allclose(factors, [0, 0.5, 0.9875, 0])
    np.testing.assert_array_equal(attacked_images.radius_factors(tf.constant([0.0, 0.5]), 0.0), [0, 0])
    np.testing.assert_array_equal(attacked_images.one_of(tf.constant([0.0, 0.34, 0.9999999]), 3), np.eye(3))


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Black(Inoculation):
    def perturb(self, step):
        return tf.zeros_like(step.images)


def test_features_are_matched_to_the_clean_images_with_a_weight_that_falls_to_nothing():
    student, teacher, images = _toy(3), linear_teacher(), grey_images()
    model = reno_tf.Transfer(student, teacher, _Black(feature_weight=2.0), total_steps=4)
    model.compile(optimizers.SGD(0.0))
    ours, theirs = student(0 * images, training=True), teacher(images)
    distance = sum(np.mean((ours[stage] - theirs[stage]) ** 2) for stage in ("stage1", "stage2"))
    for left in (1.0, 0.75, 0.5, 0.25, 0.0):
        terms = model.train_on_batch(images, np.zeros(len(images), int), return_dict=True)
        assert terms["feature_distance"] == pytest.approx(2 * left * distance, rel=1e-5)


def test_a_part_can_be_taken_away():
    student, teacher, images = _toy(3), linear_teacher(), grey_images()
    method = _Black(feature_weight=2.0, fades=False, start="teacher")
    model = reno_tf.Transfer(student, teacher, method)  # It needs no length.
    np.testing.assert_array_equal(kernel(student, "stage1"), kernel(teacher, "stage1"))
    model.compile(optimizers.SGD(0.0))
    distance = sum(np.mean((teacher(0 * images)[stage] - teacher(images)[stage]) ** 2) for stage in _OUTPUTS[:2])
    for _ in range(2):
        terms = model.train_on_batch(images, np.zeros(len(images), int), return_dict=True)
        assert terms["feature_distance"] == pytest.approx(2 * distance, rel=1e-5)
    with pytest.raises(UserError, match="unknown inoculation: start 'randomly'; did you mean random"):
        Inoculation(start="randomly")


def _toy(seed):
    model = linear_teacher(seed)
    assert model.input.shape[1:] == (SIZE, SIZE, 3)
    return model


@pytest.mark.parametrize("method", [METHODS["inoculation"](), METHODS["delta_adversarial"](epsilon_grows=True)])
def test_without_its_length_the_training_does_not_start(method):
    model = reno_tf.Transfer(_toy(3), linear_teacher(), method)
    model.compile(optimizers.SGD(0.1))
    with pytest.raises(Exception, match=r"needs its length: Transfer\(total_steps=N\)"):  # Keras wraps it.
        model.train_on_batch(grey_images(), np.zeros(6, int))


def test_its_bounds():
    for coefficients in ({"attacked": 1.5}, {"attack_steps": 0}):
        with pytest.raises(UserError, match="attacked must be at most 1 and attack_steps at least 1, not "):
            Inoculation(**coefficients)
