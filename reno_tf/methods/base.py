"""What a transfer method is: coefficients, what it declares about its training, and its hooks."""

import dataclasses
from collections.abc import Callable
from typing import ClassVar

import tensorflow as tf

from reno_tf.errors import UserError, choose
from reno_tf.methods import losses
from reno_tf.methods.hooks import Batch, Preparation, Step
from reno_tf.methods.schedule import Phase, Schedule

STARTS = ("teacher", "random")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Method:
    """A transfer method (paper, Table 1). Its fields are its coefficients: `--config.method.NAME=VALUE` sets them.

    Subclasses declare how they train, without annotations, so that it is not a field; they add their terms, and use
    the hooks that they need: `before`, `phases`, `state`, `batches`, `prepare`, `perturb`, `terms`.
    """

    name: ClassVar[str]
    start = "teacher"  # where the backbone's weights come from, one of `STARTS`; a field where it is a coefficient
    schedule: ClassVar[Schedule]
    trains: ClassVar[str] = "all"  # "all", or "head": the backbone stays in inference mode
    needs_features: ClassVar[bool] = False  # whether a step runs the teacher
    clean_targets: ClassVar[bool] = False  # whether it does so on the clean images, not on the perturbed ones
    dropout: ClassVar[float] = 0.0  # rate of SpatialDropout2D after each tapped stage
    one_device: ClassVar[bool] = False  # whether it cannot train on several devices together
    least_batch: ClassVar[int] = 1  # images that a batch needs
    step_factor: ClassVar[int] = 1  # training steps, as a multiple of the schedule's
    undefended: ClassVar[bool] = False  # whether nearly every attack should succeed with a large epsilon

    weight_decay: float = 0.0  # wd of wd/2 ||theta||^2 over every trained weight
    head_decay: float = 0.01  # beta of beta/2 (||W||^2 + ||b||^2) over the linear head, on top (paper, section 5.1)

    def __post_init__(self):
        choose(f"{self.name}: start", self.start, STARTS)
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, str) and value < 0:
                raise UserError(f"{self.name}: {field.name} must not be negative, not {value}")

    @property
    def needs_teacher(self) -> bool:
        return self.start == "teacher" or self.needs_features

    def before(self) -> tuple["Method", ...]:
        """How networks are trained before the student, from other seeds; each step sees them as `Step.siblings`."""
        return ()

    def phases(self, schedule: Schedule) -> tuple[Phase, ...]:
        """The phases of a training, in order: one under cosine decay, then the averaging one if there is to be one."""
        rate, momentum = schedule.learning_rate, schedule.momentum
        first = Phase(name="train", steps=schedule.steps, learning_rate=rate, momentum=momentum)
        if not schedule.swa:
            return (first,)
        rate = rate / 2 if schedule.swa_learning_rate is None else schedule.swa_learning_rate
        second = Phase(name="swa", steps=schedule.swa_steps, learning_rate=rate, momentum=momentum, decay="constant")
        return first, dataclasses.replace(second, average_every=schedule.swa_period)

    def state(self, student) -> dict[str, tf.Variable]:
        """Variables of the method's own. Every checkpoint holds them, so that a run resumes with them."""
        return {}

    def batches(self, preparation: Preparation) -> Callable:
        """What the training sees: step -> endless batches (images, labels) from that step on, the same when it resumes.

        `preparation.batches` has those of the training images; the phase is None.
        """
        return preparation.batches

    def gradients_beforehand(self, num_images: int) -> int:
        """How many gradients `batches` takes of images, for so many training images; for the estimated time."""
        return 0

    def prepare(self, preparation: Preparation) -> None:
        """Changes the student or the state before a phase begins; not called again when the phase resumes."""

    def perturb(self, step: Step):
        """The images [B, H, W, 3] that the step trains on; adversarial training changes them."""
        return step.images

    def terms(self, batch: Batch) -> dict[str, tf.Tensor]:
        """The named terms whose sum is the loss; the names are the TensorBoard tags."""
        return {
            "cross_entropy": losses.cross_entropy(batch.labels, batch.outputs["logits"], batch.sample_weights),
            "weight_decay": self.weight_decay * losses.half_squared_norm(batch.weights),
            "head_decay": self.head_decay * losses.half_squared_norm(batch.head),
        }
