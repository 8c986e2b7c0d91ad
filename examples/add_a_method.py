"""A transfer method of your own, from the command line: DELTA whose feature weight falls to 0.

PYTHONPATH=. python examples/add_a_method.py --method=fading --config.method.strength=2
"""

import dataclasses

import main
from reno_tf import methods
from reno_tf.methods import Delta, Schedule


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fading(Delta):
    """strength: what the feature weight is multiplied by at the first step; at the last one it is 0."""

    name = "fading"
    schedule = Schedule(learning_rate=0.005)
    strength: float = 1.0

    def terms(self, batch):
        terms = super().terms(batch)
        terms["feature_distance"] *= self.strength * (1 - batch.progress)
        return terms


methods.METHODS[Fading.name] = Fading

if __name__ == "__main__":
    main.run()
