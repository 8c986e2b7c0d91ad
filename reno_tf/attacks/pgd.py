"""Projected gradient descent on images, within an L-infinity ball and a valid range."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from reno_tf.errors import UserError
from reno_tf.hardware import devices

_START_STREAM, _NOISE_STREAM = 0, 1  # the start and the control noise of an image are independent


def descend(loss, images, start, *, epsilon, step_size, steps, low, high):
    """`steps` signed-gradient steps that lower `loss`, from `start`, projected after each.

    Args:
      loss: images [B, H, W, 3] -> [B], minimised for each image by itself.
      images: the clean images [B, H, W, 3], the centres of the balls.
      start: where the descent begins, same shape.
      epsilon, step_size, low, high: scalars or one value per channel, in [0, 1] pixels.
    """
    # Where an image itself leaves the valid range by more than epsilon, the range wins.
    lowest, highest = (tf.clip_by_value(edge, low, high) for edge in (images - epsilon, images + epsilon))

    # Inlined into the loop, whose graph is a cycle, some max-pools would lose oneDNN's gradient.
    @tf.function(autograph=False, experimental_attributes={"_noinline": True})
    def gradient(x):
        # Only the input gets a gradient: no weight gradient is ever computed.
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            total = tf.reduce_sum(loss(x))
        return tape.gradient(total, x)

    def step(number, x):
        return number + 1, tf.clip_by_value(x - step_size * tf.sign(gradient(x)), lowest, highest)

    begin = (tf.constant(0), tf.clip_by_value(start, lowest, highest))
    return tf.while_loop(lambda number, x: number < steps, step, begin)[1]


class PGD:
    """A callable images -> adversarial images, compiled once per batch shape.

    Where TensorFlow sees several GPUs (or logical CPUs), each attacks its share of every batch.

    Args:
      loss: images [B, H, W, 3] in [0, 1] -> [B], minimised.
      epsilon: radius of the L-infinity ball, in [0, 1] pixels; a scalar or one value per channel.
      step_size: of one signed step, likewise. steps: how many.
      start: "uniform" in the ball, or "zero".
      low, high: the valid range, likewise; what leaves it is clipped.
      seed: of the uniform start. Image number i starts from a pure function of (seed, i).
      jit_compile: True, False, or "auto": XLA where a GPU is visible (on CPUs it is many times slower).
      objective: what `loss` is, for `parameters`.

    Attributes:
      parameters: everything that its images depend on beside the teacher's weights, for JSON.

    Raises:
      UserError: a negative epsilon, step_size or steps, or an unknown start.
    """

    def __init__(
        self,
        loss: Callable,
        *,
        epsilon,
        step_size,
        steps: int,
        start: str = "uniform",
        low=0.0,
        high=1.0,
        seed: int = 0,
        jit_compile: bool | str = "auto",
        objective: dict | None = None,
    ):
        if np.min(epsilon) < 0 or np.min(step_size) < 0 or steps < 0:
            raise UserError(f"epsilon, step_size and steps must not be negative, not {epsilon}, {step_size}, {steps}")
        if start not in ("uniform", "zero"):
            raise UserError(f'start must be "uniform" or "zero", not {start!r}')
        self.loss, self.start, self.seed, self.steps = loss, start, seed, steps
        self.epsilon, self.step_size = np.float32(epsilon), np.float32(step_size)
        self.low, self.high = np.float32(low), np.float32(high)
        self.parameters = {
            **(objective or {}),
            "steps": steps,
            "start": start,
            "seed": seed,
            **{key: getattr(self, key).tolist() for key in ("epsilon", "step_size", "low", "high")},
        }
        self._descend_compiled = tf.function(self._descend, jit_compile=resolve_jit(jit_compile))
        self._compiled, spread = self._descend_compiled, devices()
        if len(spread) > 1:
            self._strategy = tf.distribute.MirroredStrategy(spread)
            self._compiled = tf.function(self._spread, autograph=False)

    def __call__(self, images, indices=None):
        """Attacks images [B, H, W, 3] in [0, 1]; `indices` [B] number them (0 .. B-1 if not given)."""
        images = tf.convert_to_tensor(images, tf.float32)
        start = images
        if self.start == "uniform":
            start = images + self._uniform(images, indices, _START_STREAM)
        return self._compiled(images, start)

    def noise(self, images, indices=None):
        """The control: the same images under uniform noise of size epsilon, in the same valid range."""
        images = tf.convert_to_tensor(images, tf.float32)
        noisy = images + self._uniform(images, indices, _NOISE_STREAM)
        return tf.clip_by_value(noisy, self.low, self.high)

    def _descend(self, images, start):
        return descend(
            self.loss,
            images,
            start,
            epsilon=self.epsilon,
            step_size=self.step_size,
            steps=self.steps,
            low=self.low,
            high=self.high,
        )

    def _spread(self, images, start):
        """Every device takes its share; copies of the last image make the shares equal."""
        count, shares = images.shape[0], self._strategy.num_replicas_in_sync
        filled = np.minimum(np.arange(count + -count % shares), count - 1).reshape(shares, -1)

        def attack_share():
            own = tf.gather(filled, tf.distribute.get_replica_context().replica_id_in_sync_group)
            own = tf.ensure_shape(own, filled[0].shape)
            return self._descend_compiled(tf.gather(images, own), tf.gather(start, own))

        attacked = self._strategy.experimental_local_results(self._strategy.run(attack_share))
        return tf.concat(attacked, axis=0)[:count]

    def _uniform(self, images, indices, stream):
        indices = tf.range(images.shape[0]) if indices is None else tf.cast(indices, tf.int32)
        return self.epsilon * _unit_noise(indices, tf.shape(images)[1:], tf.constant([self.seed, stream]))


def resolve_jit(jit_compile: bool | str) -> bool:
    """True, False, or "auto": whether a GPU is visible."""
    return bool(tf.config.list_physical_devices("GPU")) if jit_compile == "auto" else bool(jit_compile)


@tf.function(reduce_retracing=True)
def _unit_noise(indices, shape, seed):
    def draw(index):  # One stream per image: the noise does not depend on how the images are batched.
        key = tf.random.experimental.stateless_fold_in(seed, index, alg="philox")
        return tf.random.stateless_uniform(shape, key, -1.0, 1.0, alg="philox")

    return tf.map_fn(draw, indices, fn_output_signature=tf.float32)
