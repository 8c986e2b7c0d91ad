"""A suite of attacks as a value, and the attacks that it becomes on an attacker's networks."""

import dataclasses
from collections.abc import Mapping

from reno_tf import attacks
from reno_tf.attacks import AttackRef, Budget
from reno_tf.errors import UserError, choose


def references(*names: str) -> tuple[AttackRef, ...]:
    return tuple(AttackRef.parse(name) for name in names)


HEADLINE = AttackRef("pixel")
CORE = references("disruption")  # what every run tries beside its headline
WHOLE = references(
    *("pixel", "disruption", "disruption_l2", "disruption_all", "bsr", "momentum", "diverse", "smoothed"),
    *("neurons", "stages", "joint", "guide", "universal", "universal_lift", "surrogate", "ensemble"),
    *("ensemble_disruption", "l2", "white_box"),
)
# What an attacker who copies the defence can do, beside the headline and the core.
ADAPTIVE = references(
    *("pixel", "disruption", "sibling", "sibling_neuron", "sibling_disruption"),
    *("twin", "twin_neuron", "twin_disruption", "twins"),
)
QUICK = references("pixel", "disruption")
QUICK_CHOSEN = 3  # of the disruptions
QUICK_BUDGET = Budget(epsilon=0.1, step_size=0.04, steps=9)  # docs/choices.md


@dataclasses.dataclass(frozen=True, kw_only=True)
class Suite:
    """The attacks that a student meets. The first is the headline, whose controls are measured too.

    Raises UserError if there is no attack, or for an option that the attacks do not have.
    """

    name: str  # what reports call it: "suite", "quick", "core", or its headline
    attacks: tuple[AttackRef, ...]
    core: tuple[AttackRef, ...] = CORE  # whose worst case stands beside that of a suite which has more
    budget: Budget = Budget()  # of every attack, in the headline's ball and unit
    options: Mapping = dataclasses.field(default_factory=dict)  # fields of the attacks that have other values
    neurons: tuple[int, ...] = (0, 1, 2, 3)  # for "neurons"; (): all
    images: int = 400  # the first, on which all attacks but the headline are tried; 0: all
    headline_images: int = 0  # the first, on which the headline is tried; 0: all
    curve: tuple[float, ...] = (0.25, 0.5, 2.0, 5.0)  # times the radius: the headline within other balls
    curve_images: int = 200  # the first, on which it is
    exposure: bool = False  # whether all attacks are tried within the curve's smaller balls too, not the core alone
    eight_bit: bool = False  # whether adversarial images are rounded to 8 bits, inside of the ball
    seed: int = 0  # of the random starts
    chosen: int = 0  # how many are tried beside the headline, those that a first look finds best; 0: all

    def __post_init__(self):
        if not self.attacks:
            raise UserError("a suite needs an attack (config.attack.suite)")
        for option in self.options:
            if not any(reference.entry.has(option) for reference in self._meant):
                able = [name for name, entry in attacks.ATTACKS.items() if entry.has(option)]
                tried = ", ".join(map(str, self._meant))
                raise UserError(f"{tried} does not have the option {option}; these do: {', '.join(able)}")

    @property
    def _meant(self) -> tuple[AttackRef, ...]:
        """Whose options a user can mean: all attacks of a suite, else the headline's."""
        return self.attacks if self.name in SUITES else self.attacks[:1]

    def plan(self, networks: Mapping) -> "list[Member]":
        """The attacks one by one, the headline first. networks: each that an attack goes through, by its name.

        All that count are in the ball and unit of the first, so that one budget means the same for all. An attack
        whose network is absent is left out. Raises UserError for a variant that a network does not have.
        """
        members: list[Member] = []
        for reference in self.attacks:
            entry = reference.entry
            if entry.network not in networks:
                continue
            variants = reference.variants(networks[entry.network], neurons=self.neurons, **self.options)
            for single, attack in variants.items():
                if members and not entry.outside:
                    first = members[0].attack
                    attack = attack.changed(ball=first.ball, unit=first.unit)
                counts = entry.network not in attacks.OUT_OF_REACH and not (members and entry.outside)
                members.append(Member(single, attack, counts))
        return members

    @property
    def balls(self) -> list[float]:
        """Times the radius: where the headline is tried beside its own ball.

        At 0 the random start is the image itself: a success there would be an error of the measurement.
        """
        return [factor for factor in dict.fromkeys((0.0, *self.curve)) if factor != 1]

    def smaller_balls(self, reference: AttackRef) -> list[float]:
        """Where an attack beside the headline is tried too, if it is of the core or all are to be."""
        is_tried = self.exposure or any(core.names(reference) for core in self.core)
        return [factor for factor in self.balls if 0 < factor < 1] if is_tried else []

    def attacked(self, split):
        """The images of a split that the headline is tried on."""
        return split.first(self.headline_images)

    def refuse_without_headline(self, absent: Mapping[str, str]) -> None:
        """Raises UserError if the headline goes through a network that is absent. absent: its name -> why."""
        headline = self.attacks[0]
        if why := absent.get(headline.entry.network):
            raise UserError(f"the first attack, {headline}, cannot be made: {why}")

    def through(self, networks: set[str]) -> list[AttackRef]:
        """Its attacks that go through one of these networks."""
        return [reference for reference in self.attacks if reference.entry.network in networks]

    @property
    def networks(self) -> set[str]:
        """What its attacks go through."""
        return {reference.entry.network for reference in self.attacks}


@dataclasses.dataclass(frozen=True)
class Member:
    """One attack of a suite."""

    reference: AttackRef
    attack: attacks.Attack
    counts: bool  # whether the worst case counts it

    @property
    def name(self) -> str:
        return str(self.reference)

    @property
    def entry(self) -> attacks.AttackEntry:
        return self.reference.entry


def core() -> Suite:
    """The headline and the core: six attacks on a network of four stages. What every run tries."""
    return Suite(name="core", attacks=tuple(dict.fromkeys((HEADLINE, *CORE))))


def whole() -> Suite:
    """Every attack that counts, and some beside: 39 on a network of four stages."""
    return Suite(name="suite", attacks=WHOLE)


def adaptive() -> Suite:
    """The core, and attacks through networks that are made as the student is."""
    return Suite(name="adaptive", attacks=ADAPTIVE)


def quick() -> Suite:
    """Four attacks by nine gradients, on the first images, without the curve: an audit in minutes."""
    return Suite(
        name="quick",
        attacks=QUICK,
        budget=QUICK_BUDGET,
        chosen=QUICK_CHOSEN,
        headline_images=Suite.images,
        curve=(),
    )


SUITES = {"core": core, "suite": whole, "adaptive": adaptive, "quick": quick}


def named(suite: "str | Suite") -> Suite:
    """The suite of that name, a key of `SUITES`; a suite as it is. Raises UserError for another name."""
    return suite if isinstance(suite, Suite) else SUITES[choose("suite", suite, SUITES)]()
