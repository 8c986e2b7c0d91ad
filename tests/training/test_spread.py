"""Mean and variance of weights over snapshots, and samples from them."""

import types

import numpy as np
import tensorflow as tf

from reno_tf.training.spread import Spread


class _Student:
    """One trained weight, and one statistic that goes with it."""

    def __init__(self):
        self.trainable_variables = [tf.Variable(tf.zeros([4]))]
        self.statistic = tf.Variable(tf.zeros([4]))

    def get_weights(self):
        return [self.trainable_variables[0].numpy(), self.statistic.numpy()]

    def set_weights(self, values):
        self.trainable_variables[0].assign(values[0])
        self.statistic.assign(values[1])


def _watched(values, *, first_step=10, period=2):
    """A spread that saw the values after each step from `first_step` on."""
    student, step = _Student(), tf.Variable(first_step)
    spread = Spread(types.SimpleNamespace(student=student, step=step), first_step, period)
    for value in values:
        step.assign_add(1)
        student.trainable_variables[0].assign(value)
        spread.on_train_batch_end(0)
    return student, spread


def test_mean_and_variance_are_those_of_the_snapshots():
    values = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)
    _, spread = _watched(values)
    snapshots = values[1::2]  # After two steps, four, six, eight.
    np.testing.assert_allclose(spread.state["means"][0], snapshots.mean(0), rtol=1e-5)
    np.testing.assert_allclose(spread.state["squares"][0] / 4, snapshots.var(0), rtol=1e-5)


def test_samples_have_that_mean_and_variance_and_their_own_statistics():
    values = np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32)
    student, spread = _watched(values)
    student.set_weights([np.full(4, 7.0), np.full(4, 8.0)])  # As averaging leaves it.

    def fit():
        student.statistic.assign(2 * student.trainable_variables[0])

    samples = np.array(spread.sample(400, fit, seed=3))
    np.testing.assert_array_equal(student.get_weights(), [np.full(4, 7.0), np.full(4, 8.0)])
    np.testing.assert_allclose(samples[:, 1], 2 * samples[:, 0], rtol=1e-6)
    deviation = values[1::2].std(0)
    assert (np.abs(samples[:, 0].mean(0) - values[1::2].mean(0)) < 0.25 * deviation).all()
    np.testing.assert_allclose(samples[:, 0].std(0), deviation, rtol=0.2)
    np.testing.assert_array_equal(spread.sample(2, fit, seed=3), samples[:2])
    assert np.abs(np.array(spread.sample(1, fit, seed=4)) - samples[0]).max() > 0
