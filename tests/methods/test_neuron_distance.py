"""Neuron distance: the penalty by hand, and where it pushes the student."""

import numpy as np
import pytest
import tensorflow as tf
from toys import grey_images, linear_teacher

import reno_tf
from reno_tf.errors import UserError
from reno_tf.methods import NeuronDistance, losses
from reno_tf.training import optimizers


def test_the_shortfall_by_hand():
    # One channel of 2x1 pixels; the targets' variance is 1. The distances are 0, 1 and 2.
    targets = np.float32([[[[1]], [[-1]]]] * 3)
    features = targets + np.float32([0, 1, 2]).reshape(3, 1, 1, 1)
    for threshold, expected in ((1.0, 1 / 3), (1.5, (1.5 + 0.5) / 3), (3.0, 2.0)):
        found = losses.distance_shortfall(tf.constant(features), tf.constant(targets), threshold)
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_equal_features_have_a_gradient_of_nothing_not_of_no_number():
    features = tf.Variable(np.float32([[[[1]], [[-1]]]]))
    with tf.GradientTape() as tape:
        value = losses.distance_shortfall(features, tf.constant(features), 1.0)
    np.testing.assert_array_equal(tape.gradient(value, features), 0)


def _distance(threshold, steps=60):
    """Of the last stage from the teacher's after a few steps: the shortfall from 10, taken from 10."""
    teacher, images = linear_teacher(), grey_images(24)
    model = reno_tf.Transfer(linear_teacher(5), teacher, NeuronDistance(threshold=threshold, distance_weight=1.0))
    model.compile(optimizers.SGD(0.02))
    for _ in range(steps):
        model.train_on_batch(images, np.arange(24) % 3)
    return 10 - float(losses.distance_shortfall(model.student(images)["stage2"], teacher(images)["stage2"], 10.0))


def test_the_student_leaves_the_teacher_until_the_threshold():
    without, near, far = (_distance(threshold) for threshold in (0.0, 1.0, 3.0))
    assert without < 0.5 < near < 2.0 < far


def test_its_bounds():
    with pytest.raises(UserError, match="^neuron_distance: threshold must not be negative"):
        NeuronDistance(threshold=-1.0)
