"""Stochastic weight averaging (Izmailov et al., 2018): wrap, assign, re-estimate BatchNorm."""

import functools
from collections.abc import Callable, Iterable

import tensorflow as tf
import tf_keras

from reno_tf import compat
from reno_tf.training import distribution, own_swa


def wrap(optimizer, *, period: int):
    """The optimizer that averages the weights after steps period, 2 period, 3 period, ..."""
    # A snapshot is taken when the step's number, counted from 0, is start + n period.
    return swa_class()(optimizer, start_averaging=period - 1, average_period=period)


def swa_class() -> type:
    """`tfa.optimizers.SWA` where tensorflow_addons is installed, else this package's class like it."""
    return compat.addons_swa() if compat.has_addons() else own_swa.SWA


def assign_averages(optimizer, variables, *, period: int) -> None:
    """Puts the averages into the trainable `variables`. Raises ValueError before the first snapshot."""
    steps = int(optimizer.iterations.numpy())
    if steps < period:
        raise ValueError(f"no snapshot to average yet: {steps} steps done, the first is taken after {period}")
    optimizer.assign_average_vars(variables)


class Average:
    """The end of an averaging phase, after `step` steps of training.

    model: a `Transfer`. batches: one pass of its augmented training batches (images, labels).
    """

    def __init__(self, model, batches: tf.data.Dataset, *, step: int):
        self._model, self._step = model, step
        self._images = batches.map(lambda images, labels: (images,))

    def assign(self, optimizer, *, period: int) -> None:
        """Gives the student the averages, and BatchNorm statistics that fit. Raises ValueError if there are none."""
        assign_averages(optimizer, self._model.student.trainable_variables, period=period)
        self.fit_batch_norm()

    def fit_batch_norm(self) -> None:
        """Re-estimates the student's BatchNorm statistics on the batches, by the model's strategy."""
        model, strategy = self._model, self._model.distribute_strategy

        def forward(batch):
            model.step.assign_add(1)  # The next dropout mask.
            strategy.run(functools.partial(model.student, training=True), args=batch)

        reestimate_batch_norm(model.student, distribution.spread(strategy, self._images), forward)
        model.step.assign(self._step)  # The next phase starts from here, whether it resumes or not.


def reestimate_batch_norm(model: tf_keras.Model, batches: Iterable, forward: Callable | None = None) -> None:
    """Replaces the moving statistics of every BatchNorm that trains by their mean over `batches` of images.

    The averaged weights never saw a batch, so the statistics that training left do not fit them.
    Each batch counts once (a cumulative, not an exponential mean), as torch's `update_bn` has it.

    `batches`: augmented training images [B, H, W, 3]. `forward` runs the model on them in training mode.
    """
    forward = forward or (lambda images: model(images, training=True))
    kind = tf_keras.layers.BatchNormalization
    norms = [layer for layer in model._flatten_layers() if isinstance(layer, kind) and layer.trainable]
    momenta = [layer.momentum for layer in norms]
    for layer in norms:
        layer.moving_mean.assign(tf.zeros_like(layer.moving_mean))
        layer.moving_variance.assign(tf.zeros_like(layer.moving_variance))

    @tf.function
    def update(images, momentum):
        for layer in norms:
            layer.momentum = momentum
        forward(images)

    try:
        for seen, images in enumerate(batches):
            # mean_{n+1} = n/(n+1) mean_n + 1/(n+1) x
            arguments = images, tf.constant(seen / (seen + 1), tf.float32)
            # It is compiled once for each model, which TensorFlow would warn of where there are many.
            update.get_concrete_function(*arguments)(*arguments)
    finally:
        for layer, momentum in zip(norms, momenta, strict=True):
            layer.momentum = momentum
