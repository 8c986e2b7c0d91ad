"""The attack by projected gradient descent: seeded starts, restarts, compiled once."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from reno_tf.attacks.base import Attack, compiled
from reno_tf.attacks.checking import refuse_zero_gradient
from reno_tf.attacks.descent import descend, trace
from reno_tf.attacks.steps import BALLS, Rule
from reno_tf.errors import UserError
from reno_tf.hardware import devices

_START_STREAM, _VIEW_STREAM = 0, 2  # base.py's noise has 1


class PGD(Attack):
    """A callable images -> adversarial images, compiled once per batch shape.

    Where TensorFlow sees several GPUs (or logical CPUs), each attacks its share of every batch.

    Args:
      loss: images [B, H, W, 3] in [0, 1] (and what `context` gives) -> [B], minimised.
      epsilon: radius of the ball, in [0, 1] pixels; a scalar, or for "linf" one value per channel.
      step_size: of one step in the ball's norm, likewise. steps: how many.
      start: "uniform" in the ball, or "zero".
      ball: "linf" (signed steps), or "l2" (steps along the gradient; epsilon is the Euclidean norm
        over all values of an image).
      momentum, diversity, smoothing: see `Rule`.
      restarts: how many starts are tried; of their results each image keeps the one of lowest loss.
      low, high: the valid range, likewise; what leaves it is clipped.
      seed: of everything random. Image number i is treated as a pure function of (seed, i, restart).
      jit_compile: True, False, or "auto": XLA where a GPU is visible (on CPUs it is many times slower).
      context: (images, indices) -> tuple of tensors, computed once per batch for `loss`.
      objective: what `loss` is, for `parameters`.

    Raises:
      UserError: a negative epsilon, step_size or steps, an unknown start or ball, restarts that
        would all be alike.
    """

    def __init__(
        self,
        loss: Callable,
        *,
        epsilon,
        step_size,
        steps: int,
        start: str = "uniform",
        ball: str = "linf",
        momentum: float = 0.0,
        diversity: float = 0.0,
        smoothing: float = 0.0,
        restarts: int = 1,
        low=0.0,
        high=1.0,
        seed: int = 0,
        jit_compile: bool | str = "auto",
        context: Callable | None = None,
        objective: dict | None = None,
    ):
        super().__init__(epsilon=epsilon, low=low, high=high, seed=seed, ball=ball)
        if np.min(step_size) < 0 or steps < 0:
            raise UserError(f"step_size and steps must not be negative, not {step_size}, {steps}")
        if start not in ("uniform", "zero"):
            raise UserError(f'start must be "uniform" or "zero", not {start!r}')
        if restarts < 1 or (restarts > 1 and start == "zero"):
            raise UserError(f'restarts must be at least 1, and 1 with start="zero", not {restarts}')
        self.loss, self.start, self.steps, self.restarts = loss, start, steps, restarts
        self.step_size = np.float32(step_size)
        self.rule = Rule(momentum=momentum, diversity=diversity, smoothing=smoothing)
        self.parameters = {
            **(objective or {}),
            **self.parameters,
            "steps": steps,
            "step_size": self.step_size.tolist(),
            "start": start,
            "restarts": restarts,
            "momentum": momentum,
            "diversity": diversity,
            "smoothing": smoothing,
        }
        self._context = context or (lambda images, indices: ())
        functions = (self._descend, self._trace, loss)
        self._compiled, self._traced, self._losses = (compiled(function, jit_compile) for function in functions)
        self._attack_all, spread = self._compiled, devices()
        if len(spread) > 1:
            self._strategy = tf.distribute.MirroredStrategy(spread)
            self._attack_all = tf.function(self._spread, autograph=False)
        self._checked = False

    def attack(self, images, indices):
        context = self._context(images, indices)
        best = self._attempt(images, indices, 0, context)
        if self.restarts == 1:
            return best
        lowest = self._losses(best, *context)
        for restart in range(1, self.restarts):
            other = self._attempt(images, indices, restart, context)
            losses = self._losses(other, *context)
            best = tf.where((losses < lowest)[:, None, None, None], other, best)
            lowest = tf.minimum(losses, lowest)
        return best

    def trace(self, images, indices=None) -> list[float]:
        """The objective's mean over the images before each step and after the last: steps + 1 values."""
        images, indices = self._enter(images, indices)
        start, keys = self._start(images, indices, 0)
        return self._traced(images, start, keys, *self._context(images, indices)).numpy().tolist()

    def _attempt(self, images, indices, restart, context):
        start, keys = self._start(images, indices, restart)
        adversarial = self._attack_all(images, start, keys, *context)
        if tf.executing_eagerly() and not self._checked:
            self._refuse_standstill(images, start, adversarial, context)
            self._checked = True
        return adversarial

    def _refuse_standstill(self, images, start, adversarial, context):
        # A zero gradient moves nothing: only where nothing moved is the gradient worth a look.
        able = self.steps and np.min(self.epsilon) > 0 and np.min(self.step_size) > 0
        begin = BALLS[self.ball].projection(images, self.epsilon, self.low, self.high)(start)
        if able and tf.reduce_all(begin == adversarial):
            refuse_zero_gradient(lambda x: self.loss(x, *context), begin)

    def _start(self, images, indices, restart):
        keys = self._keys(indices, _VIEW_STREAM, restart)
        if self.start == "zero":
            return images, keys
        return images + self._random(images, self._keys(indices, _START_STREAM, restart)), keys

    def _descend(self, images, start, keys, *context):
        return descend(lambda x: self.loss(x, *context), images, start, keys=keys, rule=self.rule, **self._options)

    def _spread(self, images, *others):
        """Every device takes its share; copies of the last image make the shares equal."""
        count, shares = images.shape[0], self._strategy.num_replicas_in_sync
        filled = np.minimum(np.arange(count + -count % shares), count - 1).reshape(shares, -1)

        def attack_share():
            own = tf.gather(filled, tf.distribute.get_replica_context().replica_id_in_sync_group)
            own = tf.ensure_shape(own, filled[0].shape)
            return self._compiled(*tf.nest.map_structure(lambda values: tf.gather(values, own), (images, *others)))

        attacked = self._strategy.experimental_local_results(self._strategy.run(attack_share))
        return tf.concat(attacked, axis=0)[:count]

    def _trace(self, images, start, keys, *context):
        return trace(lambda x: self.loss(x, *context), images, start, keys=keys, rule=self.rule, **self._options)

    @property
    def _options(self):
        return {key: getattr(self, key) for key in ("epsilon", "step_size", "steps", "low", "high", "ball")}
