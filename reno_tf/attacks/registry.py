"""Every attack by name, and what each needs. A new one is a dataclass and a line here."""

import dataclasses
from collections.abc import Callable

from reno_tf.attacks import objectives
from reno_tf.attacks.attack import Attack, Budget
from reno_tf.attacks.crafter import Crafter
from reno_tf.attacks.pgd import PGD
from reno_tf.attacks.rules import Rule
from reno_tf.attacks.universal import Universal
from reno_tf.errors import choose
from reno_tf.models import stage_names


def _only(attack, network, neurons):
    return {"": attack}


def _each_neuron(attack, network, neurons):
    neurons = neurons or range(network.output["penultimate"].shape[-1])
    return {f"neuron {neuron}": attack.changed(neuron=neuron) for neuron in neurons}


def _each_stage(attack, network, neurons):
    return {stage: attack.changed(outputs=(stage,)) for stage in stage_names(network)}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Entry:
    """An attack of the registry, and what it needs.

    Attributes:
      attack: the attack. budget: what it has unless another is given.
      network: which network it goes through: "teacher", "surrogate" (a student of the attacker's own) or "student".
      others: which images it needs beside those it changes: "own" (the attacker's), "attacked" (all of
        those that it changes), or None.
      variants: (attack, network, neurons) -> {label: attack}; the attacker keeps, for each image, the one
        that works, which needs the student at test time alone.
      outside: why a suite shows it, but does not count it among what the attacker could do; None: it counts.
    """

    attack: Attack
    budget: Budget = Budget()
    network: str = "teacher"
    others: str | None = None
    variants: Callable = _only
    outside: str | None = None


ATTACKS = {
    # The paper's: one penultimate neuron is driven high.
    "pixel": Entry(attack=PGD()),
    # Its text, literally: 40 steps of 0.01 in a ball of 0.4, which therefore hardly binds.
    "paper": Entry(attack=PGD(start="zero"), budget=Budget(epsilon=0.4)),
    # Its published code: budget, steps and valid range count after the mean/std normalisation.
    "reference": Entry(
        attack=PGD(objective=objectives.ReferencePolarization(), unit="normalized"),
        outside="its valid range is wider than the images'",
    ),
    "momentum": Entry(attack=PGD(rule=Rule(momentum=1.0))),
    "diverse": Entry(attack=PGD(rule=Rule(momentum=1.0, diversity=0.5))),
    "smoothed": Entry(attack=PGD(rule=Rule(momentum=1.0, smoothing=1.0))),
    "l2": Entry(attack=PGD(ball="l2", unit="noise_length"), outside="a Euclidean ball, so another budget"),
    "neurons": Entry(attack=PGD(), variants=_each_neuron),
    "stages": Entry(attack=PGD(objective=objectives.StageDistance()), variants=_each_stage),
    "joint": Entry(attack=PGD(objective=objectives.StageDistance())),
    "disruption": Entry(attack=PGD(objective=objectives.Disruption())),
    "disruption_cosine": Entry(attack=PGD(objective=objectives.Disruption(distance="cosine"))),
    "guide": Entry(attack=PGD(objective=objectives.Guide()), others="attacked"),
    "universal": Entry(attack=Universal(), others="own"),
    "universal_lift": Entry(attack=Universal(objective=objectives.Lift()), others="own"),
    "surrogate": Entry(attack=PGD(objective=objectives.NegativeCrossEntropy()), network="surrogate"),
    "white_box": Entry(
        attack=PGD(objective=objectives.NegativeCrossEntropy()),
        network="student",
        outside="outside the threat model: it has the student",
    ),
}


def build(name: str, network, budget: Budget | None = None, *, neurons=(0, 1, 2, 3), **options) -> dict[str, Crafter]:
    """{label: attack} of the entry `name` on `network`; a single one has the label "".

    Args:
      name: a key of `ATTACKS`. network: the one that the entry goes through.
      budget: None takes the entry's. neurons: for "neurons"; (): all.
      **options: of `Crafter`: seed, precision, jit_compile, others.
    """
    entry = ATTACKS[choose("attack", name, ATTACKS)]
    attacks = entry.variants(entry.attack, network, neurons)
    return {label: attack.on(network, budget or entry.budget, **options) for label, attack in attacks.items()}
