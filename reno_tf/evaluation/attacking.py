"""From the config to attacks. What an attack may know is offered to it by the names of its parameters."""

import dataclasses
import inspect

import numpy as np

from reno_tf.attacks import ATTACKS, OUTSIDE, Attack
from reno_tf.attacks.features import check_neuron
from reno_tf.errors import UserError
from reno_tf.settings import attack_names

_FROM_CONFIG = ("epsilon", "step_size", "steps", "target_scale", "neuron")


@dataclasses.dataclass(frozen=True)
class Entry:
    """One attack of the entry `group` of the registry.

    source: the model that is attacked, a key of `Known.models`; through: SHA-256 of the weights it uses.
    outside: why it does not count as what the attacker can do, or None.
    """

    group: str
    name: str
    attack: Attack
    source: str
    through: str
    outside: str | None


@dataclasses.dataclass(frozen=True)
class Known:
    """What attacks are made from.

    Attributes:
      models: {"teacher": (model, SHA-256), "student": ..., "surrogate": ...}.
      images: the images that are attacked; own_images: what the attacker has beside them.
    """

    models: dict
    images: np.ndarray
    own_images: np.ndarray


def check(config, teacher, dataset) -> None:
    """Raises UserError, before hours are spent, for what the teacher or the data forbid."""
    for neuron in (config.attack.neuron, *config.attack.neurons):
        check_neuron(teacher, neuron)
    if "surrogate" in attack_names(config) and (config.split == "validation" or not len(dataset.validation)):
        raise UserError(
            "the surrogate learns from the validation split: it needs config.split=test "
            "and config.data.validation_per_class of at least 1"
        )


def know(config, dataset, split, *, teacher, student, train_surrogate) -> Known:
    """What attacks on `split` are made from; `teacher`, `student`: (model, SHA-256).

    `train_surrogate`: (data set, teacher) -> (model, SHA-256), called only if an attack wants one.
    """
    models = {"teacher": teacher, "student": student}
    if "surrogate" in attack_names(config):
        models["surrogate"] = train_surrogate(dataset, teacher)
    own = dataset.validation if len(dataset.validation) and config.split == "test" else split
    few = np.random.default_rng(config.attack.seed).permutation(len(own))[: config.attack.own_images]
    return Known(models, split.floats(), own.take(few).floats())


def entries(config, known: Known) -> list[Entry]:
    """Every attack to run."""
    return [entry for name in attack_names(config) for entry in build(config, name, known)]


def build(config, name: str, known: Known, **changes) -> list[Entry]:
    """The attacks that a name of the registry stands for; `changes` win over the config's parameters."""
    wanted = inspect.signature(ATTACKS[name]).parameters
    source = next(iter(wanted))  # Which model is attacked: the first parameter says it.
    model, through = known.models[source]
    offered = {key: config.attack[key] for key in _FROM_CONFIG} | {
        "targets": tuple(config.attack.neurons),
        "guides": known.images,
        "own_images": known.own_images,
        "image_shape": known.images.shape[1:],
    }
    arguments = {key: value for key, value in offered.items() if key in wanted}
    arguments |= {"seed": config.attack.seed, "precision": config.attack.precision}
    if "own_images" not in wanted:  # One perturbation for all has one start.
        arguments["restarts"] = config.attack.restarts
    built = ATTACKS[name](model, **arguments | changes)
    labelled = built.items() if isinstance(built, dict) else [("", built)]
    return [
        Entry(name, f"{name} {label}".strip(), attack, source, through, OUTSIDE.get(name)) for label, attack in labelled
    ]
