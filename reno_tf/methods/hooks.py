"""What the hooks of a method receive."""

import dataclasses
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from reno_tf.errors import UserError
from reno_tf.methods.schedule import Phase


@dataclasses.dataclass(frozen=True, kw_only=True)
class Preparation:
    """What `Method.prepare` may use and change, and `Method.batches` use."""

    phase: Phase | None  # that is about to begin
    number: int  # training steps done before it
    student: Any  # the Keras model; its weights may be changed in place
    teacher: Any  # the Keras model, or None
    train: Any  # the training images, a `reno_tf.data.Split`, or None outside of a run
    batches: Callable | None  # step -> endless batches of them (images, labels), augmented, from that step on
    state: dict[str, tf.Variable]  # of `Method.state`
    seed: int  # of everything random


@dataclasses.dataclass(frozen=True, kw_only=True)
class Step:
    """What `Method.perturb` may use. Outside of a run by this package some of it may be absent."""

    labels: tf.Tensor  # int [B]
    stages: list[str]  # names of the tapped ones
    sample_weights: tf.Tensor | None = None  # float [B], of Keras's class_weight and sample_weight
    images: tf.Tensor | None = None  # the clean batch, float32 [B, H, W, 3] in [0, 1]
    student: Any = None  # the Keras model
    teacher: Callable | None = None  # frozen, (images, names of outputs) -> {name: features}; see `needs_features`
    siblings: tuple[Callable, ...] = ()  # as `teacher`, the networks that were trained first; see `Method.before`
    state: dict[str, tf.Variable] = dataclasses.field(default_factory=dict)  # of `Method.state`
    number: tf.Tensor | None = None  # int64 scalar, the steps done before, over all phases
    total_steps: int | None = None  # of all phases
    phase: Phase | None = None  # the running one
    key: tf.Tensor | None = None  # int32 [2], (seed, number): draw from it, by `reno_tf.draws`

    @property
    def progress(self) -> tf.Tensor:
        """float32 scalar, the part of all training steps that is done: 0 at the first one, below 1 at the last."""
        if not self.total_steps:
            raise UserError("a method that changes along the training needs its length: Transfer(total_steps=N)")
        return tf.minimum(tf.cast(self.number, tf.float32) / self.total_steps, 1.0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Batch(Step):
    """What the terms of one training step are computed from; `images` are the perturbed ones."""

    outputs: dict[str, tf.Tensor]  # the student's, in training mode
    targets: dict[str, tf.Tensor] | None  # the teacher's, in inference mode, or None; see `needs_features`
    weights: list[Any]  # every trainable one
    head: list[Any]  # those of the linear head among them
    backbone: list[Any]  # those of the backbone
    anchors: list[Any] | None  # the teacher's, in pairs with `backbone`, for a method that starts from the teacher
