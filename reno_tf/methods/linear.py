"""Linear classifier: only the head is trained, on the frozen teacher's penultimate features."""

import dataclasses

from reno_tf.methods.base import Method
from reno_tf.methods.schedule import FROM_TEACHER


@dataclasses.dataclass(frozen=True, kw_only=True)
class Linear(Method):
    """The model that Rezaei and Liu's attack was made for: the attacker knows all but the head."""

    name = "linear"
    start = "teacher"
    schedule = FROM_TEACHER
    undefended = True
    trains = "head"
    weight_decay: float = 1e-4
