"""How long a method trains and at which rates, and the phases that this makes."""

import dataclasses

from reno_tf.errors import UserError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Schedule:
    """How long a method trains, and at which rates."""

    learning_rate: float  # at the first step; it falls to 0 by a cosine
    momentum: float = 0.9  # in torch's form, in [0, 1)
    steps: int = 600
    swa: bool = False  # whether a second phase averages the weights (Izmailov et al., 2018; paper, section 4)
    swa_steps: int = 200
    swa_period: int = 25  # steps between two of the snapshots that are averaged
    swa_learning_rate: float | None = None  # constant; None is half the learning rate (paper, section 5.1)


# What the methods declare, by where they start: chosen on the validation split (docs/choices.md).
FROM_TEACHER = Schedule(learning_rate=0.005)  # paper: tuned in {0.01, 0.005}
FROM_RANDOM = Schedule(learning_rate=0.01)  # as the paper


@dataclasses.dataclass(frozen=True, kw_only=True)
class Phase:
    """Training steps with one optimizer, SGD.

    average_every: steps between snapshots of the weights; the student has their mean at the end, and
    BatchNorm statistics that fit it. 0: no averaging.
    """

    name: str  # of its checkpoints and rows of history
    steps: int
    learning_rate: float
    momentum: float = 0.9
    decay: str = "cosine"  # to 0; or "constant"
    average_every: int = 0
    trains: str | None = None  # "all" weights or the linear "head" alone; None: what the method says

    def interval(self, longest: int) -> int:
        """Steps between checkpoints: `longest`, at most all. Raises UserError if it does not divide the steps."""
        interval = min(longest, self.steps)
        if self.steps % interval:
            raise UserError(f"the interval ({longest}) must divide the {self.steps} steps of the phase {self.name}")
        return interval
