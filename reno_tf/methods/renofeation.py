"""Renofeation: re-training with noisy feature distillation (the paper's method, section 4)."""

import dataclasses
from typing import ClassVar

from reno_tf.methods.delta_r import DeltaR
from reno_tf.methods.schedule import FROM_RANDOM, Schedule


@dataclasses.dataclass(frozen=True, kw_only=True)
class Renofeation(DeltaR):
    """DELTA from random weights, + SpatialDropout2D after each tapped stage, + a weight-averaging phase."""

    name: ClassVar[str] = "renofeation"
    dropout: ClassVar[float] = 0.1
    schedule: ClassVar[Schedule] = dataclasses.replace(FROM_RANDOM, swa=True)
