"""DELTA: fine-tuning held near the teacher's features (Li et al., 2019, in the paper's form)."""

import dataclasses

from reno_tf.errors import choose
from reno_tf.methods import losses
from reno_tf.methods.base import Method
from reno_tf.methods.hooks import Batch
from reno_tf.methods.schedule import FROM_TEACHER

_DISTANCES = {"absolute": losses.feature_distance, "relative": losses.relative_feature_distance}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Delta(Method):
    """feature_weight: lambda of lambda sum_l mean((f_l(x, theta) - f_l(x, theta_0))^2).

    The paper tunes it on each data set, from 0.1 to 10 (section 5.1).

    feature_scale: "absolute", as the paper has it, or "relative": each stage's distance is divided by the variance of
    the teacher's features there, so that one lambda means the same for every network.
    """

    name = "delta"
    start = "teacher"
    schedule = FROM_TEACHER
    undefended = True
    needs_features = True
    weight_decay: float = 1e-4
    feature_weight: float = 0.5
    feature_scale: str = "absolute"

    def __post_init__(self):
        super().__post_init__()
        choose(f"{self.name}: feature_scale", self.feature_scale, _DISTANCES)

    def terms(self, batch: Batch):
        features = [batch.outputs[stage] for stage in batch.stages]
        targets = [batch.targets[stage] for stage in batch.stages]
        terms = super().terms(batch)
        terms["feature_distance"] = self.feature_weight * _DISTANCES[self.feature_scale](features, targets)
        return terms
