"""Every loss term against NumPy, by hand."""

import numpy as np

from reno_tf.methods import losses

_RNG = np.random.default_rng(1)


def test_cross_entropy():
    logits, labels = _RNG.normal(size=(5, 3)), np.array([0, 2, 1, 1, 0])
    log_softmax = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    expected = -np.mean([log_softmax[i, label] for i, label in enumerate(labels)])
    np.testing.assert_allclose(losses.cross_entropy(labels, logits), expected, rtol=1e-6)


def test_half_squared_norm():
    weights = [_RNG.normal(size=(3, 4)), _RNG.normal(size=4)]
    expected = (np.sum(weights[0] ** 2) + np.sum(weights[1] ** 2)) / 2
    np.testing.assert_allclose(losses.half_squared_norm(weights), expected, rtol=1e-6)


def test_half_squared_distance():
    weights, anchors = ([_RNG.normal(size=(3, 4)), _RNG.normal(size=4)] for _ in range(2))
    expected = sum(np.sum((w - a) ** 2) for w, a in zip(weights, anchors, strict=True)) / 2
    np.testing.assert_allclose(losses.half_squared_distance(weights, anchors), expected, rtol=1e-6)


def test_feature_distance_means_over_each_stage_and_sums_over_stages():
    features, targets = ([_RNG.normal(size=(2, 4, 4, 3)), _RNG.normal(size=(2, 2, 2, 6))] for _ in range(2))
    expected = sum(np.mean((f - g) ** 2) for f, g in zip(features, targets, strict=True))
    np.testing.assert_allclose(losses.feature_distance(features, targets), expected, rtol=1e-6)


def test_feature_distance_does_not_grow_with_the_image():
    small, large = np.ones((1, 2, 2, 3)), np.ones((1, 20, 20, 3))
    assert float(losses.feature_distance([small], [0 * small])) == 1.0
    assert float(losses.feature_distance([large], [0 * large])) == 1.0
