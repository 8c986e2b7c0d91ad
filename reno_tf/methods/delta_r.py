"""DELTA-R: DELTA from random weights (paper, section 5.2)."""

import dataclasses
from typing import ClassVar

from reno_tf.methods.delta import Delta


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeltaR(Delta):
    """What Renofeation is without its two regularisers."""

    name: ClassVar[str] = "delta_r"
    start: ClassVar[str] = "random"
    weight_decay: float = 5e-3
    feature_weight: float = 5.0
