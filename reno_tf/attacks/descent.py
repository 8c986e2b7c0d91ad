"""Projected gradient descent on a batch: loss x step x ball x start, without state or seed."""

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from reno_tf.attacks.balls import BALLS, Limits
from reno_tf.attacks.rules import Rule


@dataclasses.dataclass(frozen=True)
class Descent:
    """Gradient steps that lower a loss, each projected on the ball, a key of `BALLS`.

    A loss is (x [B, H, W, 3], number) -> [B], minimised for each image by itself; number: of the gradient, int32.
    images, start: [B, H, W, 3], the centres of the balls, and where the descent begins.
    """

    ball: str = "linf"
    rule: Rule = Rule()

    def run(self, loss: Callable, images, start, limits: Limits) -> tf.Tensor:
        """The images after all steps."""
        step, begin = self._stepper(loss, images, start, limits)
        return tf.while_loop(lambda number, *_: number < limits.steps, step, begin)[1]

    def trace(self, loss: Callable, value: Callable, images, start, limits: Limits) -> tf.Tensor:
        """The mean of `value`, x -> [B], at the start and after each step, a number of Python's: [steps + 1]."""
        step, begin = self._stepper(loss, images, start, limits)

        def record(state, values):
            return step(*state), values.write(state[0], tf.reduce_mean(value(state[1])))

        values = tf.TensorArray(tf.float32, limits.steps + 1)
        state, values = tf.while_loop(lambda state, _: state[0] < limits.steps, record, (begin, values))
        return values.write(limits.steps, tf.reduce_mean(value(state[1]))).stack()

    def _stepper(self, loss, images, start, limits):
        """The step, and the state that it begins with: its number, x, velocity."""
        ball, rule = BALLS[self.ball], self.rule
        project = ball.projection(images, limits)

        # Inlined into the loop, whose graph is a cycle, some max-pools would lose oneDNN's gradient.
        @tf.function(autograph=False, experimental_attributes={"_noinline": True})
        def gradient(number, x):
            # Only the input gets a gradient: no weight gradient is ever computed.
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(x)
                total = tf.reduce_sum(loss(x, number))
            return tape.gradient(total, x, unconnected_gradients=tf.UnconnectedGradients.ZERO)

        def step(number, x, velocity):
            first = number * rule.copies
            mean = tf.add_n([gradient(first + copy, x) for copy in range(rule.copies)]) / rule.copies
            velocity = rule.velocity(mean, velocity)
            return number + 1, project(x - limits.step_size * ball.direction(velocity)), velocity

        return step, (tf.constant(0), project(start), tf.zeros_like(images))
