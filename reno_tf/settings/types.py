"""What a run is made of: small frozen dataclasses, each read from a section of the config."""

import dataclasses
import os

from reno_tf import attacks, hardware
from reno_tf.attacks import ATTACKS, Budget, units
from reno_tf.data import DATASETS
from reno_tf.errors import UserError, choose
from reno_tf.methods import METHODS, Method, Schedule
from reno_tf.models import BACKBONES, mixed_precision
from reno_tf.settings.fields import bounded

# The preset "quick" (docs/choices.md).
QUICK = ("pixel", "disruption stage1", "disruption stage2", "disruption stage3")
QUICK_BUDGET = Budget(epsilon=0.1, step_size=0.04, steps=9)
FORMAT = 3  # of config.json; another number is another version's
_LARGEST = 8192  # pixels
DISTRIBUTIONS = ("none", "mirrored", "multi_worker")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Data:
    """Which images; the arguments of `reno_tf.data.load`, which says more."""

    name: str  # or "tfds:NAME", any that tensorflow-datasets knows
    dir: str | None  # the user's folder, of images or of archives
    shots: int = bounded(least=0)  # training images of each class, 0 takes all
    fraction: float  # part of those (paper, Table 5)
    validation_per_class: int = bounded(least=0)  # images held out of the training split
    size: int = bounded(least=1, below=_LARGEST)  # side of photos in pixels
    max_pixels: int = bounded(least=1)  # of an image that is decoded
    skip_unreadable: bool
    cache: bool
    tfds_dir: str | None  # where prepared data sets lie

    def __post_init__(self):
        if not self.name.startswith("tfds:"):
            choose("config.data.name", self.name, [*DATASETS, "tfds:NAME"])

    @property
    def short_name(self) -> str:
        """What folders are called by."""
        return self.name.removeprefix("tfds:")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Networks:
    """Teacher and student; the arguments of `reno_tf.models.build`."""

    backbone: str = bounded(one_of=BACKBONES)  # the teacher's
    weights: str  # the teacher's
    student: str = bounded(one_of=BACKBONES)  # its backbone
    taps: tuple[str, ...]  # layers that end the stages, (): found by rule
    image_size: int = bounded(least=0, below=_LARGEST)  # side of the input in pixels, 0: any
    batch_norm_momentum: float = bounded(least=0, below=1)
    tap: str = bounded(one_of=("before_dropout", "after_dropout"))  # where a stage's features are read

    def __post_init__(self):
        if self.taps and not self.backbone.startswith("keras_"):
            raise UserError(f"config.model.taps goes with the backbones keras_*, not with {self.backbone}")

    @property
    def options(self) -> dict:
        """How teacher and student are built alike."""
        options = {"momentum": self.batch_norm_momentum, "image_size": self.image_size or None}
        return options | ({"taps": self.taps} if self.taps else {})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Training:
    """How the student trains, whatever the method."""

    dropout: float = bounded(least=0, below=1)  # rate after each tapped stage
    precision: str = bounded(one_of=mixed_precision.PRECISIONS)
    distribution: str = bounded(one_of=DISTRIBUTIONS)
    batch_size: int = bounded(least=1)  # images, of all devices together (paper: 64)
    interval: int = bounded(least=1)  # steps between validations, checkpoints and rows of the history


@dataclasses.dataclass(frozen=True, kw_only=True)
class Attack:
    """What is attacked with. Where None is allowed, it leaves the value to the attack."""

    preset: str
    core: tuple[str, ...]
    suite: tuple[str, ...]
    images: int = bounded(least=0)  # the first of the split that all attacks but the first are tried on, 0: all
    eight_bit: bool
    epsilon: float = bounded(least=0)  # in the attack's unit, [0, 1] pixels for most
    step_size: float = bounded(least=0)
    steps: int = bounded(least=0)
    target_scale: float | None
    neuron: int | None = bounded(least=0)
    restarts: int | None = bounded(least=1)
    neurons: tuple[int, ...] = bounded(least=0)
    own_images: int = bounded(least=1)  # how many the attacker has
    surrogate: str = bounded(one_of=METHODS)
    seed: int = bounded(least=0)
    precision: str = bounded(one_of=hardware.PRECISIONS)
    batch_size: int = bounded(least=1)
    cache: str  # folder of crafted sets and surrogates
    cache_limit: float = bounded(least=0)  # GB

    def __post_init__(self):
        object.__setattr__(self, "cache", os.path.expanduser(self.cache))
        for key in ("core", "suite"):
            for member in getattr(self, key):
                attacks.split(member)
        if self.preset == "suite" and not self.suite:
            raise UserError("config.attack.suite needs an attack")
        unit = ATTACKS[attacks.split(self.members[0])[0]].attack.unit
        for key in ("epsilon", "step_size"):
            units.check(f"config.attack.{key}", getattr(self, key), unit)

    @property
    def members(self) -> tuple[str, ...]:
        """What is run: "NAME" or "NAME VARIANT" of the registry, the headline first."""
        found = {"suite": self.suite, "quick": QUICK}.get(self.preset, (self.preset, *self.core))
        return tuple(dict.fromkeys(found))

    @property
    def networks(self) -> set[str]:
        """What the attacks go through."""
        return {ATTACKS[attacks.split(member)[0]].network for member in self.members}

    def through(self, networks: set[str]) -> list[str]:
        """The members that go through one of these."""
        return [member for member in self.members if ATTACKS[attacks.split(member)[0]].network in networks]

    @property
    def budget(self) -> Budget:
        return Budget(epsilon=self.epsilon, step_size=self.step_size, steps=self.steps)

    @property
    def changes(self) -> dict:
        """What the config changes of an entry of the registry: arguments of `AttackEntry.attacks`."""
        values = {key: getattr(self, key) for key in ("target_scale", "neuron", "restarts")}
        return {name: value for name, value in values.items() if value is not None} | {"neurons": self.neurons}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Report:
    """What is counted."""

    split: str = bounded(one_of=("test", "validation"))  # "validation" while a number is being chosen
    curve_factors: tuple[float, ...] = bounded(least=0)  # times the attack's epsilon
    curve_images: int = bounded(least=1)  # the first of the split that the curve is made of


@dataclasses.dataclass(frozen=True, kw_only=True)
class Watch:
    """What TensorBoard shows of a training, beyond its losses. No result depends on it."""

    images: int = bounded(least=0)  # of the validation split; 0: none
    profile: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pretrain:
    """How a teacher is trained. data: a key of the data sets. batch_size: images."""

    data: str = bounded(one_of=DATASETS)
    validation_per_class: int = bounded(least=0)
    steps: int = bounded(least=1)
    batch_size: int = bounded(least=1)
    interval: int = bounded(least=1)
    learning_rate: float = bounded(least=0)
    weight_decay: float = bounded(least=0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """One run. surrogate: the run that makes the attacker's own student, if an attack wants one."""

    seed: int = bounded(least=0)
    data: Data
    networks: Networks
    method: Method
    schedule: Schedule
    training: Training
    attack: Attack
    report: Report
    surrogate: "Settings | None" = None

    def without(self, networks: set[str]) -> "Settings":
        """The same without the attacks that go through one of these, but for the headline's."""
        left_out = set(self.attack.through(networks)) - {self.attack.preset}
        kept = {key: tuple(m for m in getattr(self.attack, key) if m not in left_out) for key in ("suite", "core")}
        return dataclasses.replace(self, attack=dataclasses.replace(self.attack, **kept))

    def as_json(self) -> dict:
        """The content of config.json."""
        content = dataclasses.asdict(dataclasses.replace(self, surrogate=None))
        del content["surrogate"], content["data"]["max_pixels"]  # It decides whether there are results, not which.
        return content | {"format": FORMAT, "method": {"name": self.method.name, **content["method"]}}
