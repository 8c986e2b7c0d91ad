"""How long a run, an audit or a sweep will take, told before it starts.

All work is counted in passes: forward passes of the frozen teacher over one image. A pass is timed here, in about a
second. The factors are those of six networks on two cores (docs/speed.md), so what is told is "about".
"""

import time

import numpy as np
import tensorflow as tf

from reno_tf import models
from reno_tf.evaluation import suite
from reno_tf.settings import Settings

_TRAINED, _TRAINED_HEAD = 6.0, 2.0  # passes that an image of a training step costs, teacher and update included
_GRADIENT = 2.5  # that an image costs for each gradient of an attack
PROBE = 16  # images
_MINUTE, _SHORT = 60, "less than a minute"


def tell(chosen: Settings, teacher, split, *, trains=True, exposure=False) -> str:
    """About how many minutes it takes on this machine, and what for.

    `split`: the images that are attacked. `trains`: a student; an audit does not. `exposure`: each attack is measured
    at several epsilon. What earlier runs have kept (adversarial images, the attacker's student) takes less.
    """
    passes = {"attacking": attack_passes(chosen, teacher, len(split), exposure=exposure)}
    if trains:
        passes = {f"{_steps(chosen)} steps of training": training_passes(chosen), **passes}
    if chosen.surrogate:
        passes[f"{_steps(chosen.surrogate)} of the attacker's own student"] = training_passes(chosen.surrogate)
    each = seconds_of_pass(teacher, split.images[:PROBE])
    parts = ", ".join(f"{part} {duration(amount * each)}" for part, amount in passes.items())
    total = duration(sum(passes.values()) * each)
    return f"{'' if total == _SHORT else 'about '}{total} on this machine ({parts})"


def training_passes(chosen: Settings) -> float:
    """Of all phases; the gradients that a method takes of its images count too."""
    images = _steps(chosen) * chosen.training.batch_size
    trained = _TRAINED_HEAD if chosen.method.trains == "head" else _TRAINED
    return images * (trained + _GRADIENT * getattr(chosen.method, "attack_steps", 0))


def _steps(chosen):
    return sum(phase.steps for phase in chosen.method.phases(chosen.schedule))


def attack_passes(chosen: Settings, network, num_images: int, *, exposure=False, kept=False) -> float:
    """Of crafting, unless the adversarial images are `kept`, and of the student's answers to them and to noise.

    `network`: one like the teacher, with any weights.
    """
    settings = chosen.attack
    members = suite.plan(settings, dict.fromkeys(("teacher", "surrogate", "ensemble", "student"), (network, "")))
    first = min(settings.images or num_images, num_images)  # on which all but the headline's are tried
    shown = min(chosen.report.curve_images, num_images)
    smaller = sum(factor < 1 for factor in chosen.report.curve_factors) if exposure else 0
    answers = num_images * 3 + first * (len(members) + sum(member.counts for member in members))
    crafted = num_images + shown * len(chosen.report.curve_factors)  # images, each as often as it is crafted
    gradients = 0.0
    for member in members:
        restarts, networks = getattr(member.attack, "restarts", 1), 5 if member.entry.network == "ensemble" else 1
        is_kept = kept and member.entry.network != "student"
        gradients += 0 if is_kept else crafted * settings.steps * restarts * networks
        crafted = first + min(shown, first) * smaller
    return answers + _GRADIENT * gradients


def seconds_of_pass(network, images: np.ndarray) -> float:
    """Seconds that one image takes, in a batch of these uint8 `images`, through the frozen network."""
    frozen, outputs = models.freeze(network), list(network.output)
    forward = tf.function(lambda images: frozen(images, outputs))
    batch = tf.constant(images.astype(np.float32) / 255)
    forward(batch)  # Tracing is no part of it.
    started = time.perf_counter()
    forward(batch)["penultimate"].numpy()
    return (time.perf_counter() - started) / len(images)


def duration(seconds: float) -> str:
    """ "less than a minute", "3 minutes", "2 h 5 min"."""
    count = round(seconds / _MINUTE)
    if count < 1:
        return _SHORT
    if count < 2 * _MINUTE:
        return f"{count} minute{'s' * (count > 1)}"
    return f"{count // _MINUTE} h {count % _MINUTE} min"
