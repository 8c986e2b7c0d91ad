"""SGD in torch's form, as a legacy Keras optimizer (tfa.optimizers.SWA wraps no other)."""

import tensorflow as tf
import tf_keras


class SGD(tf_keras.optimizers.legacy.Optimizer):
    """Momentum as torch.optim.SGD has it: v <- momentum v + g; theta <- theta - lr v.

    Keras keeps lr inside v, which differs as soon as lr changes. Coupled weight decay, torch's
    other habit, needs nothing here: it is the gradient of the methods' `weight_decay` term.
    """

    def __init__(self, learning_rate, momentum: float = 0.0, name: str = "SGD", **kwargs):
        super().__init__(name, **kwargs)
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum must be in [0, 1), not {momentum}")
        self._set_hyper("learning_rate", learning_rate)
        self._set_hyper("decay", self._initial_decay)
        self._set_hyper("momentum", momentum)

    def _create_slots(self, var_list):
        for var in var_list:
            self.add_slot(var, "momentum")

    def _prepare_local(self, var_device, var_dtype, apply_state):
        super()._prepare_local(var_device, var_dtype, apply_state)
        apply_state[(var_device, var_dtype)]["momentum"] = tf.identity(self._get_hyper("momentum", var_dtype))

    def _resource_apply_dense(self, grad, var, apply_state=None):
        place = (var.device, var.dtype.base_dtype)
        coefficients = (apply_state or {}).get(place) or self._fallback_apply_state(*place)
        velocity, rate, momentum = self.get_slot(var, "momentum"), coefficients["lr_t"], coefficients["momentum"]
        return tf.raw_ops.ResourceApplyMomentum(
            var=var.handle, accum=velocity.handle, lr=rate, grad=grad, momentum=momentum, use_locking=self._use_locking
        )

    def _resource_apply_sparse(self, grad, var, indices, apply_state=None):
        return self._resource_apply_dense(tf.scatter_nd(indices[:, None], grad, tf.shape(var)), var, apply_state)

    def get_config(self):
        hyperparameters = {name: self._serialize_hyperparameter(name) for name in ("learning_rate", "momentum")}
        return {**super().get_config(), **hyperparameters}


def cosine(learning_rate: float, steps: int):
    """lr(t) = learning_rate/2 (1 + cos(pi t / steps)): cosine decay to 0."""
    return tf_keras.optimizers.schedules.CosineDecay(learning_rate, steps)


def current_rate(optimizer) -> float:
    """The learning rate of the optimizer's last step."""
    inner = getattr(optimizer, "_optimizer", optimizer)  # of an averaging one
    rate = inner.learning_rate
    return float(rate(inner.iterations - 1) if callable(rate) else tf.convert_to_tensor(rate))
