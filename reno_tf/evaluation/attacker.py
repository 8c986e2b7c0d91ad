"""Who attacks: the networks that an attacker has, their own images, and how adversarial images are made and kept."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tf_keras

from reno_tf import models
from reno_tf.attacks import COPIES

_ABSENT = {
    "surrogate": "the attacker has no student of their own",
    "ensemble": "the attacker has no students of their own",
    **dict.fromkeys(COPIES, "it is not known how the student was made"),
    "student": "the attacker does not have the student",
}


def why_absent(network: str) -> str:
    """Why an attacker lacks it, as a rule."""
    return _ABSENT[network]


@dataclasses.dataclass(frozen=True)
class Network:
    """A network that an attack goes through.

    digest: SHA-256 of all that its outputs depend on; None: adversarial images made through it are not kept.
    """

    model: Any
    digest: str | None = None

    @classmethod
    def of(cls, model) -> "Network":
        """The network with the digest of its weights, if it is a model of Keras's; a `Network` as it is."""
        if isinstance(model, cls):
            return model
        return cls(model, models.sha256(models.save(model)) if isinstance(model, tf_keras.Model) else None)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Attacker:
    """What an attacker has beside the images that are attacked.

    networks: some of `attacks.NETWORKS`; also what an attacker does not have, for what is shown beside. own_images:
    float32 [N, H, W, 3], an array or what gives arrays when it is indexed. absent: a network's name -> why.
    """

    networks: Mapping[str, Network]
    own_images: Any
    absent: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def models(self) -> dict:
        return {name: network.model for name, network in self.networks.items()}

    def why_absent(self, network: str) -> str:
        return self.absent.get(network) or why_absent(network)

    def without(self, **absent: str) -> "Attacker":
        """The same without these networks: name -> why."""
        networks = {name: network for name, network in self.networks.items() if name not in absent}
        return dataclasses.replace(self, networks=networks, absent={**self.absent, **absent})


@dataclasses.dataclass(frozen=True)
class Pictures:
    """A folder, and how many of the first images of each attack it gets as 8-bit PNGs."""

    folder: Path
    count: int

    def files(self, attack: str, num_images: int) -> list[Path]:
        folder = self.folder / attack.replace(" ", "-")
        return [folder / f"{place:05d}.png" for place in range(min(self.count, num_images))]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Crafting:
    """How adversarial images are made, and what is kept; but for the precision, no number depends on it."""

    batch_size: int = 100  # images
    precision: str = "auto"  # "float32", "bfloat16", or bfloat16 where the hardware has it
    cache: str | None = None  # folder of adversarial images, kept for every later student
    cache_limit: float | None = None  # bytes
    answers: Path | None = None  # folder of answers to each attack: an interrupted suite resumes, given all digests
    pictures: Pictures | None = None


CRAFTING = Crafting()


def own_images(split, count: int = 200, *, seed: int = 0):
    """An attacker's own images: this many of a split, drawn by the seed."""
    return split.take(np.random.default_rng(seed).permutation(len(split))[:count]).floats()
