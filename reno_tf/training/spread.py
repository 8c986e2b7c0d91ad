"""How far the weights of an averaging phase lie from their mean, and samples around it."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tf_keras


class Spread(tf_keras.callbacks.Callback):
    """Mean and variance of the student's weights over the snapshots of an averaging phase, by Welford's update.

    The diagonal part of SWAG (Maddox et al., "A Simple Baseline for Bayesian Uncertainty in Deep Learning", NeurIPS
    2019). A checkpoint that has `state` resumes it.
    """

    def __init__(self, model, first_step: int, period: int):
        """model: a `Transfer`; first_step: steps before the phase; period: steps between snapshots."""
        super().__init__()
        self._transfer, self._first_step, self._period = model, first_step, period
        self._weights = model.student.trainable_variables
        self._means, self._squares = (
            [tf.Variable(tf.zeros_like(weight), trainable=False) for weight in self._weights] for _ in range(2)
        )
        self.state = {"means": self._means, "squares": self._squares}

    def on_train_batch_end(self, batch, logs=None):
        taken, left = divmod(int(self._transfer.step) - self._first_step, self._period)
        if left == 0:
            for weight, mean, squares in zip(self._weights, self._means, self._squares, strict=True):
                off = weight - mean
                mean.assign_add(off / taken)
                squares.assign_add(off * (weight - mean))

    def sample(self, count: int, fit_batch_norm: Callable, *, seed: int) -> list:
        """Draws `count` students' weights from the normal distribution with this mean and variance.

        `fit_batch_norm` gives the student the statistics that fit its weights. The student is left as it was.
        """
        student, samples = self._transfer.student, []
        average, taken = student.get_weights(), (int(self._transfer.step) - self._first_step) // self._period
        for number in range(count):
            random = np.random.default_rng([seed, number])
            for weight, mean, squares in zip(self._weights, self._means, self._squares, strict=True):
                weight.assign(
                    mean + np.sqrt(squares.numpy() / taken) * random.standard_normal(weight.shape, np.float32)
                )
            fit_batch_norm()
            samples.append(student.get_weights())
        student.set_weights(average)
        return samples
