"""Every attack by name, and what each needs. A new one is a dataclass and a line here."""

import dataclasses

from reno_tf.attacks import objectives
from reno_tf.attacks.attack import Attack, Budget
from reno_tf.attacks.cleverhans import Cleverhans
from reno_tf.attacks.crafter import Crafter
from reno_tf.attacks.pgd import PGD
from reno_tf.attacks.rules import Rule
from reno_tf.attacks.universal import Universal
from reno_tf.errors import choose
from reno_tf.models import stage_names


@dataclasses.dataclass(frozen=True, kw_only=True)
class AttackEntry:
    """An attack of the registry, and what it needs.

    each: it stands for an attack on each "neuron", "stage", or "layer" (the stages and the penultimate features), of
    which the attacker keeps, for each image, the one that works; None: for itself.
    """

    attack: Attack
    budget: Budget = Budget()  # unless another is given
    network: str = "teacher"  # it goes through that one of `NETWORKS`
    others: str | None = None  # images it needs beside those it changes: the attacker's "own", all the "attacked"
    each: str | None = None
    outside: str | None = None  # why a suite shows it, but does not count it among what the attacker could do

    def has(self, option: str) -> bool:
        """Whether another value of that field of the attack or its objective has an effect."""
        return self.attack.has(option) and option != self.each

    def attacks(self, network, *, neurons=(0, 1, 2, 3), **changes) -> dict[str, Attack]:
        """{label: attack} for a network, with other values of fields; a single one has the label ""."""
        attack = self.attack.changed(**changes)
        if self.each == "neuron":
            neurons = neurons or range(network.output["penultimate"].shape[-1])
            return {f"neuron {neuron}": attack.changed(neuron=neuron) for neuron in neurons}
        if self.each is None:
            return {"": attack}
        layers = stage_names(network) + (["penultimate"] if self.each == "layer" else [])
        return {layer: attack.changed(outputs=(layer,)) for layer in layers}


NETWORKS = {
    "teacher": "the public network",
    "surrogate": "the attacker's own student, from their own images",
    "ensemble": "the same, and four whose weights are drawn around it",
    "sibling": "the attacker's own student, made as the attacked one is, from their own images",
    "twin": "made as the attacked one is, from the same images, with another seed",
    "twins": "three such",
    "student": "the attacked one itself",
}
COPIES = ("sibling", "twin", "twins")  # that nobody can make who does not know how the student was made
OUT_OF_REACH = {"twin", "twins", "student"}  # The attacker has neither the defender's images nor the student.
_UPPER_BOUND = "an upper bound: the attacker has the defender's own training images"
_LOGITS, _FEATURES = PGD(objective=objectives.NegativeCrossEntropy()), PGD(objective=objectives.Disruption())
_BSR = Rule(momentum=1.0, strips=3, copies=2)

ATTACKS = {
    # The paper's: one penultimate neuron is driven high.
    "pixel": AttackEntry(attack=PGD()),
    # Its text, literally: 40 steps of 0.01 in a ball of 0.4, which therefore hardly binds.
    "paper": AttackEntry(attack=PGD(start="zero"), budget=Budget(epsilon=0.4, step_size=0.01)),
    # Its published code: budget, steps and valid range count after the mean/std normalisation.
    "reference": AttackEntry(
        attack=PGD(objective=objectives.ReferencePolarization(), unit="normalized"),
        outside="its valid range is wider than the images'",
    ),
    "momentum": AttackEntry(attack=PGD(rule=Rule(momentum=1.0))),
    "diverse": AttackEntry(attack=PGD(rule=Rule(momentum=1.0, diversity=0.5))),
    "smoothed": AttackEntry(attack=PGD(rule=Rule(momentum=1.0, smoothing=1.0))),
    "l2": AttackEntry(attack=PGD(ball="l2", unit="noise_length"), outside="a Euclidean ball, so another budget"),
    "neurons": AttackEntry(attack=PGD(), each="neuron"),
    "stages": AttackEntry(attack=PGD(objective=objectives.StageDistance()), each="stage"),
    "joint": AttackEntry(attack=PGD(objective=objectives.StageDistance())),
    "disruption": AttackEntry(attack=_FEATURES, each="layer"),
    "disruption_l2": AttackEntry(attack=PGD(objective=objectives.Disruption(distance="l2")), each="layer"),
    "disruption_all": AttackEntry(attack=PGD(objective=objectives.Disruption(outputs=()))),
    "bsr": AttackEntry(attack=PGD(objective=objectives.Disruption(), rule=_BSR), each="layer"),
    "guide": AttackEntry(attack=PGD(objective=objectives.Guide()), others="attacked"),
    "universal": AttackEntry(attack=Universal(), others="own"),
    "universal_lift": AttackEntry(attack=Universal(objective=objectives.Lift()), others="own"),
    "surrogate": AttackEntry(attack=_LOGITS, network="surrogate"),
    "ensemble": AttackEntry(attack=_LOGITS, network="ensemble"),
    "ensemble_disruption": AttackEntry(attack=_FEATURES, network="ensemble", each="layer"),
    # An attacker who copies the defence: logits, features, stages.
    "sibling": AttackEntry(attack=_LOGITS, network="sibling"),
    "sibling_neuron": AttackEntry(attack=PGD(), network="sibling"),
    "sibling_disruption": AttackEntry(attack=_FEATURES, network="sibling", each="layer"),
    "twin": AttackEntry(attack=_LOGITS, network="twin", outside=_UPPER_BOUND),
    "twin_neuron": AttackEntry(attack=PGD(), network="twin", outside=_UPPER_BOUND),
    "twin_disruption": AttackEntry(attack=_FEATURES, network="twin", each="layer", outside=_UPPER_BOUND),
    "twins": AttackEntry(attack=_LOGITS, network="twins", outside=_UPPER_BOUND),
    # The same as "pixel", but for the start, by another engine.
    "cleverhans": AttackEntry(attack=Cleverhans()),
    "white_box": AttackEntry(
        attack=_LOGITS,
        network="student",
        outside="outside the threat model: it has the student",
    ),
}


@dataclasses.dataclass(frozen=True)
class AttackRef:
    """Names all that an entry of the registry stands for, "disruption", or one variant of it, "disruption stage2".

    Raises UserError for a name that the registry does not have.
    """

    name: str
    variant: str = ""  # a label of `AttackEntry.attacks`; "": all

    def __post_init__(self):
        choose("attack", self.name, ATTACKS)

    def __str__(self):
        return f"{self.name} {self.variant}".strip()

    @classmethod
    def parse(cls, text: str) -> "AttackRef":
        name, _, variant = text.partition(" ")
        return cls(name, variant)

    @property
    def entry(self) -> AttackEntry:
        return ATTACKS[self.name]

    def names(self, other: "AttackRef") -> bool:
        """Whether it stands for the other one too."""
        return self.name == other.name and self.variant in ("", other.variant)

    def variants(self, network, **changes) -> "dict[AttackRef, Attack]":
        """Each attack that it stands for on a network; `changes` as `AttackEntry.attacks` takes them.

        Raises UserError for a variant that the network does not have.
        """
        attacks = self.entry.attacks(network, **changes)
        labels = [choose(f"variant of {self.name}", self.variant, attacks)] if self.variant else list(attacks)
        return {AttackRef(self.name, label): attacks[label] for label in labels}


def build(name: str, network, budget: Budget | None = None, *, neurons=(0, 1, 2, 3), **options) -> dict[str, Crafter]:
    """{label: attack} of the entry `name` on its network; neurons (): all; **options: of `Crafter`."""
    entry = ATTACKS[choose("attack", name, ATTACKS)]
    attacks = entry.attacks(network, neurons=neurons)
    return {label: attack.on(network, budget or entry.budget, **options) for label, attack in attacks.items()}
