"""PubDef: training on images that were attacked through a public network before the training."""

import dataclasses
import functools
import math

import numpy as np
import tensorflow as tf

from reno_tf import data, draws, models, progress
from reno_tf.attacks import units
from reno_tf.attacks.balls import BALLS, Limits
from reno_tf.attacks.descent import Descent
from reno_tf.attacks.objectives import cosine_similarity
from reno_tf.errors import UserError
from reno_tf.methods.base import Method
from reno_tf.methods.hooks import Preparation
from reno_tf.methods.schedule import FROM_TEACHER

_REACH = 2.5  # The steps' lengths add up to this times the radius (Madry et al., 2018).
_STREAM = 5  # of the starts' draws


@dataclasses.dataclass(frozen=True, kw_only=True)
class PubDef(Method):
    """Half of each batch is clean, the other half was attacked before the training; the loss is cross-entropy alone.

    Sitawarin et al., "PubDef: Defending Against Transfer Attacks From Public Models", ICLR 2024 (arXiv 2310.17645),
    attack by PGD through several public networks of the same task. Ensemble Adversarial Training (Tramèr et al., ICLR
    2018, arXiv 1705.07204) does so at each step.

    Written from a description, not from the published code. Here one public network is attacked, the teacher, which
    does not know the target's classes. Chosen here: PGD turns its penultimate features away from the clean ones, from
    a random point of the ball, by steps of a quarter of epsilon; what is attacked are views of the training images
    with the training's own augmentation, and these are not augmented again; the rates and the decay are those of
    fine-tuning, not tuned.

    From random weights (`start`), the other methods have a weight decay of 5e-3 and a learning rate of 0.01.

    The attacked images are uint8, in memory: `copies` for each training image. A run that resumes makes them again.
    Outside of a run, fit on the batches that `Transfer.batches` gives: others have no attacked image.
    """

    name = "pubdef"
    schedule = FROM_TEACHER
    least_batch = 2
    start: str = "teacher"  # or "random"
    weight_decay: float = 1e-4
    epsilon: float = 0.1  # of the L-infinity ball, in [0, 1] pixels
    copies: int = 4  # attacked views of each training image
    pgd_steps: int = 10  # gradients for each of them

    def __post_init__(self):
        super().__post_init__()
        units.refuse_too_large(f"{self.name}: epsilon", self.epsilon, "pixel")
        if not self.copies or not self.pgd_steps:
            limits = "copies and pgd_steps must be at least 1"
            raise UserError(f"{self.name}: {limits}, not {self.copies} and {self.pgd_steps}")

    @property
    def needs_teacher(self):
        return True

    def gradients_beforehand(self, num_images: int):
        return num_images * self.copies * self.pgd_steps

    def batches(self, preparation: Preparation):
        made = functools.cache(lambda: self.made_beforehand(preparation))  # Not for a training that is done.

        def batches_from(step):
            clean, half = preparation.batches(step), _batch_size(preparation) // 2
            if not half:
                raise UserError(f"{self.name}: half of each batch is clean, so a batch needs {self.least_batch} images")
            attacked = data.train_batches(made(), batch_size=half, seed=preparation.seed, start_step=step)
            joined = tf.data.Dataset.zip((clean, attacked)).map(_join, num_parallel_calls=1, deterministic=True)
            return joined.prefetch(2)

        return batches_from

    def made_beforehand(self, preparation: Preparation) -> data.Split:
        """The attacked views of the training images, and their labels."""
        attack = self._attack_on(preparation.teacher)
        count, size = self.copies * len(preparation.train), _batch_size(preparation)
        images = np.empty([count, *preparation.train.images.shape[1:]], np.uint8)
        labels = np.empty([count], np.int64)
        # A pass over the training images has each of them once.
        batches = preparation.batches(0).take(math.ceil(count / size))
        firsts = progress.bar(range(0, count, size), "attacking training images", unit="batch")
        for first, (views, classes) in zip(firsts, batches, strict=True):
            key = tf.random.experimental.stateless_fold_in([preparation.seed, _STREAM], first, alg="philox")
            attacked = attack(tf.round(255 * views) / 255, key).numpy()
            rows = slice(first, min(first + size, count))
            images[rows], labels[rows] = attacked[: count - first], classes[: count - first]
        return data.Split(images, labels)

    def _attack_on(self, teacher):
        """(8-bit images as floats, key of their starts) -> attacked ones, uint8."""
        frozen = models.freeze(teacher, precision=models.resolve_precision(teacher, "auto"))
        limits = Limits(self.epsilon, _REACH / self.pgd_steps * self.epsilon, self.pgd_steps)

        def features(images):
            return frozen(images, ["penultimate"])["penultimate"]

        @tf.function(autograph=False)
        def attack(images, key):
            clean = features(images)
            start = images + self.epsilon * draws.uniform(tf.shape(images), key, -1, 1)
            attacked = Descent().run(lambda x, _: cosine_similarity(features(x), clean), images, start, limits)
            return tf.cast(BALLS["linf"].levels(attacked, images, self.epsilon), tf.uint8)

        return attack


def _batch_size(preparation) -> int:
    _, labels = preparation.batches(0).element_spec
    return labels.shape[0] or len(next(iter(preparation.batches(0)))[1])


def _join(clean, attacked):
    """Batches (images, labels) of B and half as many: the first with its last rows replaced by the second."""
    kept = tf.shape(clean[1])[0] - tf.shape(attacked[1])[0]
    return tuple(tf.concat([ours[:kept], theirs], axis=0) for ours, theirs in zip(clean, attacked, strict=True))
