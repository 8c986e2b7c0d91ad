"""Balls and rules of a step, against closed forms, SciPy and cleverhans."""

import numpy as np
import pytest
import tensorflow as tf
from cleverhans.tf2.attacks import momentum_iterative_method, projected_gradient_descent
from scipy import ndimage
from small_network import tiny
from toys import Loss, itself

from reno_tf import attacks
from reno_tf.attacks import PGD, Budget, Rule, Universal, crafter, units, views
from reno_tf.attacks.balls import BALLS, Limits
from reno_tf.errors import UserError


def test_a_view_shrinks_by_means_and_places_on_black():
    # Half the size: each bilinear sample is the mean of a 2x2 block.
    image = np.random.default_rng(0).uniform(size=(1, 8, 8, 2)).astype(np.float32)
    weights = [views.resampling(8, tf.constant([0.5]), tf.constant([place])) for place in (1.0, 0.0)]
    seen = tf.einsum("bih,bjw,bhwc->bijc", *weights, image).numpy()
    expected = np.zeros_like(image)
    expected[:, 4:, :4] = image.reshape(1, 4, 2, 4, 2, 2).mean((2, 4))
    np.testing.assert_allclose(seen, expected, atol=1e-6)


@pytest.mark.long
def test_views_are_diverse_seeded_and_as_often_as_asked():
    images = tf.ones([200, 40, 40, 3])
    keys = tf.random.stateless_uniform([200, 2], [0, 1], 0, 10**6, tf.int32)
    rule = Rule(diversity=0.25)
    seen = rule.view(images.shape, keys, tf.constant(1))(images).numpy()
    changed = (seen != 1).any((1, 2, 3))
    assert 30 < changed.sum() < 70  # Binomial(200, 1/4): mean 50, deviation 6
    np.testing.assert_array_equal(seen, rule.view(images.shape, keys, tf.constant(1))(images))
    assert ((rule.view(images.shape, keys, tf.constant(2))(images).numpy() != 1).any((1, 2, 3)) != changed).any()
    one = rule.view(images.shape, keys[7:8], tf.constant(1))(images[:1])
    np.testing.assert_allclose(one[0], seen[7], atol=1e-6)
    area = seen.mean((1, 2, 3))[changed]
    assert area.min() > 0.75 and area.max() <= 1 + 1e-6  # 0.9 squared, less what the border loses


def test_smoothing_is_a_gaussian_filter():
    gradient = np.random.default_rng(1).normal(size=(2, 9, 9, 3)).astype(np.float32)
    ours = Rule(smoothing=1.0).velocity(tf.constant(gradient), 0.0)
    expected = ndimage.gaussian_filter(gradient, 1.0, axes=(1, 2), radius=3, mode="constant")
    np.testing.assert_allclose(ours, expected, atol=1e-5)


def test_momentum_by_hand():
    rule = Rule(momentum=0.5)
    first = rule.velocity(tf.constant([[[[2.0, -4.0, 0.0]]]]), tf.zeros([1, 1, 1, 3]))  # mean size 2
    np.testing.assert_allclose(first[0, 0, 0], [1, -2, 0])
    second = rule.velocity(tf.constant([[[[0.0, 3.0, 0.0]]]]), first)  # mean size 1
    np.testing.assert_allclose(second[0, 0, 0], [0.5, 2, 0])


def test_the_euclidean_projection_scales_and_then_clips():
    images = np.full((2, 1, 1, 3), 0.5, np.float32)
    project = BALLS["l2"].projection(images, Limits(0.5, 0.1, 1, 0.0, 0.9))
    x = images + np.float32([[[[3.0, 4.0, 0.0]]], [[[0.1, 0.0, 0.0]]]])
    np.testing.assert_allclose(project(x)[:, 0, 0], [[0.8, 0.9, 0.5], [0.6, 0.5, 0.5]], rtol=1e-6)


def test_the_euclidean_start_fills_the_ball():
    keys = tf.random.stateless_uniform([500, 2], [0, 1], 0, 10**6, tf.int32)
    points = crafter._draw(keys, [3], "l2").numpy()
    radius = np.linalg.norm(points, axis=1)
    assert radius.max() <= 1 and abs((radius**3).mean() - 0.5) < 0.05  # Volume below r is r^3: uniform on [0, 1].
    assert np.abs(points.mean(0)).max() < 0.1


def _cleverhans_loss(attack):
    # Untargeted cleverhans raises the loss; this project's objective is lowered.
    return lambda labels, logits: -attack.loss(logits)


@pytest.mark.parametrize("norm", [np.inf, 2])
def test_momentum_equals_cleverhans(monkeypatch, images, norm):
    method = momentum_iterative_method
    ball = {np.inf: "linf", 2: "l2"}[norm]
    epsilon, step = (0.1, 0.01) if ball == "linf" else (1.0, 0.1)
    budget = {"epsilon": epsilon, "step_size": step, "steps": 10}
    attack = attacks.penultimate_pgd(tiny(seed=7), **budget, start="zero", rule=Rule(momentum=0.8), ball=ball)
    monkeypatch.setattr(method, "loss_fn", _cleverhans_loss(attack))
    expected = method.momentum_iterative_method(
        lambda x: x,
        tf.constant(images),
        eps=epsilon,
        eps_iter=step,
        nb_iter=10,
        norm=norm,
        clip_min=0.0,
        clip_max=1.0,
        y=tf.zeros([len(images)], tf.int64),
        decay_factor=0.8,
    )
    np.testing.assert_allclose(attack(images), expected, atol=2e-5)


def test_euclidean_pgd_equals_cleverhans(images, monkeypatch):
    method = projected_gradient_descent
    # Without a range: cleverhans clips before it projects too, this project after.
    monkeypatch.setitem(units.UNITS, "unbounded", lambda network: lambda shape: (1.0, -9.0, 9.0))
    options = {"epsilon": 1.0, "step_size": 0.15, "steps": 10, "start": "zero", "ball": "l2", "unit": "unbounded"}
    attack = attacks.penultimate_pgd(tiny(seed=7), **options)
    expected = method.projected_gradient_descent(
        lambda x: x,
        tf.constant(images),
        eps=1.0,
        eps_iter=0.15,
        nb_iter=10,
        norm=2,
        loss_fn=_cleverhans_loss(attack),
        y=tf.zeros([len(images)], tf.int64),
        rand_init=None,
    )
    assert np.linalg.norm((attack(images) - images).numpy().reshape(6, -1), axis=1).max() == pytest.approx(1, rel=1e-4)
    np.testing.assert_allclose(attack(images), expected, atol=2e-5)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros([2, 8, 8, 3], np.uint8), "images must be floats in .*, not uint8: divide 0..255 by 255"),
        (np.full([2, 8, 8, 3], 255.0), "values are from 255 to 255"),
        (np.full([2, 8, 8, 3], -0.1), "values are from -0.1 to -0.1"),
        (np.full([2, 8, 8, 3], np.nan), "some values are NaN"),
        (np.zeros([2, 8, 8, 1]), r"must be \[B, H, W, 3\], not \(2, 8, 8, 1\)"),
        (np.zeros([8, 8, 3]), r"must be \[B, H, W, 3\], not \(8, 8, 3\)"),
    ],
)
def test_bad_images_are_refused(images, message):
    attack = attacks.penultimate_pgd(tiny(), steps=1)
    for use in (attack, attack.noise, attack.trace):
        with pytest.raises(UserError, match=message) as caught:
            use(images)
        assert "\n" not in str(caught.value)


def test_float64_images_and_rounding_are_taken():
    images = np.full([1, 8, 8, 3], 1 + 1e-7)
    assert attacks.penultimate_pgd(tiny(), steps=1)(images).dtype == tf.float32


def test_a_teacher_without_gradient_is_refused(images):
    def flat(x):
        return {"penultimate": tf.stack([tf.round(tf.reduce_mean(x, [1, 2, 3]) * 0)] * 4, axis=1)}

    flat_stage = lambda x: {"stage1": tf.zeros_like(x)}  # noqa: E731
    for attack in (
        attacks.penultimate_pgd(flat),
        attacks.penultimate_pgd(flat, ball="l2", epsilon=1.0, rule=Rule(momentum=1.0)),
        Universal(objective=attacks.Lift()).on(flat_stage, others=images),
    ):
        with pytest.raises(UserError, match="cannot work: the attacked model's gradient is zero everywhere"):
            attack(images)


def test_an_attack_that_need_not_move_is_not_refused():
    # White images, and an objective that falls with brightness: the range holds them where they are.
    white = np.ones([2, 4, 4, 3], np.float32)
    darker = Loss(function=lambda x: -tf.reduce_sum(x, [1, 2, 3]))
    attack = PGD(objective=darker, start="zero").on(itself, Budget(epsilon=0.1, step_size=0.1, steps=2))
    np.testing.assert_array_equal(attack(white), white)


def test_tf_data_with_and_without_labels(images, labels):
    attack = attacks.penultimate_pgd(tiny(), steps=2)
    whole = attack(images)
    plain = tf.data.Dataset.from_tensor_slices(images.astype(np.float64))
    np.testing.assert_allclose(np.concatenate(list(attack.map(plain.batch(4)))), whole, atol=1e-6)
    labelled = tf.data.Dataset.from_tensor_slices((images, labels)).batch(4)
    attacked = list(attack.map(labelled).as_numpy_iterator())
    np.testing.assert_allclose(np.concatenate([x for x, _ in attacked]), whole, atol=1e-6)
    np.testing.assert_array_equal(np.concatenate([y for _, y in attacked]), labels)
    with pytest.raises(UserError, match="not uint8"):
        attack.map(tf.data.Dataset.from_tensor_slices((images * 255).astype(np.uint8)).batch(4))


def test_images_may_be_a_tensor_or_an_array(images):
    attack = attacks.penultimate_pgd(tiny(), steps=2)
    np.testing.assert_array_equal(attack(images), attack(tf.constant(images)))


def test_strips_are_shuffled_and_turned():
    x = tf.constant(np.random.default_rng(0).uniform(size=(1, 12, 10, 2)).astype(np.float32))
    # By rows; equal lengths; order 2, 0, 1; no angle.
    still = tf.constant([[0.0, *(0.5, 0.5, 0.5), *(0.4, 0.9, 0.1), *(0.5, 0.5, 0.5)]])
    expected = tf.concat([x[:, 8:], x[:, :4], x[:, 4:8]], axis=1)
    np.testing.assert_allclose(views.shuffling(12, 10, still, 3)(x), expected, atol=1e-6)
    # By columns, one strip: the whole image turned by 24 degrees, as SciPy turns it.
    turned = views.shuffling(12, 10, tf.constant([[0.9, 0.5, 0.5, 1.0]]), 1)(x)
    by_scipy = ndimage.rotate(x[0], 24, axes=(0, 1), reshape=False, order=1)
    inside = (slice(3, 9), slice(3, 7))  # At the border SciPy blends with black.
    np.testing.assert_allclose(turned[0][inside], by_scipy[inside], atol=1e-5)
    assert (turned[0, 0, 0] == 0).numpy().all()


def test_strips_are_seeded_and_differ():
    images = tf.random.stateless_uniform([40, 16, 16, 3], [0, 1])
    keys = tf.random.stateless_uniform([40, 2], [0, 1], 0, 10**6, tf.int32)
    rule = Rule(strips=3)
    seen = rule.view(images.shape, keys, tf.constant(1))(images).numpy()
    np.testing.assert_array_equal(seen, rule.view(images.shape, keys, tf.constant(1))(images))
    np.testing.assert_allclose(rule.view(images.shape, keys[7:8], tf.constant(1))(images[7:8])[0], seen[7], atol=1e-6)
    assert (np.abs(seen - rule.view(images.shape, keys, tf.constant(2))(images)).max((1, 2, 3)) > 0.1).all()
    # Most of the image stays: what is lost is what turned out of the strips.
    assert 0.6 < (seen > 0).mean() < 1


def test_a_step_follows_the_mean_of_its_copies():
    # Each copy sees another view of a linear loss: the mean's sign is the step's.
    images = tf.constant(np.random.default_rng(1).uniform(0.3, 0.7, (2, 8, 8, 3)).astype(np.float32))
    weights = tf.constant(np.random.default_rng(2).normal(size=(8, 8, 3)).astype(np.float32))
    loss = Loss(function=lambda x: tf.reduce_sum(x * weights, [1, 2, 3]))
    rule = Rule(strips=2, copies=3)
    attack = PGD(objective=loss, rule=rule, start="zero").on(itself, Budget(epsilon=0.5, step_size=0.01, steps=3))
    keys, mean = attack._keys(tf.range(2), 2), 0
    for copy in range(3):
        with tf.GradientTape() as tape:
            tape.watch(images)
            total = tf.reduce_sum(loss.function(rule.view(images.shape, keys, tf.constant(copy))(images)))
        mean += tape.gradient(total, images) / 3
    np.testing.assert_allclose(attack(images) - images, -0.03 * np.sign(mean), atol=1e-6)


def test_disruption_through_a_view_compares_two_views():
    # The objective is lowest where the two differ most; on the clean image's view it is exactly 1, the cosine.
    images = tf.constant(np.random.default_rng(1).uniform(0.3, 0.7, (2, 8, 8, 3)).astype(np.float32))
    attack = PGD(objective=attacks.Disruption(outputs=("image",)), rule=Rule(strips=2)).on(itself, Budget())
    seen = attack._seen(images, attack._keys(tf.range(2), 2), ())
    np.testing.assert_allclose(seen(images, tf.constant(0)), [1, 1], rtol=1e-6)
    assert (seen(1 - images, tf.constant(0)) < 0.999).numpy().all()
