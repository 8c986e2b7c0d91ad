"""Attacks through the public teacher: objective x step x projection x start.

The attacker has the teacher's weights and architecture, never the student's. Each entry of
`ATTACKS` builds, from what its parameters are named after, an attack or a dict of attacks of which
the attacker keeps the best for each image.
"""

from reno_tf.attacks.base import Attack, resolve_jit
from reno_tf.attacks.cache import craft_once, trace_once
from reno_tf.attacks.crafting import Noisy, craft
from reno_tf.attacks.feature_space import disruption, disruption_cosine, guide, joint, stages, surrogate, white_box
from reno_tf.attacks.objectives import reference_polarization, target_distance
from reno_tf.attacks.penultimate import paper, penultimate_pgd, reference
from reno_tf.attacks.pgd import PGD
from reno_tf.attacks.universal import Universal, universal, universal_lift
from reno_tf.attacks.variants import diverse, euclidean, momentum, neurons, smoothed

ATTACKS = {
    "pixel": penultimate_pgd,
    "paper": paper,
    "reference": reference,
    "momentum": momentum,
    "diverse": diverse,
    "smoothed": smoothed,
    "l2": euclidean,
    "neurons": neurons,
    "stages": stages,
    "joint": joint,
    "disruption": disruption,
    "disruption_cosine": disruption_cosine,
    "guide": guide,
    "universal": universal,
    "universal_lift": universal_lift,
    "surrogate": surrogate,
    "white_box": white_box,
}

# What a suite shows, but does not count among what the attacker could do; and why.
OUTSIDE = {
    "reference": "its valid range is wider than the images'",
    "l2": "a Euclidean ball, so another budget",
    "white_box": "outside the threat model: it has the student",
}

__all__ = [
    "ATTACKS",
    "Attack",
    "Noisy",
    "OUTSIDE",
    "PGD",
    "Universal",
    "craft",
    "craft_once",
    "paper",
    "penultimate_pgd",
    "reference",
    "reference_polarization",
    "resolve_jit",
    "target_distance",
    "trace_once",
]
