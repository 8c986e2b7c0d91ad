"""What a transfer method is: coefficients, facts about how it trains, and its loss terms."""

import dataclasses
from typing import Any, ClassVar

import tensorflow as tf

from reno_tf.errors import UserError
from reno_tf.methods import losses


@dataclasses.dataclass(frozen=True, kw_only=True)
class Batch:
    """What the terms of one training step are computed from.

    Attributes:
      labels: int [B].
      outputs: the student's dictionary of outputs, in training mode.
      targets: the teacher's dictionary of outputs in inference mode, or None if the method
        asked for none (`needs_features`).
      stages: the names of the tapped stages.
      weights: every trainable weight; head: those of the linear head among them.
      backbone, anchors: the backbone's trainable weights and the teacher's, in pairs; anchors
        is None without a teacher.
    """

    labels: tf.Tensor
    outputs: dict[str, tf.Tensor]
    targets: dict[str, tf.Tensor] | None
    stages: list[str]
    weights: list[Any]
    head: list[Any]
    backbone: list[Any]
    anchors: list[Any] | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Method:
    """A transfer method (paper, Table 1). Subclasses state their facts and add their terms.

    Attributes:
      weight_decay: coefficient wd of wd/2 ||theta||^2 over every trained weight.
      head_decay: coefficient beta of beta/2 (||W||^2 + ||b||^2) over the linear head, on top.
    """

    name: ClassVar[str]
    start: ClassVar[str]  # where the backbone's weights come from: "teacher" or "random"
    trains: ClassVar[str] = "all"  # "all", or "head": the backbone stays in inference mode
    needs_features: ClassVar[bool] = False  # whether a step runs the teacher
    dropout: ClassVar[float] = 0.0  # rate of SpatialDropout2D after each tapped stage
    swa: ClassVar[bool] = False  # whether an averaging phase follows
    step_factor: ClassVar[int] = 1  # training steps, as a multiple of the others'

    weight_decay: float = 0.0
    head_decay: float = 0.01

    def __post_init__(self):
        for field in dataclasses.fields(self):
            if getattr(self, field.name) < 0:
                raise UserError(f"{self.name}: {field.name} must not be negative, not {getattr(self, field.name)}")

    @property
    def needs_teacher(self) -> bool:
        return self.start == "teacher" or self.needs_features

    def perturb(self, student, images, labels):
        """The images [B, H, W, 3] that the step trains on; adversarial training changes them."""
        return images

    def terms(self, batch: Batch) -> dict[str, tf.Tensor]:
        """The named terms whose sum is the loss; the names are the TensorBoard tags."""
        return {
            "cross_entropy": losses.cross_entropy(batch.labels, batch.outputs["logits"]),
            "weight_decay": self.weight_decay * losses.half_squared_norm(batch.weights),
            "head_decay": self.head_decay * losses.half_squared_norm(batch.head),
        }
