"""Fine-tuning: start from the teacher's weights, train all of them."""

import dataclasses

from reno_tf.methods.base import Method
from reno_tf.methods.schedule import FROM_TEACHER


@dataclasses.dataclass(frozen=True, kw_only=True)
class Finetune(Method):
    """How most classifiers are made."""

    name = "finetune"
    start = "teacher"
    schedule = FROM_TEACHER
    undefended = True
    weight_decay: float = 1e-4
