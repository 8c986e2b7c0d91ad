"""Weight averages and BatchNorm statistics against recorded snapshots and NumPy."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from reno_tf import compat
from reno_tf.training import averaging, optimizers, own_swa

_CLASSES = {"own": own_swa.SWA}
if compat.has_addons():
    _CLASSES["addons"] = compat.addons_swa()


def _train(optimizer, theta, steps, first=0):
    """Gradient steps whose gradients depend on the step's number; returns theta after each."""
    path = []
    for step in range(first, first + steps):
        gradient = tf.constant([np.sin(step + 1.0), np.cos(2.0 * step)], tf.float32)
        optimizer.apply_gradients([(gradient, theta)])
        path.append(theta.numpy().copy())
    return path


@pytest.mark.parametrize("swa_class", _CLASSES.values(), ids=_CLASSES)
def test_average_is_the_mean_of_the_snapshots(monkeypatch, swa_class):
    monkeypatch.setattr(averaging, "swa_class", lambda: swa_class)
    theta = tf.Variable([1.0, -1.0])
    optimizer = averaging.wrap(optimizers.SGD(0.1, 0.9), period=4)
    path = _train(optimizer, theta, 14)
    averaging.assign_averages(optimizer, [theta], period=4)
    # after steps 4, 8 and 12
    np.testing.assert_allclose(theta, np.mean([path[3], path[7], path[11]], axis=0), rtol=1e-6)


@pytest.mark.parametrize("installed", [True, False])
def test_the_addons_class_is_taken_where_it_is_installed(monkeypatch, installed):
    monkeypatch.setattr(compat, "has_addons", lambda: installed)
    monkeypatch.setattr(compat, "addons_swa", lambda: "the addons' class")
    assert averaging.swa_class() == ("the addons' class" if installed else own_swa.SWA)


@pytest.mark.skipif("addons" not in _CLASSES, reason="no tensorflow_addons on this Python")
def test_own_averaging_equals_the_addons_step_by_step_and_through_a_checkpoint(tmp_path):
    averages = {}
    for name, swa_class in _CLASSES.items():
        theta = tf.Variable([1.0, -1.0])
        optimizer = swa_class(optimizers.SGD(0.1, 0.9), start_averaging=2, average_period=3)
        trace = []
        for step in range(10):
            _train(optimizer, theta, 1, first=step)
            trace += [theta.numpy().copy(), optimizer.get_slot(theta, "average").numpy()]
        path = tf.train.Checkpoint(theta=theta, optimizer=optimizer).save(str(tmp_path / name))

        theta = tf.Variable([9.0, 9.0])
        optimizer = swa_class(optimizers.SGD(0.1, 0.9), start_averaging=2, average_period=3)
        optimizer._create_all_weights([theta])
        tf.train.Checkpoint(theta=theta, optimizer=optimizer).restore(path).assert_consumed()
        _train(optimizer, theta, 7, first=10)
        trace += [theta.numpy().copy(), optimizer.get_slot(theta, "average").numpy()]
        averages[name] = np.array(trace)
    np.testing.assert_array_equal(averages["own"], averages["addons"])
    assert np.abs(averages["own"][-1]).max() > 0


@pytest.mark.parametrize("swa_class", _CLASSES.values(), ids=_CLASSES)
def test_averaging_works_inside_a_graph(swa_class):
    theta = tf.Variable([1.0, -1.0])
    optimizer = swa_class(optimizers.SGD(0.1, 0.9), start_averaging=1, average_period=2)
    optimizer._create_all_weights([theta])

    @tf.function
    def step(gradient):
        optimizer.apply_gradients([(gradient, theta)])

    path = []
    for i in range(5):
        step(tf.constant([1.0 + i, -2.0]))
        path.append(theta.numpy().copy())
    np.testing.assert_allclose(optimizer.get_slot(theta, "average"), (path[1] + path[3]) / 2, rtol=1e-6)


def test_no_snapshot_yet_is_an_error():
    theta = tf.Variable([1.0])
    optimizer = averaging.wrap(optimizers.SGD(0.1), period=5)
    optimizer.apply_gradients([(tf.constant([1.0]), theta)])
    with pytest.raises(ValueError, match="no snapshot"):
        averaging.assign_averages(optimizer, [theta], period=5)
    assert theta.numpy() != 0


def test_batch_norm_reestimation_is_the_mean_over_batches():
    norm = tf_keras.layers.BatchNormalization(momentum=0.9)
    model = tf_keras.Sequential([tf_keras.Input([4, 4, 3]), norm])
    norm.moving_mean.assign([7.0, 7.0, 7.0])
    norm.moving_variance.assign([np.inf, 7.0, 7.0])  # Whatever stood there has no weight.
    rng = np.random.default_rng(5)
    batches = [rng.normal(loc=i, scale=i + 1, size=(5, 4, 4, 3)).astype(np.float32) for i in range(3)]
    averaging.reestimate_batch_norm(model, batches)
    means = np.mean([batch.mean((0, 1, 2)) for batch in batches], axis=0)
    # Bessel's correction, as torch has it: 5 * 4 * 4 values a batch.
    variances = np.mean([batch.var((0, 1, 2), ddof=1) for batch in batches], axis=0)
    np.testing.assert_allclose(norm.moving_mean, means, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(norm.moving_variance, variances, rtol=1e-5)
    assert norm.momentum == 0.9


def test_frozen_batch_norm_is_left_alone():
    norm = tf_keras.layers.BatchNormalization(trainable=False)
    model = tf_keras.Sequential([tf_keras.Input([4, 4, 3]), norm])
    averaging.reestimate_batch_norm(model, [np.ones((2, 4, 4, 3), np.float32)])
    np.testing.assert_array_equal(norm.moving_mean, np.zeros(3))
