"""Linear classifier: only the head is trained, on the frozen teacher's penultimate features."""

import dataclasses
from typing import ClassVar

from reno_tf.methods.base import Method
from reno_tf.methods.schedule import FROM_TEACHER, Schedule


@dataclasses.dataclass(frozen=True, kw_only=True)
class Linear(Method):
    """The model that Rezaei and Liu's attack was made for: the attacker knows all but the head."""

    name: ClassVar[str] = "linear"
    start: ClassVar[str] = "teacher"
    schedule: ClassVar[Schedule] = FROM_TEACHER
    undefended: ClassVar[bool] = True
    trains: ClassVar[str] = "head"
    weight_decay: float = 1e-4
