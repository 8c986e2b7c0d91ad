"""Projected gradient descent on a batch: loss x step x ball x start, without state or seed."""

import tensorflow as tf

from reno_tf.attacks.balls import BALLS
from reno_tf.attacks.rules import Rule


def descend(loss, images, start, *, epsilon, step_size, steps, low, high, ball="linf", rule=None):
    """Takes `steps` gradient steps from `start` that lower `loss`, and projects after each.

    Args:
      loss: (x [B, H, W, 3], number) -> [B], minimised for each image by itself; number: of the gradient, int32.
      images, start: [B, H, W, 3], the centres of the balls, and where the descent begins.
      epsilon, step_size, low, high: scalars or one value per channel, in [0, 1] pixels.
      ball: a key of `BALLS`. rule: a `Rule`; None: each step follows one gradient as it is.
    """
    step, begin = _stepper(loss, images, start, epsilon, step_size, low, high, ball, rule or Rule())
    return tf.while_loop(lambda number, *_: number < steps, step, begin)[1]


def trace(loss, value, images, start, *, steps: int, **options) -> tf.Tensor:
    """The mean of `value`, x -> [B], at the start and after each step of `descend`: [steps + 1]."""
    step, begin = _stepper(loss, images, start, **options)

    def record(state, values):
        return step(*state), values.write(state[0], tf.reduce_mean(value(state[1])))

    values = tf.TensorArray(tf.float32, steps + 1)
    state, values = tf.while_loop(lambda state, _: state[0] < steps, record, (begin, values))
    return values.write(steps, tf.reduce_mean(value(state[1]))).stack()


def _stepper(loss, images, start, epsilon, step_size, low, high, ball, rule):
    """The step, and the state that it begins with: its number, x, velocity."""
    ball = BALLS[ball]
    project = ball.projection(images, epsilon, low, high)

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
        return number + 1, project(x - step_size * ball.direction(velocity)), velocity

    return step, (tf.constant(0), project(start), tf.zeros_like(images))
