"""One perturbation for all images."""

import dataclasses

import tensorflow as tf

from reno_tf.attacks.attack import Attack
from reno_tf.attacks.checking import as_images, refuse_zero_gradient
from reno_tf.attacks.crafter import Crafter
from reno_tf.attacks.units import widened
from reno_tf.errors import UserError

_START_STREAM, _BATCH_SIZE = 3, 100


class UniversalCrafter(Crafter):
    """Adds one perturbation to whatever image it is given.

    It is computed when it is first needed, by signed steps that lower the mean loss over a batch of `others`, in turn.
    """

    def __init__(self, attack, network, budget, **options):
        super().__init__(attack, network, budget, **options)
        if self.others is None or not len(self.others):
            raise UserError("a universal perturbation needs at least one image of the attacker's own")
        self._compiled = self._compiled_once(self._step, reduce_retracing=True)
        self._crafted = None

    def within(self, budget):
        other = super().within(budget)
        other._crafted = None
        return other

    def trace(self, images=None, indices=None):
        """As any attack's, but over a batch of the attacker's own images."""
        return self._craft()[1]

    def _attack(self, images, indices):
        return self._changed(self._limits(images), images, self._craft()[0])

    def _craft(self):
        if self._crafted is None:
            batches = [as_images(self.others[i : i + _BATCH_SIZE]) for i in range(0, len(self.others), _BATCH_SIZE)]
            limits = self._limits(batches[0])
            begin = limits.epsilon * self._random(batches[0], self._keys(tf.constant([0]), _START_STREAM))[0]
            change, values = begin, []
            for number in range(self.budget.steps):
                change, value = self._compiled(limits, batches[number % len(batches)], change)
                values.append(float(value))
            values.append(float(self._compiled(limits, batches[0], change)[1]))
            if self.budget.moves and tf.reduce_all(begin == change):
                refuse_zero_gradient(self.loss, self._changed(limits, batches[0], change))
            self._crafted = change, values
        return self._crafted

    def _changed(self, limits, images, change):
        limits = widened(limits, images)
        return tf.clip_by_value(images + change, limits.low, limits.high)

    def _step(self, limits, images, change):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(change)
            value = tf.reduce_mean(self.loss(self._changed(limits, images, change)))
        gradient = tape.gradient(value, change, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        change -= limits.step_size * tf.sign(gradient)
        return tf.clip_by_value(change, -limits.epsilon, limits.epsilon), value


@dataclasses.dataclass(frozen=True, kw_only=True)
class Universal(Attack):
    """One image's worth of pixels that works on any image (Moosavi-Dezfooli et al., CVPR 2017)."""

    crafter = UniversalCrafter

    def __post_init__(self):
        super().__post_init__()
        if self.ball != "linf":
            raise UserError(f'a universal perturbation needs ball="linf", not {self.ball!r}')
