"""SGD and the decay terms against torch.optim.SGD's update, written in NumPy."""

import numpy as np
import tensorflow as tf

from reno_tf.methods import losses
from reno_tf.training import optimizers


def _torch_sgd(theta, gradient, learning_rates, momentum, weight_decay):
    buffer = np.zeros_like(theta)
    for lr in learning_rates:
        g = gradient(theta) + weight_decay * theta
        buffer = momentum * buffer + g
        theta = theta - lr * buffer
        yield theta


def test_fifty_steps_under_a_cosine_schedule():
    rng = np.random.default_rng(4)
    quadratic, start = np.diag(rng.uniform(0.5, 2, 8)), rng.normal(size=8)
    steps, lr, momentum, weight_decay = 50, 0.1, 0.9, 5e-3
    rates = [lr / 2 * (1 + np.cos(np.pi * t / steps)) for t in range(steps)]
    expected = list(_torch_sgd(start, lambda x: quadratic @ x, rates, momentum, weight_decay))

    theta = tf.Variable(start, dtype=tf.float64)
    optimizer = optimizers.SGD(optimizers.cosine(lr, steps), momentum)
    worst = 0.0
    for step in range(steps):
        with tf.GradientTape() as tape:
            loss = tf.tensordot(theta, tf.linalg.matvec(quadratic, theta), 1) / 2
            loss += weight_decay * losses.half_squared_norm([theta])
        optimizer.minimize(loss, [theta], tape=tape)
        worst = max(worst, np.abs(theta.numpy() - expected[step]).max())
    assert worst <= 1e-6
    assert np.abs(expected[-1] - start).max() > 0.1


def test_momentum_is_not_keras_momentum_once_the_rate_changes():
    # Keras carries lr inside the velocity: after a drop of the rate, old gradients keep their old rate.
    theta = tf.Variable([0.0])
    optimizer = optimizers.SGD(lambda: tf.where(optimizer.iterations < 1, 1.0, 0.0), momentum=0.9)
    for _ in range(3):
        optimizer.apply_gradients([(tf.constant([1.0]), theta)])
    np.testing.assert_allclose(theta, [-1.0])
