"""DELTA with adversarial training by three PGD steps (paper, section 5.5 and Table 6)."""

import dataclasses
from typing import ClassVar

from reno_tf.attacks.descent import descend
from reno_tf.attacks.objectives import negative_cross_entropy
from reno_tf.methods.delta import Delta
from reno_tf.methods.hooks import Step


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeltaAdversarial(Delta):
    """DELTA on images that are first attacked through the student itself, for twice the steps.

    The paper gives the number of PGD steps alone. Chosen here, as in Madry et al. (2018): the
    attack maximises the student's cross-entropy (in inference mode, from the clean image), and
    every term of DELTA is computed on the attacked images, the teacher's features too.

    Attributes:
      epsilon, step_size: of the L-infinity ball and of a step, in [0, 1] pixels.
      attack_steps: PGD steps for each training step (paper, Table 6).
    """

    name: ClassVar[str] = "delta_adversarial"
    undefended: ClassVar[bool] = False
    step_factor: ClassVar[int] = 2
    epsilon: float = 0.1
    step_size: float = 0.04
    attack_steps: int = 3

    def perturb(self, step: Step):
        return descend(
            lambda x: negative_cross_entropy(step.student(x, training=False)["logits"], step.labels),
            step.images,
            step.images,
            epsilon=self.epsilon,
            step_size=self.step_size,
            steps=self.attack_steps,
            low=0.0,
            high=1.0,
        )
