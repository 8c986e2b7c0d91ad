"""DELTA-R: DELTA from random weights (paper, section 5.2)."""

import dataclasses

from reno_tf.methods.delta import Delta
from reno_tf.methods.schedule import FROM_RANDOM


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeltaR(Delta):
    """What Renofeation is without its two regularisers. The paper's code has a feature weight of 5 (birds: 1)."""

    name = "delta_r"
    start = "random"
    schedule = FROM_RANDOM
    undefended = False
    weight_decay: float = 5e-3
