"""DELTA: fine-tuning held near the teacher's features (Li et al., 2019, in the paper's form)."""

import dataclasses

from reno_tf.methods import losses
from reno_tf.methods.base import Method
from reno_tf.methods.hooks import Batch
from reno_tf.methods.schedule import FROM_TEACHER


@dataclasses.dataclass(frozen=True, kw_only=True)
class Delta(Method):
    """feature_weight: lambda of lambda sum_l mean((f_l(x, theta) - f_l(x, theta_0))^2).

    The paper tunes it on each data set, from 0.1 to 10 (section 5.1).
    """

    name = "delta"
    start = "teacher"
    schedule = FROM_TEACHER
    undefended = True
    needs_features = True
    weight_decay: float = 1e-4
    feature_weight: float = 0.5

    def terms(self, batch: Batch):
        features = [batch.outputs[stage] for stage in batch.stages]
        targets = [batch.targets[stage] for stage in batch.stages]
        terms = super().terms(batch)
        terms["feature_distance"] = self.feature_weight * losses.feature_distance(features, targets)
        return terms
