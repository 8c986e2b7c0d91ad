"""Renofeation: re-training with noisy feature distillation (the paper's method, section 4)."""

import dataclasses

from reno_tf.methods.delta_r import DeltaR
from reno_tf.methods.schedule import FROM_RANDOM


@dataclasses.dataclass(frozen=True, kw_only=True)
class Renofeation(DeltaR):
    """DELTA from random weights, + SpatialDropout2D after each tapped stage, + a weight-averaging phase."""

    name = "renofeation"
    dropout = 0.1
    schedule = dataclasses.replace(FROM_RANDOM, swa=True)
