"""What an attack is, as its fields declare it: without network, without budget."""

import abc
import dataclasses
from typing import ClassVar

import numpy as np

from reno_tf.attacks.balls import BALLS
from reno_tf.attacks.objectives import Objective, TargetDistance
from reno_tf.attacks.units import UNITS
from reno_tf.errors import UserError, choose


@dataclasses.dataclass(frozen=True, kw_only=True)
class Budget:
    """The radius of the ball and the size of one step, in the attack's unit, scalars or one value per channel.

    step_size: None is a tenth of epsilon. Longer than epsilon, steps would leap from corner to corner of the ball.
    """

    epsilon: float = 0.1
    step_size: float | None = None
    steps: int = 40

    def __post_init__(self):
        if self.step_size is None:
            tenth = np.divide(self.epsilon, 10)
            object.__setattr__(self, "step_size", float(tenth) if tenth.ndim == 0 else tenth)
        for name, value in vars(self).items():
            if np.min(value) < 0:
                raise UserError(f"{name} must not be negative, not {value}")

    def scaled(self, factor: float) -> "Budget":
        """`factor` times the radius. Where the steps would then bind, not the ball, they grow with it; 0 takes none."""
        epsilon = factor * self.epsilon
        longer = factor if epsilon > self.steps * self.step_size else 1
        return Budget(epsilon=epsilon, step_size=longer * self.step_size, steps=self.steps if factor else 0)

    @property
    def moves(self) -> bool:
        """Whether a gradient can change any image."""
        return bool(self.steps and np.min(self.epsilon) > 0 and np.min(self.step_size) > 0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Attack(abc.ABC):
    """What is lowered, in which ball."""

    crafter: ClassVar[type]  # The `Crafter` that it becomes on a network.

    objective: Objective = TargetDistance()
    ball: str = "linf"  # A key of `BALLS`.
    unit: str = "pixel"  # How a budget is read: a key of `UNITS`.

    def __post_init__(self):
        choose("ball", self.ball, BALLS)
        choose("unit", self.unit, UNITS)

    def on(self, network, budget: Budget | None = None, **options):
        """The attack through `network`, as a `Crafter`; see there for the options."""
        return self.crafter(self, network, budget or Budget(), **options)

    def changed(self, **values) -> "Attack":
        """The attack with other values of its fields or its objective's; those that neither has are left out."""

        def replaced(declared):
            names = {field.name for field in dataclasses.fields(declared)} & values.keys()
            return dataclasses.replace(declared, **{name: values[name] for name in names})

        return dataclasses.replace(replaced(self), objective=replaced(self.objective))

    def has(self, option: str) -> bool:
        """Whether it is a field of the attack or of its objective."""
        return option in {field.name for declared in (self, self.objective) for field in dataclasses.fields(declared)}

    @property
    def parameters(self) -> dict:
        """Every field, also of what the fields hold, for JSON."""
        flat = {"objective": self.objective.name}
        for name, value in dataclasses.asdict(self).items():
            flat |= value if isinstance(value, dict) else {name: value}
        return flat
