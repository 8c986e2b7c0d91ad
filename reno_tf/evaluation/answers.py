"""A student's answers to clean, adversarial and noise images: the table that every number is computed from."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from reno_tf.attacks import AttackRef
from reno_tf.results import Skipped


@dataclasses.dataclass(frozen=True, kw_only=True)
class AttackAnswers:
    """The student's answers to the images of one attack, a class each, int64 [n]; the images are dropped by now.

    at: times the radius -> the answers to the first images, attacked in that ball; 1.0 is the attack itself.
    rounded: of 1.0, rounded to 8 bits; None where that was not asked for.
    """

    reference: AttackRef
    counts: bool
    gradients: int  # of each image
    parameters: Mapping[str, Any]  # all that its images depend on beside the network
    at: Mapping[float, np.ndarray]
    rounded: np.ndarray | None
    shown: np.ndarray  # the first of its images, float32 [<= 8, H, W, 3]
    crafting: float  # seconds
    asking: float  # seconds

    @property
    def name(self) -> str:
        return str(self.reference)

    @property
    def outside(self) -> str | None:
        """Why it does not count; None if it does."""
        return None if self.counts else self.reference.entry.outside

    @property
    def final(self) -> np.ndarray:
        """The answers to the images that the attacker would hand in."""
        return self.at[1.0] if self.rounded is None else self.rounded


@dataclasses.dataclass(frozen=True, kw_only=True)
class Answers:
    """All answers of a student. The first attack is the headline, on all images; the others are tried on the first.

    noise: (times the radius, number of the draw) -> answers to noise of that size.
    """

    labels: np.ndarray  # int64 [N]
    clean: np.ndarray  # int64 [N]
    epsilon: float  # the radius, in the headline's unit
    num_tried: int  # images on which every attack was tried
    attacks: tuple[AttackAnswers, ...]
    noise: Mapping[tuple[float, int], np.ndarray]
    convergence: list[float]  # the headline's objective before each step and after the last
    skipped: tuple[Skipped, ...]
    crafting: float  # seconds of all attacks, also before an interruption
    asking: float  # seconds of all answers, likewise

    @property
    def headline(self) -> AttackAnswers:
        return self.attacks[0]

    @property
    def counting(self) -> tuple[AttackAnswers, ...]:
        """The attacks that the worst case counts."""
        return tuple(attack for attack in self.attacks if attack.counts)

    def strongest_on(self, place: int) -> AttackAnswers:
        """Of the attacks that count and turn this image wrong the one that fools the student most often; the headline
        if none does, or if it is wrong without an attack."""
        label, right = self.labels[place], (self.clean == self.labels)[: self.num_tried]

        def fooled(attack) -> int:
            return int((right & (attack.final[: self.num_tried] != self.labels[: self.num_tried])).sum())

        if self.clean[place] != label or place >= self.num_tried:  # The headline alone is tried on more.
            return self.headline
        return max((one for one in self.counting if one.final[place] != label), key=fooled, default=self.headline)

    def groups(self) -> dict[str, list[AttackAnswers]]:
        """The attacks by their name in the registry."""
        groups: dict[str, list[AttackAnswers]] = {}
        for attack in self.attacks:
            groups.setdefault(attack.reference.name, []).append(attack)
        return groups
