"""Fine-tuning: start from the teacher's weights, train all of them."""

import dataclasses
from typing import ClassVar

from reno_tf.methods.base import Method
from reno_tf.methods.schedule import FROM_TEACHER, Schedule


@dataclasses.dataclass(frozen=True, kw_only=True)
class Finetune(Method):
    """How most classifiers are made."""

    name: ClassVar[str] = "finetune"
    start: ClassVar[str] = "teacher"
    schedule: ClassVar[Schedule] = FROM_TEACHER
    undefended: ClassVar[bool] = True
    weight_decay: float = 1e-4
