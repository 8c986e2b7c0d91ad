"""Averaging for Pythons that tensorflow_addons has no wheel for: the semantics of tfa.optimizers.SWA.

`reno_tf.compat` chooses between the two; the tests hold them equal, step by step and through a
checkpoint.
"""

import tensorflow as tf
import tf_keras


class SWA(tf_keras.optimizers.legacy.Optimizer):
    """Wraps a legacy optimizer and keeps a running mean of the weights (Izmailov et al., 2018).

    A snapshot enters the mean in the step whose number, counted from 0, is `start_averaging` +
    n * `average_period`, right after that step's update.
    """

    def __init__(self, optimizer, start_averaging: int = 0, average_period: int = 10, name: str = "SWA"):
        super().__init__(name)
        if average_period < 1 or start_averaging < 0:
            raise ValueError(
                f"average_period must be >= 1 and start_averaging >= 0, not {average_period}, {start_averaging}"
            )
        self._optimizer = optimizer
        self._start, self._period = start_averaging, average_period
        self._track_trackable(optimizer, "wrapped")

    @property
    def learning_rate(self):
        return self._optimizer.learning_rate

    def apply_gradients(self, grads_and_vars, name=None, **kwargs):
        if self._optimizer._iterations is not self.iterations:
            self._optimizer._iterations = self.iterations  # One clock: the schedule inside reads ours.
        return super().apply_gradients(grads_and_vars, name, **kwargs)

    def _create_slots(self, var_list):
        self._optimizer._create_slots(var_list)
        for var in var_list:
            self.add_slot(var, "average")

    def _create_hypers(self):
        self._optimizer._create_hypers()

    def _prepare_local(self, var_device, var_dtype, apply_state):
        self._optimizer._prepare_local(var_device, var_dtype, apply_state)

    def _resource_apply_dense(self, grad, var, apply_state=None):
        self._optimizer._resource_apply_dense(grad, var, apply_state)
        return self._take_snapshot(var)  # A tf.function keeps the order of what touches one variable.

    def _resource_apply_sparse(self, grad, var, indices, apply_state=None):
        self._optimizer._resource_apply_sparse(grad, var, indices, apply_state)
        return self._take_snapshot(var)

    def _take_snapshot(self, var):
        average = self.get_slot(var, "average")
        since = self.iterations - self._start
        taken = tf.cast(since // self._period, var.dtype)
        due = (since >= 0) & (since % self._period == 0)
        # mean_{n+1} = (n mean_n + w) / (n + 1)
        return average.assign(tf.where(due, (average * taken + var) / (taken + 1), average))

    def assign_average_vars(self, var_list):
        """Overwrites each trained variable with its mean."""
        for var in var_list:
            var.assign(self.get_slot(var, "average"))

    def get_config(self):
        return {
            **super().get_config(),
            "optimizer": tf_keras.optimizers.serialize(self._optimizer),
            "start_averaging": self._start,
            "average_period": self._period,
        }
