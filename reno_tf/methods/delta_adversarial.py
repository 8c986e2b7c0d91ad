"""DELTA with adversarial training by three PGD steps (paper, section 5.5 and Table 6)."""

import dataclasses

from reno_tf.attacks import units
from reno_tf.attacks.balls import Limits
from reno_tf.attacks.descent import Descent
from reno_tf.attacks.objectives import negative_cross_entropy
from reno_tf.methods.delta import Delta
from reno_tf.methods.hooks import Step

_STEP = 0.4  # the length of a step, of epsilon


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeltaAdversarial(Delta):
    """DELTA on images that are first attacked through the student itself, for twice the steps.

    The paper gives the number of PGD steps alone. Chosen here, as in Madry et al. (2018): the
    attack maximises the student's cross-entropy (in inference mode, from the clean image), and
    every term of DELTA is computed on the attacked images, the teacher's features too.
    """

    name = "delta_adversarial"
    undefended = False
    step_factor = 2
    epsilon: float = 0.1  # of the L-infinity ball, in [0, 1] pixels
    attack_steps: int = 3  # for each training step (paper, Table 6)
    epsilon_grows: bool = False  # it grows evenly from 0 over the training (arXiv 2509.23325), as far as described

    def __post_init__(self):
        super().__post_init__()
        units.refuse_too_large(f"{self.name}: epsilon", self.epsilon, "pixel")

    def perturb(self, step: Step):
        def loss(images, number):
            return negative_cross_entropy(step.student(images, training=False)["logits"], step.labels)

        epsilon = self.epsilon * (step.progress if self.epsilon_grows else 1.0)
        limits = Limits(epsilon=epsilon, step_size=_STEP * epsilon, steps=self.attack_steps)
        return Descent().run(loss, step.images, step.images, limits)
