"""One perturbation for all images."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from reno_tf.attacks.base import Attack, compiled
from reno_tf.attacks.cache import content_hash
from reno_tf.attacks.checking import as_images, refuse_zero_gradient
from reno_tf.attacks.features import check_neuron, frozen_features
from reno_tf.attacks.objectives import mean_norm, target_distance
from reno_tf.errors import UserError

_START_STREAM, _BATCH_SIZE = 3, 100


class Universal(Attack):
    """Adds one perturbation to whatever image it is given.

    The perturbation is found when it is first needed, by `steps` signed steps that lower the mean
    loss over the attacker's own images, one batch of at most 100 a step, in turn.

    Args:
      loss: images [B, H, W, 3] in [0, 1] -> [B], minimised.
      own_images: float [N, H, W, 3] in [0, 1], of the attacked images' size.
      the others: as of `PGD`, with an L-infinity ball.

    Raises:
      UserError: a negative epsilon, step_size or steps, or no images.
    """

    def __init__(
        self,
        loss: Callable,
        own_images,
        *,
        epsilon,
        step_size,
        steps: int,
        low=0.0,
        high=1.0,
        seed: int = 0,
        jit_compile: bool | str = "auto",
        objective: dict | None = None,
    ):
        super().__init__(epsilon=epsilon, low=low, high=high, seed=seed, ball="linf")
        if np.min(step_size) < 0 or steps < 0 or not len(own_images):
            raise UserError("universal needs step_size and steps that are not negative, and at least one image")
        self.loss, self.own_images, self.step_size, self.steps = loss, own_images, np.float32(step_size), steps
        self.parameters = {
            **(objective or {}),
            **self.parameters,
            "steps": steps,
            "step_size": self.step_size.tolist(),
            "own_images": content_hash(own_images),
        }
        self._compiled = compiled(self._step, jit_compile, reduce_retracing=True)
        self._found = None

    def attack(self, images, indices):
        return tf.clip_by_value(images + self._find()[0], self.low, self.high)

    def trace(self, images=None, indices=None) -> list[float]:
        """The objective's mean over the attacker's own images (a batch of them) before each step and after the last."""
        return self._find()[1]

    def _find(self):
        if self._found is None:
            batches = [self.own_images[i : i + _BATCH_SIZE] for i in range(0, len(self.own_images), _BATCH_SIZE)]
            first = as_images(batches[0])
            key = self._keys(tf.constant([0]), _START_STREAM)
            change, values = self._random(first, key)[0], []
            begin = change
            for number in range(self.steps):
                change, value = self._compiled(as_images(batches[number % len(batches)]), change)
                values.append(float(value))
            values.append(float(self._compiled(first, change)[1]))
            able = self.steps and np.min(self.epsilon) > 0 and np.min(self.step_size) > 0
            if able and tf.reduce_all(begin == change):
                refuse_zero_gradient(self.loss, tf.clip_by_value(first + change, self.low, self.high))
            self._found = change, values
        return self._found

    def _step(self, images, change):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(change)
            value = tf.reduce_mean(self.loss(tf.clip_by_value(images + change, self.low, self.high)))
        gradient = tape.gradient(value, change, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        change -= self.step_size * tf.sign(gradient)
        return tf.clip_by_value(change, -self.epsilon, self.epsilon), value


def universal(
    teacher,
    *,
    own_images,
    epsilon=0.1,
    step_size=0.01,
    steps=40,
    target_scale=1000.0,
    neuron=0,
    precision="auto",
    **options,
) -> Universal:
    """One image's worth of pixels that drives the penultimate neuron high on any image.

    Rezaei and Liu, "A Target-Agnostic Attack on Deep Models", ICLR 2020, craft a single image;
    universal perturbations: Moosavi-Dezfooli et al., CVPR 2017. `own_images`: see `Universal`.
    """
    check_neuron(teacher, neuron)
    features, precision = frozen_features(teacher, ["penultimate"], precision)
    distance = target_distance(scale=target_scale, neuron=neuron)
    return Universal(
        lambda images: distance(features(images)["penultimate"]),
        own_images,
        epsilon=epsilon,
        step_size=step_size,
        steps=steps,
        objective={
            "objective": "universal_target",
            "target_scale": target_scale,
            "neuron": neuron,
            "precision": precision,
        },
        **options,
    )


def universal_lift(
    teacher, *, own_images, epsilon=0.1, step_size=0.01, steps=40, precision="auto", **options
) -> Universal:
    """One perturbation that makes the first stage answer as strongly as can be, on any image.

    Layer-wise lifting: Ban and Dong, "Pre-trained Adversarial Perturbations", NeurIPS 2022.
    """
    features, precision = frozen_features(teacher, ["stage1"], precision)
    return Universal(
        lambda images: -mean_norm(features(images)["stage1"]),
        own_images,
        epsilon=epsilon,
        step_size=step_size,
        steps=steps,
        objective={"objective": "universal_lift", "precision": precision},
        **options,
    )
