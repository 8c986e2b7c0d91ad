"""Re-training: the target task from random weights, no teacher at all."""

import dataclasses

from reno_tf.methods.base import Method
from reno_tf.methods.schedule import FROM_RANDOM


@dataclasses.dataclass(frozen=True, kw_only=True)
class Retraining(Method):
    """The paper's robust and less accurate baseline: it never sees the teacher. docs/reproduction.md has what attacks
    through the teacher do to it all the same."""

    name = "retraining"
    start = "random"
    schedule = FROM_RANDOM
    weight_decay: float = 5e-3
