"""Inoculation: from random weights, on images attacked through the teacher; this project's own."""

import dataclasses
from typing import ClassVar

import tensorflow as tf

from reno_tf import draws
from reno_tf.attacks.descent import descend
from reno_tf.attacks.objectives import cosine_similarity
from reno_tf.methods.delta_r import DeltaR
from reno_tf.methods.hooks import Batch, Step


@dataclasses.dataclass(frozen=True, kw_only=True)
class Inoculation(DeltaR):
    name = "inoculation"
    clean_targets = True
    dropout = 0.0
    epsilon: float = 0.1
    share: float = 0.8
    attack_steps: int = 2
    fade: float = 1.0
    mix: int = 1

    def perturb(self, step: Step):
        outputs = [*step.stages, "penultimate"]
        count = int(round(self.share * step.images.shape[0]))
        images, rest = step.images[:count], step.images[count:]
        fold = tf.random.experimental.stateless_fold_in
        keys = [fold(step.key, n, alg="philox") for n in range(1, 5)]
        clean = step.teacher(images, outputs)
        width = clean["penultimate"].shape[-1]
        direction = draws.normal([count, width], keys[0])
        K = len(outputs) + 1
        pick = tf.cast(draws.uniform([count], keys[1], 0.0, float(K)), tf.int32)
        weight = tf.one_hot(pick, K)
        if self.mix == 2:
            w = draws.uniform([count, K], fold(step.key, 9, alg="philox")) ** 2
            weight = tf.where(draws.uniform([count, 1], fold(step.key, 10, alg="philox")) < 0.5, w, weight)
        epsilon = draws.uniform([count, 1, 1, 1], keys[2], 0.0, self.epsilon)
        start = images + epsilon * draws.uniform(tf.shape(images), keys[3], -1.0, 1.0)

        def loss(x, number):
            f = step.teacher(x, outputs)
            losses = [cosine_similarity(f[o], clean[o]) for o in outputs]
            losses.append(-cosine_similarity(f["penultimate"] , direction))
            return tf.reduce_sum(weight * tf.stack(losses, 1), 1)

        size = 2.5 * epsilon / self.attack_steps
        x = descend(loss, images, start, epsilon=epsilon, step_size=size, steps=self.attack_steps, low=0.0, high=1.0)
        return tf.concat([x, rest], 0)

    def terms(self, batch: Batch):
        terms = super().terms(batch)
        if self.fade:
            terms["feature_distance"] *= tf.maximum(0.0, 1.0 - batch.progress / self.fade)
        return terms
