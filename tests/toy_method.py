"""A method from outside of the package that uses every hook: python toy_method.py --method=toy [--FLAG=VALUE ...]"""

import dataclasses

from reno_tf import draws
from reno_tf.methods import METHODS, Batch, Method, Phase, Preparation, Schedule, Step, losses

# isort: split
import small_network
import tensorflow as tf  # After reno_tf, which chooses its Keras.

import main


@dataclasses.dataclass(frozen=True, kw_only=True)
class Toy(Method):
    """Trains the head, averages, and trains all; features are pulled to a moving centre that the teacher starts.

    pull: coefficient of the mean square of (penultimate features - centre).
    """

    name = "toy"
    start = "teacher"
    needs_features = True
    schedule = Schedule(learning_rate=0.005)
    pull: float = 0.1

    def phases(self, schedule: Schedule):
        rate, steps = schedule.learning_rate, schedule.steps
        return (
            Phase(name="head", steps=steps, learning_rate=rate, trains="head"),
            Phase(name="averaged", steps=steps, learning_rate=rate, decay="constant", average_every=2),
            Phase(name="all", steps=steps, learning_rate=rate),
        )

    def state(self, student):
        features = student.output["penultimate"].shape[-1]
        return {
            "centre": tf.Variable(tf.zeros([features]), trainable=False),
            "prepared": tf.Variable(0, dtype=tf.int64, trainable=False),
        }

    def prepare(self, preparation: Preparation):
        preparation.state["prepared"].assign_add(1)
        if preparation.phase.name == "head":
            images = preparation.train.floats()[:8]
            preparation.state["centre"].assign(tf.reduce_mean(preparation.teacher(images)["penultimate"], axis=0))
        else:
            kernel = preparation.student.get_layer("head").kernel
            kernel.assign(0.9 * kernel)

    def perturb(self, step: Step):
        size = 0.0 if step.phase.name == "head" else 0.05
        noise = draws.uniform(tf.shape(step.images), step.key, -size, size)
        return tf.clip_by_value(step.images + noise, 0.0, 1.0)

    def terms(self, batch: Batch):
        features, centre = batch.outputs["penultimate"], batch.state["centre"]
        last = batch.stages[-1]
        terms = super().terms(batch)
        terms["pull"] = self.pull * tf.reduce_mean(tf.math.squared_difference(features, centre))
        terms["feature_distance"] = losses.feature_distance([batch.outputs[last]], [batch.targets[last]])
        centre.assign(0.9 * centre + 0.1 * tf.reduce_mean(features, axis=0))
        return terms


if __name__ == "__main__":
    small_network.register()
    METHODS[Toy.name] = Toy
    main.run()
