"""SeaM (Qi et al., "Reusing Deep Neural Network Models through Model Re-engineering", ICSE 2023)."""

import dataclasses

import numpy as np
import tensorflow as tf
import tf_keras

from reno_tf import models
from reno_tf.errors import UserError
from reno_tf.methods import losses
from reno_tf.methods.base import Method
from reno_tf.methods.hooks import Preparation
from reno_tf.methods.schedule import FROM_TEACHER

_FIRST = 1.0  # every value of a new mask


@dataclasses.dataclass(frozen=True, kw_only=True)
class Seam(Method):
    """Fine-tuning of the part of the teacher that the target needs: a mask over its weights is learnt first.

    Before the training a new head learns on the teacher's features; then masks m and head learn together, with weights
    W [m > 0] in the convolutions' and dense layers' kernels, all in inference mode, until enough is removed. What
    is removed is set to 0, the head is drawn anew, and all weights train.

    Written from a description, not from the published code. Not verified, and chosen here: the masks start at 1; if
    `mask_steps` are not enough, the smallest masks are removed; what is set to 0 is trained again with the others. A
    run that is killed meanwhile begins the masks anew, with the same result.
    """

    name = "seam"
    start = "teacher"
    schedule = FROM_TEACHER
    one_device = True  # Keras's optimizers refuse variables of several devices outside of their training step.
    weight_decay: float = 1e-4
    removed: float = 0.6  # part of the weights, at least
    kept_weight: float = 0.5  # of the loss, which is cross-entropy + kept_weight * part of the weights that is kept
    mask_rate: float = 0.05  # Adam's, of the masks
    head_rate: float = 1e-3  # Adam's, of the head meanwhile
    head_steps: int = 100
    mask_steps: int = 1000  # at most

    def __post_init__(self):
        super().__post_init__()
        if self.removed > 1:
            raise UserError(f"seam: removed must be at most 1, not {self.removed}")

    def prepare(self, preparation: Preparation):
        if preparation.number:
            return
        if preparation.batches is None:
            raise UserError("seam looks at the training images first: call Transfer.prepare with their batches")
        head = models.head_layer(preparation.student)
        fresh = head.get_weights()
        self._learn_head(preparation, head)
        self._learn_masks(preparation, head)
        head.set_weights(fresh)

    def _learn_head(self, preparation, head):
        optimizer = tf_keras.optimizers.legacy.Adam(self.head_rate)
        student = preparation.student

        @tf.function
        def step(images, labels):
            features = student(images, training=False)["penultimate"]
            with tf.GradientTape() as tape:
                loss = losses.cross_entropy(labels, head(features))
            weights = head.trainable_variables
            optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))

        for images, labels in preparation.batches(0).take(self.head_steps):
            step(images, labels)

    def _learn_masks(self, preparation, head):
        student, kernels = preparation.student, maskable(preparation.student)
        weights = [tf.convert_to_tensor(kernel) for kernel in kernels]
        masks = [tf.Variable(tf.fill(weight.shape, _FIRST)) for weight in weights]
        of_masks, of_head = (tf_keras.optimizers.legacy.Adam(rate) for rate in (self.mask_rate, self.head_rate))
        pull, others = self.kept_weight / sum(mask.shape.num_elements() for mask in masks), head.trainable_variables

        @tf.function
        def step(images, labels):
            with tf.GradientTape() as tape:
                loss = losses.cross_entropy(labels, student(images, training=False)["logits"])
            gradients = tape.gradient(loss, [*kernels, *others])
            pulled = [mask_gradient(g, w, pull) for g, w in zip(gradients, weights, strict=False)]
            of_masks.apply_gradients(zip(pulled, masks, strict=True))
            of_head.apply_gradients(zip(gradients[len(kernels) :], others, strict=True))
            for kernel, weight, mask in zip(kernels, weights, masks, strict=True):
                kernel.assign(tf.where(mask > 0, weight, 0.0))

        for images, labels in preparation.batches(self.head_steps).take(self.mask_steps):
            step(images, labels)
            if removed_part(masks) >= self.removed:
                return
        for kernel, weight, keep in zip(kernels, weights, weights_to_keep(masks, self.removed), strict=True):
            kernel.assign(np.where(keep, weight, 0.0))


def maskable(student) -> list[tf.Variable]:
    """The kernels of the backbone's convolutions and dense layers."""
    named = models.named_weights(student, head=False)
    return [weight for name, weight in named.items() if name.endswith("kernel")]


def mask_gradient(gradient, weight, pull):
    """The loss's gradient by a mask, from that by the masked weight; all are shaped alike."""
    # d loss / d[m > 0] = g W + kept_weight / number of weights; straight through to m, clipped
    return tf.clip_by_value(gradient * weight + pull, -1.0, 1.0)


def removed_part(masks) -> float:
    """Part of the weights whose mask is not above 0."""
    removed = tf.add_n([tf.math.count_nonzero(mask <= 0) for mask in masks])
    return int(removed) / sum(mask.shape.num_elements() for mask in masks)


def weights_to_keep(masks, removed: float) -> list[np.ndarray]:
    """All weights but the part `removed`, rounded up, that has the smallest masks: bool, shaped as these."""
    values = np.concatenate([np.ravel(mask) for mask in masks])
    keep = np.ones(len(values), bool)
    keep[np.argsort(values, kind="stable")[: int(np.ceil(removed * len(values)))]] = False
    pieces = np.split(keep, np.cumsum([mask.shape.num_elements() for mask in masks])[:-1])
    return [piece.reshape(mask.shape) for piece, mask in zip(pieces, masks, strict=True)]
