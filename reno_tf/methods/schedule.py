"""How long a method trains and at which rates, and the phases that this makes."""

import dataclasses

from reno_tf.errors import UserError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Schedule:
    """How long a method trains, and at which rates.

    Attributes:
      learning_rate: at the first step; it falls to 0 by a cosine.
      momentum: in torch's form, in [0, 1).
      steps: training steps.
      swa: whether a second phase averages the weights (Izmailov et al., 2018; paper, section 4).
      swa_steps, swa_period: its steps, and the steps between two of the snapshots that are averaged.
      swa_learning_rate: constant; None is half the learning rate (paper, section 5.1).
    """

    learning_rate: float
    momentum: float = 0.9
    steps: int = 600
    swa: bool = False
    swa_steps: int = 200
    swa_period: int = 25
    swa_learning_rate: float | None = None


# What the methods declare, by where they start: chosen on the validation split (docs/choices.md).
FROM_TEACHER = Schedule(learning_rate=0.005)  # paper: tuned in {0.01, 0.005}
FROM_RANDOM = Schedule(learning_rate=0.01)  # as the paper


@dataclasses.dataclass(frozen=True, kw_only=True)
class Phase:
    """Training steps with one optimizer, SGD.

    Attributes:
      name: of its checkpoints and rows of history.
      steps: how many. learning_rate, momentum: of the optimizer.
      decay: "cosine" to 0, or "constant".
      average_every: steps between snapshots of the weights; the student has their mean at the end, and
        BatchNorm statistics that fit it. 0: no averaging.
      trains: "all" weights or the linear "head" alone; None: what the method says.
    """

    name: str
    steps: int
    learning_rate: float
    momentum: float = 0.9
    decay: str = "cosine"
    average_every: int = 0
    trains: str | None = None

    def interval(self, longest: int) -> int:
        """Steps between two checkpoints: `longest`, or the whole phase if that is shorter.

        Raises UserError if it does not divide the steps.
        """
        interval = min(longest, self.steps)
        if self.steps % interval:
            raise UserError(f"the interval ({longest}) must divide the {self.steps} steps of the phase {self.name}")
        return interval
