"""Inoculation: from random weights, on images that are attacked through the teacher. This project's own."""

import dataclasses

from reno_tf.methods.attacked_images import AttackedImages
from reno_tf.methods.hooks import Batch
from reno_tf.methods.schedule import FROM_RANDOM


@dataclasses.dataclass(frozen=True, kw_only=True)
class Inoculation(AttackedImages):
    """The attacker's images depend on the public teacher alone, so the defender can make them too, without the student.

    The student's features on attacked images are matched to the teacher's of the clean images, with a weight that falls
    evenly from `feature_weight` to 0 over the training: they help to learn fast, and students that match them closely
    are fooled more often (docs/reproduction.md).

    docs/choices.md says how the numbers were chosen.
    """

    name = "inoculation"
    start = "random"
    schedule = FROM_RANDOM
    weight_decay: float = 5e-3

    def terms(self, batch: Batch):
        terms = super().terms(batch)
        terms["feature_distance"] *= 1.0 - batch.progress
        return terms
