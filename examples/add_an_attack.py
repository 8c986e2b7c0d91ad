"""An attack of your own, from the command line: it silences the teacher's last stage.

PYTHONPATH=. python examples/add_an_attack.py --method=finetune --attack=silence
"""

import dataclasses

import main
from reno_tf import attacks

# isort: split
import tensorflow as tf  # After reno_tf, which selects Keras 2.


@dataclasses.dataclass(frozen=True, kw_only=True)
class Silence(attacks.Objective):
    """Lowers the mean of one stage's features. outputs: which stage."""

    outputs: tuple[str, ...] = ("stage4",)

    def loss(self, features):
        (stage,) = self.outputs
        return tf.reduce_mean(tf.abs(features[stage]), axis=[1, 2, 3])


attacks.ATTACKS["silence"] = attacks.AttackEntry(attack=attacks.PGD(objective=Silence()))

if __name__ == "__main__":
    main.run()
