"""Every attack of a run, one in memory at a time: built, run, counted, dropped."""

import dataclasses
import functools
import time
from collections.abc import Callable

import numpy as np

from reno_tf import attacks, hardware, progress
from reno_tf.errors import UserError
from reno_tf.evaluation import rates
from reno_tf.settings import Attack, Settings

_SHOWN = 8  # adversarial images that are kept to be looked at


@dataclasses.dataclass(frozen=True)
class Target:
    """What attacks are made from and tried on."""

    networks: dict  # {"teacher": (model, SHA-256 of what it computes), "student": ..., "surrogate": ...}
    split: object  # the images that are attacked, with their labels
    own_images: np.ndarray  # what the attacker has beside them, float32 [N, H, W, 3]

    @property
    def student(self):
        return self.networks["student"][0]

    @functools.cached_property
    def images(self):
        return self.split.floats()

    @functools.cached_property
    def content(self) -> str:
        """SHA-256 of the attacked images."""
        return self.split.digest()

    def first(self, count: int) -> "Target":
        """The same with the first `count` images alone; the attacker still has all."""
        return dataclasses.replace(self, split=self.split.take(np.arange(min(count, len(self.split)))))


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What is left of an attack once it is dropped."""

    group: str  # its key in the registry
    name: str  # the group, with the variant's label
    network: str  # which one it went through
    outside: str | None  # why it does not count
    parameters: dict  # all that it depends on
    predicted: np.ndarray  # the student's answers to its images, int64 [N]
    seconds: float  # of crafting
    shown: np.ndarray  # its first images, float32 [<= 8, H, W, 3]
    extra: object  # what `while_built` gave


def check(settings: Settings, teacher, dataset) -> None:
    """Raises UserError, before hours are spent, for an attack that the teacher or the data forbid."""
    for name in settings.attack.names:
        entry = attacks.ATTACKS[name]
        if entry.network == "teacher":
            for attack in entry.attacks(teacher, **settings.attack.changes).values():
                attack.objective.on(teacher)
    if settings.surrogate and (settings.report.split == "validation" or not len(dataset.validation)):
        raise UserError(
            "the surrogate learns from the validation split: it needs config.split=test "
            "and config.data.validation_per_class of at least 1"
        )


def run(settings: Attack, target: Target, *, while_built: Callable | None = None) -> list[Outcome]:
    """Runs every attack of the suite and keeps what the student said.

    `while_built`: (number of the attack, its crafter, craft) -> anything: what else the attack is used for before it
    is dropped. craft: (crafter, a `Target`) -> its adversarial images.
    """
    outcomes = []
    for name in settings.names:
        entry = attacks.ATTACKS[name]
        network = target.networks[entry.network][0]
        for label, attack in entry.attacks(network, **settings.changes).items():
            outcomes.append(_run(settings, target, name, label, attack, while_built, len(outcomes)))
            hardware.release_memory()
    return outcomes


def _run(settings, target, group, label, attack, while_built, number) -> Outcome:
    entry, name = attacks.ATTACKS[group], f"{group} {label}".strip()
    network, digest = target.networks[entry.network]
    others = {"own": target.own_images, "attacked": target.images, None: None}[entry.others]
    options = {"seed": settings.seed, "precision": settings.precision}
    crafter = attack.on(network, settings.budget, others=others, **options)
    craft = functools.partial(_craft, settings, digest, name)
    started = time.monotonic()
    adversarial = craft(crafter, target)
    seconds = time.monotonic() - started
    predicted = predict(target.student, adversarial, name)
    shown = np.array(adversarial[:_SHOWN])
    del adversarial  # The cache may need its room.
    extra = while_built(number, crafter, craft) if while_built else None
    return Outcome(group, name, entry.network, entry.outside, crafter.parameters, predicted, seconds, shown, extra)


def _craft(settings, digest, name, crafter: attacks.Crafter, target: Target) -> np.ndarray:
    """The adversarial images, from the cache if they lie there."""
    return attacks.craft_once(
        crafter,
        target.images,
        teacher=digest,
        folder=settings.cache,
        content=target.content,
        limit=settings.cache_limit * 1e9,
        batch_size=settings.batch_size,
        progress=functools.partial(progress.bar, label=f"crafting {name}", unit="batch"),
    )


def predict(student, images, label: str) -> np.ndarray:
    """`rates.predict` with a progress bar."""
    return rates.predict(student, images, progress=functools.partial(progress.bar, label=f"evaluating {label}"))


def target(settings: Settings, dataset, networks: dict) -> Target:
    """What is attacked by these settings."""
    split = dataset.test if settings.report.split == "test" else dataset.validation
    own = dataset.validation if len(dataset.validation) and settings.report.split == "test" else split
    drawn = np.random.default_rng(settings.attack.seed).permutation(len(own))[: settings.attack.own_images]
    return Target(networks, split, own.take(drawn).floats())
