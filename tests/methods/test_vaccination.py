"""Vaccination: from where it starts, how far its images are attacked, and what their features are matched to."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from toys import grey_images, linear_teacher

import reno_tf
from reno_tf import models
from reno_tf.attacks.objectives import cosine_similarity
from reno_tf.errors import UserError
from reno_tf.methods import Inoculation, Step, Vaccination
from reno_tf.training import optimizers


def _perturb(images, teacher, method=Vaccination, *, number=0, others=(), **coefficients):
    step = Step(
        labels=tf.zeros([len(images)], tf.int32),
        stages=["stage1", "stage2"],
        images=tf.constant(images),
        teacher=models.freeze(teacher),
        siblings=tuple(models.freeze(sibling) for sibling in others),
        number=tf.constant(number, tf.int64),
        key=tf.constant([0, number]),
    )
    return method(**coefficients).perturb(step).numpy()


@pytest.mark.parametrize("factor", [1.0, 1.5])
def test_the_radius_is_a_multiple_of_epsilon_at_most(factor):
    images, teacher = grey_images(200), linear_teacher()
    images[:50] = 0.99  # near the valid range's end
    attacked = _perturb(images, teacher, epsilon=0.1, epsilon_factor=factor)
    sizes = np.abs(attacked - images).max(axis=(1, 2, 3))
    assert 0.9 * factor * 0.1 < sizes.max() <= factor * 0.1 + 1e-6
    assert attacked.min() >= 0 and attacked.max() <= 1


def test_three_gradients_turn_features_further_than_inoculations_one():
    images, teacher = grey_images(100), linear_teacher()
    same = {"epsilon": 0.2, "attacked": 1.0}
    three, one = (teacher(_perturb(images, teacher, method, **same)) for method in (Vaccination, Inoculation))
    assert Vaccination().attack_steps == 3 and Inoculation().attack_steps == 1
    clean = teacher(images)
    similarity = [cosine_similarity(x["penultimate"], clean["penultimate"]).numpy().mean() for x in (three, one)]
    assert similarity[0] < similarity[1]


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Black(Vaccination):
    def perturb(self, step):
        return tf.zeros_like(step.images)


def test_attacked_images_are_matched_to_the_clean_ones_with_a_weight_that_stays():
    teacher, images = linear_teacher(), grey_images()
    model = reno_tf.Transfer(linear_teacher(5), teacher, _Black(feature_weight=2.0), total_steps=2)
    model.compile(optimizers.SGD(0.0))
    black, clean = teacher(0 * images), teacher(images)  # The student starts with the teacher's weights.
    distance = 0
    for stage in ("stage1", "stage2"):
        scale = np.mean(np.var(clean[stage], axis=(0, 1, 2)))
        distance += np.mean((black[stage] - clean[stage]) ** 2) / scale
    for _ in range(3):
        terms = model.train_on_batch(images, np.zeros(len(images), int), return_dict=True)
        assert terms["feature_distance"] == pytest.approx(2 * distance, rel=1e-5)


def test_what_is_matched_is_nothing_before_the_first_step_if_nothing_is_attacked():
    teacher, images = linear_teacher(), grey_images()
    model = reno_tf.Transfer(linear_teacher(5), teacher, Vaccination(attacked=0.0))  # It needs no length.
    model.compile(optimizers.SGD(0.0))
    terms = model.train_on_batch(images, np.zeros(len(images), int), return_dict=True)
    assert terms["feature_distance"] == pytest.approx(0, abs=1e-9)


def test_training_unlearns_what_the_teachers_attack_changes():
    """After a few steps the student's features move less under the attack than fine-tuning's would: the teacher's."""
    teacher, images = linear_teacher(), grey_images(64)
    method = Vaccination(epsilon=0.2, attacked=1.0)
    model = reno_tf.Transfer(linear_teacher(5), teacher, method)
    model.compile(optimizers.SGD(0.01, 0.9))
    labels, attacked = np.zeros(len(images), int), _perturb(images, teacher, epsilon=0.2, attacked=1.0)

    def moved(network):
        hit, clean = (network(x)["stage1"].numpy() for x in (attacked, images))
        return np.mean((hit - teacher(images)["stage1"].numpy()) ** 2) / np.var(clean)

    before = moved(model.student)
    for _ in range(40):
        model.train_on_batch(images, labels)
    assert moved(model.student) < 0.9 * before


def test_by_turns_the_images_are_attacked_through_the_teacher_and_its_siblings():
    images, (teacher, *siblings) = grey_images(), (linear_teacher(seed) for seed in (3, 4, 5))
    for number, network in enumerate((teacher, *siblings, teacher)):
        attacked = _perturb(images, teacher, number=number, others=siblings, siblings=2)
        np.testing.assert_array_equal(attacked, _perturb(images, network, number=number))
        others = [other for other in (teacher, *siblings) if other is not network]
        assert all((attacked != _perturb(images, other, number=number)).any() for other in others)


def test_without_its_siblings_the_training_does_not_start():
    model = reno_tf.Transfer(linear_teacher(5), linear_teacher(), Vaccination(siblings=1))
    model.compile(optimizers.SGD(0.0))
    with pytest.raises(Exception, match="0 networks were given to Transfer.attack_through, siblings is 1"):
        model.train_on_batch(grey_images(), np.zeros(6, int))
    model.attack_through([linear_teacher(4)])
    model.compile(optimizers.SGD(0.0))
    assert model.train_on_batch(grey_images(), np.zeros(6, int), return_dict=True)["feature_distance"] > 0


def test_its_siblings_have_none():
    assert Vaccination(siblings=2, epsilon=0.3).before() == (Vaccination(epsilon=0.3),) * 2
    assert Vaccination().before() == ()


def test_its_bounds():
    with pytest.raises(UserError, match="^vaccination: attacked must be at most 1 and attack_steps at least 1, not "):
        Vaccination(attack_steps=0)
    with pytest.raises(UserError, match="^vaccination: epsilon counts .* must be at most 1, not 1.2"):
        Vaccination(epsilon=0.6, epsilon_factor=2.0)
    with pytest.raises(UserError, match="^vaccination: epsilon_factor must not be negative"):
        Vaccination(epsilon_factor=-1.0)
