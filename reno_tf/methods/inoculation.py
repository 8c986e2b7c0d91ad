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

    docs/choices.md says how the numbers were chosen. Its parts can be taken away one by one: the random start and the
    fading by what is below, the matching by feature_weight=0, the attacked images by attacked=0.
    """

    name = "inoculation"
    schedule = FROM_RANDOM
    start: str = dataclasses.field(default="random", metadata={"neutral": "random"})  # or "teacher"
    weight_decay: float = 5e-3
    fades: bool = dataclasses.field(default=True, metadata={"neutral": True})  # whether the feature weight falls

    def terms(self, batch: Batch):
        terms = super().terms(batch)
        if self.fades:
            terms["feature_distance"] *= 1.0 - batch.progress
        return terms
