"""ReMoS and SeaM: scores and masks against NumPy, and what is left of the teacher."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from conftest import long
from replicas import toy, toy_data

import reno_tf
from reno_tf import data, models
from reno_tf.errors import UserError
from reno_tf.methods import Remos, Seam, remos, seam

_DATA = toy_data()
_RNG = np.random.default_rng(7)


def _batches(step):
    return data.train_batches(_DATA.train, batch_size=8, seed=0, start_step=step)


def _prepared(method):
    """The student after the method's preparation, the teacher, and the head as it was."""
    student, teacher = toy(num_classes=3, seed=0), toy(seed=1)
    head = [weight.numpy() for weight in models.head_layer(student).weights]
    model = reno_tf.Transfer(student, teacher, method)
    model.prepare(_DATA.train, _batches)
    return model, teacher, head


def _kernels(model):
    return {
        name: weight.numpy() for name, weight in models.named_weights(model, head=False).items() if "kernel" in name
    }


def test_a_channel_is_active_where_the_mean_of_its_scaled_activation_is_above_a_half():
    # Over both channels: minimum 0, maximum 4. The means are 0.625 and 0.4375.
    first = np.array([[[4.0, 0], [2, 3]], [[3, 4], [1, 0]]])
    shifted = 10 + 0.01 * first  # The scale of an image is its own.
    constant = np.ones((2, 2, 2))
    found = remos.active(tf.constant([first, shifted, constant], tf.float32))
    np.testing.assert_array_equal(found, [[True, False], [True, False], [False, False]])


def test_coverage_counts_images_behind_norm_and_activation():
    images = tf_keras.Input([2, 2, 1])
    x = tf_keras.layers.Conv2D(2, 1, use_bias=False, name="plain")(images)
    normed = tf_keras.layers.Conv2D(2, 1, use_bias=False, name="normed")(x)
    y = tf_keras.layers.ReLU()(tf_keras.layers.BatchNormalization(epsilon=0.0)(normed))
    model = tf_keras.Model(images, {"stage1": y})
    model.get_layer("plain").set_weights([np.array([1.0, -1.0]).reshape(1, 1, 1, 2)])
    model.get_layer("normed").set_weights([np.eye(2).reshape(1, 1, 2, 2)])
    bright = np.array([1.0, 1, 1, 0.5]).reshape(1, 2, 2, 1)
    counts = remos.coverage(model, np.float32(np.concatenate([bright, bright, 0 * bright])))
    # plain: 1 and -1 of x are scaled from [-1, 1]: 0.9375 and 0.0625. normed: ReLU cuts the second to 0.
    assert {name: list(count) for name, count in counts.items()} == {"plain": [2, 0], "normed": [2, 0]}


def test_what_is_irrelevant_by_hand():
    kernels = {"a": np.array([1.0, -5.0, 2.0, 6.0]).reshape(1, 1, 2, 2), "b": np.array([3.0, 4.0]).reshape(1, 1, 2, 1)}
    counts = {"a": np.array([7, 0]), "b": np.array([2])}
    # a's output channels alternate. Coverage 7 0 7 0 | 2 2 has the ranks 5.5 1.5 5.5 1.5 | 3.5 3.5, the sizes are their
    # own ranks: the score is 4.5 -3.5 3.5 -4.5 | 0.5 -0.5.
    for removed, lost in ((0.0, []), (0.34, [3, 1]), (0.5, [3, 1, 5])):
        found = remos.irrelevant(kernels, counts, removed)
        flat = np.concatenate([found["a"].ravel(), found["b"].ravel()])
        assert set(np.flatnonzero(flat)) == set(lost), removed
        assert found["a"].shape == kernels["a"].shape and found["b"].shape == kernels["b"].shape


def test_a_depthwise_kernel_has_its_channels_in_its_last_two_axes():
    kernels, counts = {"d": np.ones([3, 3, 2, 2])}, {"d": np.array([9, 9, 0, 9])}
    lost = remos.irrelevant(kernels, counts, 0.25)["d"]  # A quarter: channel 2, which is multiplier 0 of input 1.
    expected = np.zeros([3, 3, 2, 2], bool)
    expected[:, :, 1, 0] = True
    np.testing.assert_array_equal(lost, expected)


@pytest.mark.parametrize(("name", "kernel"), [("separable", "pointwise_kernel"), ("depthwise", "depthwise_kernel")])
def test_the_kernel_that_makes_the_channels(name, kernel):
    images = tf_keras.Input([4, 4, 3])
    kinds = {"separable": tf_keras.layers.SeparableConv2D(5, 3, name=name)}
    kinds["depthwise"] = tf_keras.layers.DepthwiseConv2D(3, depth_multiplier=2, name=name)
    model = tf_keras.Model(images, {"stage1": kinds[name](images)})
    assert list(models.convolution_activations(model)) == [name]
    assert remos.convolution_kernels(model, [name]) == {name: getattr(model.get_layer(name), kernel)}
    counts = remos.coverage(model, np.ones([1, 4, 4, 3], np.float32))
    lost = remos.irrelevant({name: getattr(model.get_layer(name), kernel).numpy()}, counts, 0.5)
    assert lost[name].shape == getattr(model.get_layer(name), kernel).shape


def test_remos_removes_its_part_of_the_teacher_once():
    model, teacher, head = _prepared(Remos(removed=0.3))
    before, after = _kernels(teacher), _kernels(model.student)
    counts = remos.coverage(teacher, _DATA.train.floats())
    convolutions = {name.partition("/")[0]: kernel for name, kernel in before.items()}
    lost = remos.irrelevant(convolutions, counts, 0.3)
    for name, kernel in before.items():
        np.testing.assert_array_equal(after[name], np.where(lost[name.partition("/")[0]], 0, kernel))
    removed, size = (
        sum(np.sum(values) for values in found) for found in (lost.values(), [k.size for k in before.values()])
    )
    assert removed == int(0.3 * size)
    np.testing.assert_array_equal(models.head_layer(model.student).get_weights()[0], head[0])
    model.step.assign(5)
    model.student.set_weights([np.ones_like(weight) for weight in model.student.get_weights()])
    model.prepare(_DATA.train, _batches)  # before a later phase
    assert all((weight == 1).all() for weight in model.student.get_weights())


def test_the_masks_gradient_is_that_of_the_loss_by_what_is_kept():
    # Of softmax regression with the weights W b, for real b: by differences.
    weight, x, kept_weight = 0.3 * _RNG.normal(size=[4, 3]), _RNG.normal(size=[5, 4]), 0.5
    labels = np.array([0, 2, 1, 1, 0])

    def loss(b):
        logits = x @ (weight * b)
        log = logits - np.log(np.exp(logits).sum(1, keepdims=True))
        return -np.mean(log[np.arange(5), labels]) + kept_weight * np.mean(b)

    def by_difference(i, j, step=1e-5):
        change = np.zeros_like(weight)
        change[i, j] = step
        return (loss(np.ones_like(weight) + change) - loss(np.ones_like(weight) - change)) / (2 * step)

    expected = np.array([[by_difference(i, j) for j in range(3)] for i in range(4)])
    logits = tf.Variable(x @ weight)
    with tf.GradientTape() as tape:
        value = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
    by_weight = x.T @ tape.gradient(value, logits).numpy()
    found = seam.mask_gradient(by_weight, weight, kept_weight / weight.size)
    np.testing.assert_allclose(found, expected, atol=1e-8)
    assert np.abs(seam.mask_gradient(100 * by_weight, weight, 0.0)).max() == 1  # clipped


def test_the_smallest_masks_go():
    masks = [tf.constant([[0.5, -1.0], [2.0, 0.0]]), tf.constant([-3.0])]
    assert seam.removed_part(masks) == 3 / 5
    for removed, expected in ((0.0, [1, 1, 1, 1, 1]), (0.5, [1, 0, 1, 0, 0]), (0.6, [1, 0, 1, 0, 0]), (1.0, [0] * 5)):
        first, second = seam.weights_to_keep(masks, removed)
        np.testing.assert_array_equal(np.concatenate([first.ravel(), second]), expected)


@pytest.mark.parametrize("mask_steps", [0, 3, *long(200)])
def test_seam_keeps_a_part_of_the_teacher_and_the_first_head(mask_steps):
    model, teacher, head = _prepared(Seam(head_steps=4, mask_steps=mask_steps))
    before, after = _kernels(teacher), _kernels(model.student)
    zero = [after[name] == 0 for name in before]
    for (name, kernel), gone in zip(before.items(), zero, strict=True):
        np.testing.assert_array_equal(after[name], np.where(gone, 0, kernel))
    part = sum(gone.sum() for gone in zero) / sum(gone.size for gone in zero)
    assert part >= 0.6 and (part < 0.62 or mask_steps == 200)
    for weight, first in zip(models.head_layer(model.student).weights, head, strict=True):
        np.testing.assert_array_equal(weight, first)
    again, _, _ = _prepared(Seam(head_steps=4, mask_steps=mask_steps))
    assert all((after[name] == kernel).all() for name, kernel in _kernels(again.student).items())


def test_they_need_the_training_images():
    for method, needed in ((Remos(), "call Transfer.prepare with them"), (Seam(), "with their batches")):
        model = reno_tf.Transfer(toy(num_classes=3, seed=0), toy(seed=1), method)
        with pytest.raises(UserError, match=needed):
            model.prepare()
        with pytest.raises(UserError, match="removed must be at most 1, not 2"):
            type(method)(removed=2.0)
