"""From the config and the method's name to one flat, checked set of numbers."""

import dataclasses
import functools
import inspect

import tensorflow as tf
import tf_keras
from ml_collections import ConfigDict

from reno_tf import hardware, progress
from reno_tf.attacks import ATTACKS, OUTSIDE
from reno_tf.data import DATASETS
from reno_tf.errors import UserError, choose
from reno_tf.methods import METHODS, Method
from reno_tf.models import BACKBONES, mixed_precision
from reno_tf.training.distribution import STRATEGIES

# Where a recipe's value goes: recipe key -> key of the config.
_FROM_RECIPE = {
    "learning_rate": "optimizer.learning_rate",
    "momentum": "optimizer.momentum",
    "weight_decay": "optimizer.weight_decay",
    "swa_learning_rate": "optimizer.swa_learning_rate",
    "feature_weight": "feature_weight",
    "anchor_weight": "anchor_weight",
    "train": "steps.train",
    "swa": "steps.swa",
    "swa_period": "steps.swa_period",
}
_FROM_PRESET = ("epsilon", "step_size", "steps")


def resolve(config: ConfigDict, method_name: str, *, preset: str = "pixel") -> ConfigDict:
    """Fills every None from the method's recipe, and checks what can be checked without data.

    `preset` is the attack if the config names none.
    Raises UserError that names the key and what is allowed.
    """
    method = METHODS[choose("method", method_name, METHODS)]
    config = config.copy_and_resolve_references()
    recipe = config.recipes[method.start]
    for source, key in _FROM_RECIPE.items():
        section, _, leaf = key.rpartition(".")
        owner = config[section] if section else config
        if owner[leaf] is None:
            owner[leaf] = recipe[source] * (method.step_factor if source == "train" else 1)
    config.model.student = config.model.student or config.model.backbone
    config.dropout = method.dropout if config.dropout is None else config.dropout
    config.swa = method.swa if config.swa is None else config.swa
    config.attack.preset = config.attack.preset or preset
    _fill_attack(config.attack)
    with config.unlocked():
        del config.recipes, config.pretrain
        if not _is_adversarial(method):
            del config.adversarial
        config.method = method_name
    _check(config)
    return config


def attack_names(config, preset: str = "pixel") -> tuple[str, ...]:
    """The chosen attack (`preset` if the config names none), or every attack of the suite."""
    name = config.attack.preset or preset
    return tuple(config.attack.suite) if name == "suite" else (name,)


def resolve_surrogate(config: ConfigDict, *, preset: str = "pixel") -> ConfigDict | None:
    """The same settings for the attacker's own student; None if no attack wants one. `preset`: see `resolve`."""
    if "surrogate" not in attack_names(config, preset):
        return None
    return resolve(config, choose("config.attack.surrogate", config.attack.surrogate, METHODS), preset=preset)


def _fill_attack(attack):
    name = choose("attack preset", attack.preset, (*ATTACKS, "suite"))
    check_suite(attack)
    preset = inspect.signature(ATTACKS["pixel" if name == "suite" else name]).parameters
    for key in _FROM_PRESET:
        if attack[key] is None:
            attack[key] = preset[key].default


def check_suite(attack) -> None:
    """Raises UserError for an unknown attack, and for a suite of which none counts."""
    for member in attack.suite:
        choose("attack in config.attack.suite", member, ATTACKS)
    if not set(attack.suite) - OUTSIDE.keys():
        raise UserError(f"config.attack.suite needs an attack that counts: any but {', '.join(OUTSIDE)}")


def _check(config):
    choose("data set", config.data.name, DATASETS)
    choose("backbone", config.model.backbone, BACKBONES)
    choose("backbone", config.model.student, BACKBONES)
    build_options(config)
    choose("config.split", config.split, ("test", "validation"))
    if config.split == "validation" and not config.data.validation_per_class:
        raise UserError("config.split=validation needs config.data.validation_per_class of at least 1, not 0")
    choose("config.attack.precision", config.attack.precision, hardware.PRECISIONS)
    choose("config.distribution", config.distribution, STRATEGIES)
    choose("config.precision", config.precision, mixed_precision.PRECISIONS)
    choose("config.model.tap", config.model.tap, ("before_dropout", "after_dropout"))
    steps, optimizer = config.steps, config.optimizer
    least = {
        "config.batch_size": (config.batch_size, 1),
        "config.interval": (config.interval, 1),
        "config.steps.train": (steps.train, 1),
        "config.data.shots": (config.data.shots, 0),
        "config.data.size": (config.data.size, 1),
        "config.data.validation_per_class": (config.data.validation_per_class, 0),
        "config.optimizer.learning_rate": (optimizer.learning_rate, 0),
        "config.optimizer.weight_decay": (optimizer.weight_decay, 0),
        "config.attack.batch_size": (config.attack.batch_size, 1),
        "config.attack.neuron": (config.attack.neuron, 0),
        "config.attack.restarts": (config.attack.restarts, 1),
        "config.attack.own_images": (config.attack.own_images, 1),
        "config.attack.cache_limit": (config.attack.cache_limit, 0),
        "config.curve.images": (config.curve.images, 1),
        "config.seed": (config.seed, 0),
        "config.model.image_size": (config.model.image_size, 0),
    }
    least |= {f"config.attack.{key}": (config.attack[key], 0) for key in _FROM_PRESET}
    for key, (value, minimum) in least.items():
        if value < minimum:
            raise UserError(f"{key} must be at least {minimum}, not {value}")
    fractions = {
        "config.dropout": config.dropout,
        "config.optimizer.momentum": optimizer.momentum,
        "config.model.batch_norm_momentum": config.model.batch_norm_momentum,
    }
    for key, value in fractions.items():
        if not 0 <= value < 1:
            raise UserError(f"{key} must be in [0, 1), not {value}")
    if config.swa and not 1 <= steps.swa_period <= steps.swa:
        raise UserError(
            f"config.steps.swa_period must be from 1 to config.steps.swa ({steps.swa}), not {steps.swa_period}"
        )
    for key in ("train", "swa") if config.swa else ("train",):
        interval_of(config, key)


def interval_of(config, key: str) -> int:
    """The phase's interval: `config.interval`, or the whole phase if that is shorter."""
    steps = config.steps[key]
    interval = min(config.interval, steps)
    if steps % interval:
        raise UserError(f"config.interval ({config.interval}) must divide config.steps.{key} ({steps})")
    return interval


def _is_adversarial(method: type[Method]) -> bool:
    return method.perturb is not Method.perturb


def build_options(config) -> dict:
    """How teacher and student are built alike; arguments of `reno_tf.models.build`."""
    model = config.model
    if model.taps and not model.backbone.startswith("keras_"):
        raise UserError(f"config.model.taps goes with the backbones keras_*, not with {model.backbone}")
    options = {"momentum": model.batch_norm_momentum, "image_size": model.image_size or None}
    return options | ({"taps": tuple(model.taps)} if model.taps else {})


def draw(config) -> dict:
    """Which images of the data set are used; arguments of `reno_tf.data.load`."""
    return {
        "folder": config.data.dir,
        "data_dir": config.data.tfds_dir,
        "progress": functools.partial(progress.bar, label="looking at images", unit="image"),
        **{
            key: config.data[key]
            for key in ("shots", "fraction", "validation_per_class", "size", "skip_unreadable", "cache")
        },
    }


def build_method(config):
    """The method's dataclass with the config's coefficients."""
    method = METHODS[config.method]
    offered = {
        "weight_decay": config.optimizer.weight_decay,
        "head_decay": config.head_decay,
        "feature_weight": config.feature_weight,
        "anchor_weight": config.anchor_weight,
        **(config.adversarial if _is_adversarial(method) else {}),
    }
    taken = {field.name for field in dataclasses.fields(method) if field.init}
    return method(**{key: value for key, value in offered.items() if key in taken})


def seed_everything(seed: int) -> None:
    """Every op deterministic; what still draws from a global generator draws from `seed`."""
    tf_keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
