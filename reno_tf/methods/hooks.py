"""What the hooks of a method are handed."""

import dataclasses
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from reno_tf.methods.schedule import Phase


@dataclasses.dataclass(frozen=True, kw_only=True)
class Preparation:
    """What `Method.prepare` may use and change.

    Attributes:
      phase: the phase that is about to begin.
      student: the Keras model; its weights may be changed in place.
      teacher: the Keras model, or None.
      train: the training images, a `reno_tf.data.Split`, or None outside of a run.
      state: the variables of `Method.state`.
    """

    phase: Phase | None
    student: Any
    teacher: Any
    train: Any
    state: dict[str, tf.Variable]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Step:
    """What `Method.perturb` may use. Outside of a run by this package some of it may be absent.

    Attributes:
      labels: int [B]. images: the clean batch, float32 [B, H, W, 3] in [0, 1].
      stages: names of the tapped stages.
      student: the Keras model. teacher: (images, names of outputs) -> {name: features}, frozen, or None
        if the method asked for none (`needs_features`).
      state: the variables of `Method.state`.
      number: int64 scalar, the steps done before, over all phases. phase: the running phase.
      key: int32 [2], (seed, number): what is random in a step is drawn from it.
    """

    labels: tf.Tensor
    stages: list[str]
    images: tf.Tensor | None = None
    student: Any = None
    teacher: Callable | None = None
    state: dict[str, tf.Variable] = dataclasses.field(default_factory=dict)
    number: tf.Tensor | None = None
    phase: Phase | None = None
    key: tf.Tensor | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Batch(Step):
    """What the terms of one training step are computed from; `images` are the perturbed ones.

    Attributes:
      outputs: the student's dictionary of outputs, in training mode.
      targets: the teacher's dictionary of outputs in inference mode, or None without a teacher.
      weights: every trainable weight; head: those of the linear head among them.
      backbone, anchors: the backbone's trainable weights and the teacher's, in pairs; anchors
        is None for a method that does not start from the teacher.
    """

    outputs: dict[str, tf.Tensor]
    targets: dict[str, tf.Tensor] | None
    weights: list[Any]
    head: list[Any]
    backbone: list[Any]
    anchors: list[Any] | None
