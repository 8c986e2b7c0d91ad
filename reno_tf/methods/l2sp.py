"""L2-SP: fine-tuning pulled back towards the teacher's weights (Li et al., 2018)."""

import dataclasses

from reno_tf.methods import losses
from reno_tf.methods.base import Method
from reno_tf.methods.hooks import Batch
from reno_tf.methods.schedule import FROM_TEACHER


@dataclasses.dataclass(frozen=True, kw_only=True)
class L2SP(Method):
    """anchor_weight: alpha of alpha/2 ||theta - theta_0||^2 over the backbone; the new head has no anchor.

    The anchor takes the place of weight decay.
    """

    name = "l2sp"
    start = "teacher"
    schedule = FROM_TEACHER
    undefended = True
    weight_decay: float = dataclasses.field(default=0.0, init=False)
    anchor_weight: float = 0.01

    def terms(self, batch: Batch):
        terms = super().terms(batch)
        del terms["weight_decay"]
        terms["anchor_decay"] = self.anchor_weight * losses.half_squared_distance(batch.backbone, batch.anchors)
        return terms
