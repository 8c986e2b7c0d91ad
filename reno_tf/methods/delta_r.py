"""DELTA-R: DELTA from random weights (paper, section 5.2)."""

import dataclasses
from typing import ClassVar

from reno_tf.methods.delta import Delta
from reno_tf.methods.schedule import FROM_RANDOM, Schedule


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeltaR(Delta):
    """What Renofeation is without its two regularisers. The paper's code has a feature weight of 5 (birds: 1)."""

    name: ClassVar[str] = "delta_r"
    start: ClassVar[str] = "random"
    schedule: ClassVar[Schedule] = FROM_RANDOM
    undefended: ClassVar[bool] = False
    weight_decay: float = 5e-3
