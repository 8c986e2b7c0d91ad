"""Re-training: the target task from random weights, no teacher at all."""

import dataclasses

from reno_tf.methods.base import Method
from reno_tf.methods.schedule import FROM_RANDOM


@dataclasses.dataclass(frozen=True, kw_only=True)
class Retraining(Method):
    """Robust to attacks through the teacher, because it shares nothing with it; less accurate."""

    name = "retraining"
    start = "random"
    schedule = FROM_RANDOM
    weight_decay: float = 5e-3
