"""What a run is made of: small frozen dataclasses, each read from a section of the config."""

import dataclasses
import json
import os

from reno_tf import files, hardware
from reno_tf.attacks import Budget, units
from reno_tf.data import DATASETS
from reno_tf.errors import UserError, choose
from reno_tf.evaluation import Crafting, Suite
from reno_tf.evaluation.suite import ADAPTIVE, CORE, QUICK, QUICK_CHOSEN, WHOLE, references
from reno_tf.methods import METHODS, Method, Schedule
from reno_tf.models import BACKBONES, hub, mixed_precision
from reno_tf.settings.fields import bounded, identity
from reno_tf.training import Job

FORMAT = 4  # of config.json; another number is another version's
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
    max_pixels: int = bounded(least=1, identifies=False)  # of an image that is decoded
    skip_unreadable: bool
    cache: bool = bounded(identifies=False)
    tfds_dir: str | None = bounded(identifies=False)  # where prepared data sets lie

    def __post_init__(self):
        if not self.name.startswith("tfds:"):
            choose("config.data.name", self.name, [*DATASETS, "tfds:NAME"])

    @property
    def short_name(self) -> str:
        """The name in those of folders."""
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
        if hub.NAME in (self.backbone, self.student) and self.backbone != self.student:
            raise UserError(f"{hub.NAME} reads its architecture from the teacher's preset: the student must be one too")

    @property
    def options(self) -> dict:
        """How teacher and student are built alike."""
        options = {"momentum": self.batch_norm_momentum, "image_size": self.image_size or None}
        preset = {"preset": self.weights} if self.backbone == hub.NAME else {}
        return options | preset | ({"taps": self.taps} if self.taps else {})


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
    """The attacks. Where None is allowed, it leaves the value to the attack."""

    preset: str
    core: tuple[str, ...] | None  # None: `reno_tf.evaluation.suite.CORE`
    suite: tuple[str, ...] | None  # None: `reno_tf.evaluation.suite.WHOLE`
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
    batch_size: int = bounded(least=1, identifies=False)
    cache: str = bounded(identifies=False)  # folder of crafted sets and surrogates
    cache_limit: float = bounded(least=0, identifies=False)  # GB

    def __post_init__(self):
        object.__setattr__(self, "cache", os.path.expanduser(self.cache))
        unit = self.as_suite().attacks[0].entry.attack.unit
        for key in ("epsilon", "step_size"):
            units.refuse_too_large(f"config.attack.{key}", getattr(self, key), unit)

    def as_suite(self, **others) -> Suite:
        """What is tried; `others`: further fields of `Suite`."""
        core = CORE if self.core is None else references(*self.core)
        whole = WHOLE if self.suite is None else references(*self.suite)
        tried = {"suite": whole, "adaptive": ADAPTIVE, "quick": QUICK}
        attacks = tried[self.preset] if self.preset in tried else (*references(self.preset), *core)
        changed = {key: getattr(self, key) for key in ("target_scale", "neuron", "restarts")}
        return Suite(
            name=self.preset,
            attacks=tuple(dict.fromkeys(attacks)),
            core=core,
            budget=Budget(epsilon=self.epsilon, step_size=self.step_size, steps=self.steps),
            options={key: value for key, value in changed.items() if value is not None},
            neurons=self.neurons,
            images=self.images,
            headline_images=self.images if self.preset == "quick" else 0,
            chosen=QUICK_CHOSEN if self.preset == "quick" else 0,
            eight_bit=self.eight_bit,
            seed=self.seed,
            **others,
        )

    @property
    def crafting(self) -> Crafting:
        """How its images are made and kept."""
        limit = self.cache_limit * 1e9
        return Crafting(
            batch_size=self.batch_size, precision=self.precision, cache=self.cache or None, cache_limit=limit
        )


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
    """One run.

    surrogate, sibling, twin: the runs that make attackers' students, if an attack wants them: see `attacks.NETWORKS`.
    """

    seed: int = bounded(least=0)
    data: Data
    networks: Networks
    method: Method
    schedule: Schedule
    training: Training
    attack: Attack
    report: Report
    has_recipe: bool = False  # whether the config changes what its method declares, for a task
    surrogate: "Settings | None" = None
    sibling: "Settings | None" = None
    twin: "Settings | None" = None

    def suite(self, *, exposure: bool = False) -> Suite:
        """What the student meets; a quick suite goes without the curve."""
        curve = () if self.attack.preset == "quick" else self.report.curve_factors
        return self.attack.as_suite(curve=curve, curve_images=self.report.curve_images, exposure=exposure)

    @property
    def job(self) -> Job:
        """How the student is made."""
        networks, training = self.networks, self.training
        return Job(
            backbone=networks.student,
            options={
                "tap": networks.tap,
                "dropout": training.dropout,
                "precision": training.precision,
                **networks.options,
            },
            method=self.method,
            schedule=self.schedule,
            batch_size=training.batch_size,
            interval=training.interval,
            seed=self.seed,
            distribution=training.distribution,
        )

    def identity(self, *, of_training: bool = False) -> dict:
        """What identifies the run: all that a number depends on, as JSON. of_training: a number of its student's."""
        sections = {name: identity(getattr(self, name)) for name in _SECTIONS}
        if self.data.name != "folder":
            sections["data"]["dir"] = None  # Archives hold the same wherever they lie.
        if of_training:
            del sections["attack"], sections["report"]
        content = {"seed": self.seed, "method": {"name": self.method.name, **identity(self.method)}, **sections}
        surrogate = self.surrogate
        if surrogate and surrogate.has_recipe and not of_training:  # Else it follows from the rest.
            content["surrogate"] = {"method": identity(surrogate.method), "schedule": identity(surrogate.schedule)}
        return json.loads(json.dumps(content))

    @property
    def key(self) -> str:
        """A hash of the identity."""
        return identity_key(self.identity())

    def as_json(self) -> dict:
        """The content of config.json."""
        content = {name: dataclasses.asdict(getattr(self, name)) for name in (*_SECTIONS, "method")}
        content["method"] = {"name": self.method.name, **content["method"]}
        return json.loads(json.dumps({"format": FORMAT, "seed": self.seed, **content}))


_SECTIONS = ("data", "networks", "schedule", "training", "attack", "report")


def identity_key(identity: dict) -> str:
    """A hash that two runs share if they are the same."""
    return files.digest(json.dumps(identity, sort_keys=True).encode())[:16]
