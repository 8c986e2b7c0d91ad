"""DELTA with adversarial training by three PGD steps (paper, section 5.5 and Table 6)."""

import dataclasses
from typing import ClassVar

from reno_tf.attacks.objectives import negative_cross_entropy
from reno_tf.attacks.pgd import descend
from reno_tf.methods.delta import Delta


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeltaAdversarial(Delta):
    """DELTA on images that are first attacked through the student itself, for twice the steps.

    The paper gives the number of PGD steps alone. Chosen here, as in Madry et al. (2018): the
    attack maximises the student's cross-entropy (in inference mode, from the clean image), and
    every term of DELTA is computed on the attacked images, the teacher's features too.

    Attributes:
      epsilon, step_size: of the L-infinity ball and of a step, in [0, 1] pixels.
      steps: PGD steps for each training step.
    """

    name: ClassVar[str] = "delta_adversarial"
    step_factor: ClassVar[int] = 2
    epsilon: float = 0.1
    step_size: float = 0.04
    steps: int = 3

    def perturb(self, student, images, labels):
        return descend(
            lambda x: negative_cross_entropy(student(x, training=False)["logits"], labels),
            images,
            images,
            epsilon=self.epsilon,
            step_size=self.step_size,
            steps=self.steps,
            low=0.0,
            high=1.0,
        )
