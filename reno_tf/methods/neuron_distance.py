"""Neuron distance: fine-tuning away from the teacher's features (Wang et al., USENIX Security 2018)."""

import dataclasses

from reno_tf.methods import losses
from reno_tf.methods.base import Method
from reno_tf.methods.hooks import Batch
from reno_tf.methods.schedule import FROM_TEACHER


@dataclasses.dataclass(frozen=True, kw_only=True)
class NeuronDistance(Method):
    """Fine-tuning whose features are pushed away from the teacher's of the same image, up to a distance.

    Wang et al., "With Great Training Comes Great Vulnerability: Practical Attacks against Transfer Learning", USENIX
    Security 2018, propose a neuron-distance technique that resists attacks through the teacher and hides which network
    the student was made from. Only its abstract could be read, so what is below is not verified: their form of the
    penalty, the layer, the weight of each neuron, the threshold, and what they start from. Chosen here: the last stage,
    from which the penultimate features come; the root of the mean squared difference in units of the teacher's
    variance; a hinge at the threshold; all neurons alike; the rates and the decay of fine-tuning. Nothing is tuned.

    distance_weight: lambda of lambda mean_x max(0, threshold - d(x)).
    """

    name = "neuron_distance"
    start = "teacher"
    schedule = FROM_TEACHER
    needs_features = True
    weight_decay: float = 1e-4
    distance_weight: float = 1.0
    threshold: float = 1.0  # of the distance; 1: the difference is as large as the teacher's features vary

    def terms(self, batch: Batch):
        last = batch.stages[-1]
        shortfall = losses.distance_shortfall(batch.outputs[last], batch.targets[last], self.threshold)
        return super().terms(batch) | {"neuron_distance": self.distance_weight * shortfall}
