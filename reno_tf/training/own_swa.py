"""Averaging for Pythons that tensorflow_addons has no wheel for: the semantics of tfa.optimizers.SWA.

The tests hold the two equal, step by step and through a checkpoint.
"""

import tensorflow as tf
import tf_keras

from reno_tf.training.optimizers import SGD


class SWA(SGD):
    """The wrapped `SGD`, with a running mean of the weights (Izmailov et al., 2018).

    A snapshot enters the mean in the step whose number, counted from 0, is `start_averaging` +
    n * `average_period`, right after that step's update.
    """

    def __init__(self, optimizer: SGD, start_averaging: int = 0, average_period: int = 10, name: str = "SWA"):
        if average_period < 1 or start_averaging < 0:
            values = f"{average_period}, {start_averaging}"
            raise ValueError(f"average_period must be >= 1 and start_averaging >= 0, not {values}")
        super().__init__(optimizer._hyper["learning_rate"], optimizer._hyper["momentum"], name)
        self._start, self._period = start_averaging, average_period

    def _create_slots(self, var_list):
        super()._create_slots(var_list)
        for var in var_list:
            self.add_slot(var, "average")

    def _resource_apply_dense(self, grad, var, apply_state=None):
        super()._resource_apply_dense(grad, var, apply_state)  # A tf.function keeps the order of what touches `var`.
        average, since = self.get_slot(var, "average"), self.iterations - self._start
        taken, due = tf.cast(since // self._period, var.dtype), (since >= 0) & (since % self._period == 0)
        # mean_{n+1} = (n mean_n + w) / (n + 1)
        return average.assign(tf.where(due, (average * taken + var) / (taken + 1), average))

    def assign_average_vars(self, var_list):
        """Overwrites each trained variable with its mean."""
        for var in var_list:
            var.assign(self.get_slot(var, "average"))

    def get_config(self):
        wrapped = tf_keras.optimizers.serialize(SGD(self._hyper["learning_rate"], self._hyper["momentum"]))
        return {
            "name": self._name,
            "optimizer": wrapped,
            "start_averaging": self._start,
            "average_period": self._period,
        }
