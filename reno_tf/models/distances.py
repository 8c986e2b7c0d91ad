"""How far a student is from its teacher: features, stage by stage, and weights."""

import numpy as np
import tensorflow as tf

from reno_tf.models.backbone import stage_names
from reno_tf.models.weights import named_weights


def feature_distance(student, teacher, images, *, batch_size: int = 100) -> float | None:
    """Mean over stages and images of mean((f_l(x, theta) - f_l(x, theta_0))^2); see `stage_distances`."""
    stages = stage_distances(student, teacher, images, batch_size=batch_size)
    return None if stages is None else float(np.mean([distances["absolute"] for distances in stages.values()]))


class StageDistances:
    """How far a student's features are from the teacher's, stage by stage. Holds one compiled function for many calls.

    Called with images, float32 [N, H, W, 3] in [0, 1], not augmented (paper, section 3), it gives {stage: {"absolute":
    mean((f - g)^2), "relative": that / the variance of g}}, g the teacher's features. The variance is the mean of each
    channel's over images and places, so that a student which gives each channel's mean has the relative distance 1.
    Both networks are in inference mode. None if the stages' shapes differ.
    """

    def __init__(self, student, teacher):
        self._stages = stage_names(teacher)
        shapes = [[model.output[stage].shape[1:] for stage in stage_names(model)] for model in (student, teacher)]
        self._comparable = shapes[0] == shapes[1]

        @tf.function(reduce_retracing=True)
        def batch_sums(batch):
            """{stage: each channel's sums over the batch, of means over places, of (f - g)^2, g and g^2: [3, c]}."""
            student_features, teacher_features = student(batch, training=False), teacher(batch, training=False)
            sums = {}
            for stage in self._stages:
                f, g = (tf.cast(features[stage], tf.float64) for features in (student_features, teacher_features))
                values = (tf.math.squared_difference(f, g), g, tf.square(g))
                sums[stage] = tf.reduce_sum(tf.stack([tf.reduce_mean(value, axis=[1, 2]) for value in values]), axis=1)
            return sums

        self._batch_sums = batch_sums

    def __call__(self, images, *, batch_size: int = 100) -> dict[str, dict] | None:
        if not self._comparable:
            return None
        offsets = range(0, len(images), batch_size)
        batches = (tf.constant(images[first : first + batch_size]) for first in offsets)
        batch_sums = [self._batch_sums.get_concrete_function(batch)(batch) for batch in batches]
        distances = {}
        for stage in self._stages:
            square, mean, second = np.sum([sums[stage].numpy() for sums in batch_sums], axis=0) / len(images)
            absolute, variance = float(square.mean()), float((second - mean**2).mean())
            distances[stage] = {"absolute": absolute, "relative": absolute / variance if variance > 0 else None}
        return distances


def stage_distances(student, teacher, images, *, batch_size: int = 100) -> dict[str, dict] | None:
    """`StageDistances` of one set of images."""
    return StageDistances(student, teacher)(images, batch_size=batch_size)


def weight_distance(student, teacher) -> float | None:
    """||theta - theta_0||_2 over the backbone's trained weights; None if the backbones differ."""
    models = (named_weights(model, head=False) for model in (student, teacher))
    weights, anchors = ({n: w for n, w in named.items() if "moving_" not in n} for named in models)
    if {n: w.shape for n, w in weights.items()} != {n: w.shape for n, w in anchors.items()}:
        return None
    squares = (np.sum((weights[n].numpy() - anchors[n].numpy()).astype(np.float64) ** 2) for n in weights)
    return float(np.sqrt(sum(squares)))
