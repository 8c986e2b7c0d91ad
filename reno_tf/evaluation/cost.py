"""How long a run, an audit or a sweep will take, estimated before it starts.

All work is counted in passes: forward passes of the frozen teacher over one image. A pass is timed here, in about a
second. The factors are those of six networks on two cores (docs/speed.md), so an estimate says "about".
"""

import time
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from reno_tf import models
from reno_tf.attacks import NETWORKS
from reno_tf.evaluation.suite import Suite
from reno_tf.training import Job

_TRAINED, _TRAINED_HEAD = 6.0, 2.0  # passes that an image of a training step costs, teacher and update included
_GRADIENT = 2.5  # that an image costs for each gradient of an attack; of an ensemble, each is of one network
PROBE = 16  # images
_MINUTE, _SHORT = 60, "less than a minute"


def tell(passes: Mapping[str, float], teacher, images) -> str:
    """About how many minutes it takes on this machine, and what for. passes: what for -> how many.

    `images`: uint8 [N, H, W, 3], some that are attacked. What earlier runs have stored (adversarial images,
    the attacker's student) takes less.
    """
    each = seconds_of_pass(teacher, images[:PROBE])
    parts = ", ".join(f"{purpose} {duration(amount * each)}" for purpose, amount in passes.items())
    total = duration(sum(passes.values()) * each)
    return f"{'' if total == _SHORT else 'about '}{total} on this machine ({parts})"


def training_passes(job: Job, num_images: int = 0) -> float:
    """Of all phases, and of its siblings; the gradients that a method takes of its images count too.

    num_images: the training's, for a method that attacks them beforehand; 0 leaves these out.
    """
    trained = _TRAINED_HEAD if job.method.trains == "head" else _TRAINED
    passes = job.steps * job.batch_size * (trained + _GRADIENT * getattr(job.method, "attack_steps", 0))
    passes += _GRADIENT * job.method.gradients_beforehand(num_images)
    return passes + sum(training_passes(sibling, num_images) for sibling in job.siblings)


def attack_passes(suite: Suite, network, num_images: int, *, absent=frozenset(), kept=False) -> float:
    """Of crafting, unless the adversarial images are `kept`, and of the student's answers to them and to noise.

    `network`: one like the teacher, with any weights. `absent`: networks that no attack can go through.
    """
    names = NETWORKS.keys() - set(absent)
    members = suite.plan(dict.fromkeys(names, network))
    first = min(suite.images or num_images, num_images)  # on which all but the headline's are tried
    shown = min(suite.curve_images, num_images)
    if suite.chosen:  # The first look at each is a small part.
        members = members[: 1 + suite.chosen]
    answers = num_images * 3 + first * (len(members) + sum(member.counts for member in members))
    gradients = 0.0
    for member in members:
        if member is members[0]:
            crafted = num_images + shown * len(suite.curve)  # images, each as often as it is crafted
        else:
            crafted = first + min(shown, first) * len(suite.smaller_balls(member.reference))
        is_kept = kept and member.entry.network != "student"
        gradients += 0 if is_kept else crafted * suite.budget.steps * getattr(member.attack, "restarts", 1)
    return answers + _GRADIENT * gradients


def seconds_of_pass(network, images: np.ndarray) -> float:
    """Seconds that one image takes, in a batch of these uint8 `images`, through the frozen network."""
    frozen, outputs = models.freeze(network), list(network.output)
    forward = tf.function(lambda images: frozen(images, outputs))
    batch = tf.constant(images.astype(np.float32) / 255)
    forward(batch)  # Tracing is not part of the time.
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
