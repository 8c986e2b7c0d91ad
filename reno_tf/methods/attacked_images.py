"""What the methods share that train on images attacked through the public teacher, as an attacker does it."""

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from reno_tf import draws
from reno_tf.attacks import units
from reno_tf.attacks.balls import Limits
from reno_tf.attacks.descent import Descent
from reno_tf.attacks.objectives import cosine_similarity
from reno_tf.errors import UserError
from reno_tf.methods.delta import Delta
from reno_tf.methods.hooks import Step
from reno_tf.models import replicas

_REACH = 2.5  # The steps' lengths add up to this times the radius (Madry et al., 2018).


@dataclasses.dataclass(frozen=True, kw_only=True)
class AttackedImages(Delta):
    """DELTA on attacked images, whose features are matched to the teacher's of the clean ones.

    At each step most images are attacked through the teacher, without the student, each towards a random objective and
    within a random radius: its features at one stage, or the penultimate ones, are turned away from the clean ones,
    or the penultimate ones are driven along a random direction.
    """

    undefended = False
    clean_targets = True
    epsilon: float = 0.1  # of the L-infinity ball, in [0, 1] pixels: that of the strongest image
    attacked: float = 0.8  # part of the images; the others stay clean
    attack_steps: int = 1  # gradients for each training step

    def __post_init__(self):
        super().__post_init__()
        units.refuse_too_large(f"{self.name}: epsilon", self.largest_radius, "pixel")
        if self.attacked > 1 or not self.attack_steps:
            limits = "attacked must be at most 1 and attack_steps at least 1"
            raise UserError(f"{self.name}: {limits}, not {self.attacked} and {self.attack_steps}")

    @property
    def largest_radius(self) -> float:
        """Of the strongest image's ball, in [0, 1] pixels."""
        return self.epsilon

    def perturb(self, step: Step):
        return self.attack(step, step.teacher)

    def attack(self, step: Step, network: Callable):
        """The step's images attacked through a network that is called as `Step.teacher`."""
        images, outputs = step.images, [*step.stages, "penultimate"]
        clean = network(images, outputs)
        radius = self.largest_radius * radius_factors(_draw(step, 0, [1, 1, 1]), self.attacked)
        direction = _draw(step, 1, clean["penultimate"].shape[1:], draws.normal)
        objective = one_of(_draw(step, 2, []), len(outputs) + 1)
        start = images + radius * (2 * _draw(step, 3, images.shape[1:]) - 1)

        def loss(x, number):
            features = network(x, outputs)
            losses = [cosine_similarity(features[output], clean[output]) for output in outputs]
            losses.append(-tf.reduce_sum(features["penultimate"] * direction, axis=-1))
            return tf.reduce_sum(objective * tf.stack(losses, axis=-1), axis=-1)

        step_size = _REACH / self.attack_steps * radius
        return Descent().run(loss, images, start, Limits(radius, step_size, self.attack_steps))


def radius_factors(draw, share: float):
    """Draws in [0, 1) -> each image's factor of the radius: uniform in [0, 1) for a `share` of them, 0 for the rest."""
    return tf.math.divide_no_nan(tf.where(draw < share, draw, 0.0), share)


def one_of(draw, count: int):
    """Draws [B] in [0, 1) -> one-hot rows [B, count]."""
    return tf.one_hot(tf.cast(count * draw, tf.int32), count)


def _draw(step, number, shape, of=draws.uniform):
    """[B, *shape], a row for each image of the batch; `number` tells draws of one step apart."""
    key = tf.random.experimental.stateless_fold_in(step.key, number, alg="philox")
    return replicas.own_rows(lambda rows: of([rows, *shape], key), tf.shape(step.images)[0])
