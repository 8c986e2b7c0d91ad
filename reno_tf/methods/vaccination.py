"""Vaccination: from the teacher's weights, on images that are attacked through the teacher. This project's own."""

import dataclasses
import functools

import tensorflow as tf

from reno_tf.errors import UserError
from reno_tf.methods.attacked_images import AttackedImages
from reno_tf.methods.hooks import Step
from reno_tf.methods.schedule import FROM_TEACHER


@dataclasses.dataclass(frozen=True, kw_only=True)
class Vaccination(AttackedImages):
    """The student keeps what the public teacher knows and unlearns its weakness.

    Its features on attacked images are matched to the teacher's of the clean images at every stage, with a weight that
    does not fade: the attack should change none of them. FARE (arXiv 2402.12336) does so for CLIP's embedding, on
    images that are attacked through the student itself.

    Another student that is trained in the same way has the same start, so what fools it may fool this one too
    (docs/defences.md). So the images may be attacked, by turns, through the teacher and through siblings: networks that
    the same method trained before, from other seeds, through the teacher alone. PubDef (arXiv 2310.17645) and Ensemble
    Adversarial Training (arXiv 1705.07204) attack through other networks too.
    """

    name = "vaccination"
    schedule = dataclasses.replace(FROM_TEACHER, learning_rate=0.01)
    feature_weight: float = 1.0
    feature_scale: str = "relative"
    attack_steps: int = 3  # gradients for each training step
    epsilon_factor: float = 1.0  # the strongest image's radius, as a multiple of epsilon
    siblings: int = 0  # networks that are trained first

    @property
    def largest_radius(self):
        return self.epsilon_factor * self.epsilon

    def before(self):
        return (dataclasses.replace(self, siblings=0),) * self.siblings

    def perturb(self, step: Step):
        if len(step.siblings) != self.siblings:
            counted = f"{len(step.siblings)} networks were given to Transfer.attack_through"
            raise UserError(f"vaccination: {counted}, siblings is {self.siblings}")
        networks = [step.teacher, *step.siblings]
        attacks = [functools.partial(self.attack, step, network) for network in networks]
        return tf.switch_case(tf.cast(step.number % len(networks), tf.int32), attacks)
