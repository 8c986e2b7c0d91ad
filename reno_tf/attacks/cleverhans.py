"""The attack by cleverhans: an independent check of this package's own."""

import dataclasses

import numpy as np
import tensorflow as tf

from reno_tf.attacks import checking
from reno_tf.attacks.attack import Attack
from reno_tf.attacks.crafter import Crafter
from reno_tf.errors import UserError

_NORMS = {"linf": np.inf, "l2": 2}


class CleverhansCrafter(Crafter):
    """Calls cleverhans for each batch; network, objective and budget are this package's."""

    def __init__(self, attack, network, budget, **options):
        super().__init__(attack, network, budget, **options)
        (output,) = self.objective.outputs
        # Made once, because cleverhans traces anew for each function that it is given. It raises the loss.
        self._model = self._compiled_once(lambda images: self._features(images)[output])
        self._loss = lambda labels, logits: -self.objective.loss({output: logits})
        self._checked = False

    def trace(self, images, indices=None):
        images, indices = self._enter(images, indices)
        lengths = [dataclasses.replace(self.budget, steps=steps) for steps in range(self.budget.steps + 1)]
        return [float(tf.reduce_mean(self.loss(self.within(budget)._attack(images, indices)))) for budget in lengths]

    def _attack(self, images, indices):
        from cleverhans.tf2.attacks.projected_gradient_descent import projected_gradient_descent

        if not self.budget.moves:  # cleverhans refuses such a budget.
            return images
        limits = tf.nest.map_structure(float, self._limits(images))
        adversarial = projected_gradient_descent(
            self._model,
            images,
            eps=limits.epsilon,
            eps_iter=limits.step_size,
            nb_iter=self.budget.steps,
            norm=_NORMS[self.attack.ball],
            loss_fn=self._loss,
            clip_min=limits.low,
            clip_max=limits.high,
            y=tf.zeros(tf.shape(images)[:1], tf.int64),
            rand_init=None,
            sanity_checks=False,
        )
        if not self._checked and tf.reduce_all(adversarial == images):
            checking.refuse_zero_gradient(self.loss, images)
        self._checked = True
        return adversarial


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cleverhans(Attack):
    """Projected gradient descent of cleverhans 4 (Papernot et al., 2018), from the clean image.

    Its random start has no seed.
    """

    crafter = CleverhansCrafter

    def __post_init__(self):
        super().__post_init__()
        if self.objective.compares_with_clean:
            raise UserError(
                f"cleverhans starts at the clean image, where the gradient of {self.objective.name} is zero"
            )
        if self.unit == "normalized":
            raise UserError("cleverhans takes one epsilon for all channels, not one after the normalisation")
