"""Every attack of the registry, by one test each; and what each should find on a linear network."""

import inspect

import numpy as np
import pytest
import tensorflow as tf
from toys import NEURONS, grey_images, kernel, linear_teacher

from reno_tf import attacks
from reno_tf.attacks import ATTACKS
from reno_tf.errors import UserError

EPSILON, STEP = 0.1, 0.02


def build(name, teacher=None, **options):
    """The attacks that a name stands for, as {label: attack}."""
    offered = {
        "own_images": grey_images(9),
        "guides": grey_images(),
        "image_shape": (4, 4, 3),
        "mean": [0.5] * 3,
        "std": [0.25] * 3,
        "targets": (0, 3),
    }
    wanted = inspect.signature(ATTACKS[name]).parameters
    offered = {key: value for key, value in offered.items() if key in wanted}
    parameters = {"epsilon": EPSILON, "step_size": STEP, "steps": 15, "precision": "float32"} | offered | options
    built = ATTACKS[name](teacher or linear_teacher(), **parameters)
    return built if isinstance(built, dict) else {name: built}


@pytest.mark.parametrize("name", ATTACKS)
def test_every_attack_keeps_the_rules(name):
    images = np.random.default_rng(5).uniform(size=(6, 4, 4, 3)).astype(np.float32)
    teacher = linear_teacher()
    for label, attack in build(name, teacher, seed=3).items():
        adversarial = attack(images).numpy()
        change = adversarial - np.clip(images, attack.low, attack.high)
        size = np.abs(change) if attack.ball == "linf" else np.linalg.norm(change.reshape(6, -1), axis=1)
        assert (size <= attack.epsilon + 1e-6).all(), label
        assert (adversarial >= attack.low - 1e-6).all() and (adversarial <= attack.high + 1e-6).all(), label
        values = attack.trace(images)
        assert len(values) == 16 and values[-1] < values[0], label
        again = build(name, teacher, seed=3)[label]
        np.testing.assert_array_equal(again(images), adversarial, err_msg=label)
        some = attack(images[2:4], indices=[2, 3])
        np.testing.assert_allclose(some, adversarial[2:4], atol=1e-6, err_msg=label)
        assert set(attack.parameters) >= {"epsilon", "step_size", "steps", "seed", "objective", "ball"}


def test_the_trace_ends_where_the_attack_does():
    images = grey_images()
    attack = build("pixel")["pixel"]
    np.testing.assert_allclose(attack.trace(images)[-1], np.mean(attack.loss(attack(images))), rtol=1e-6)
    np.testing.assert_allclose(attack.trace(images)[5], np.mean(build("pixel", steps=5)["pixel"].trace(images)[-1]))


def _signs(name, label, teacher):
    """By hand: the corner of the ball that lowers each linear loss most, as signs [4, 4, 3]."""
    penultimate = kernel(teacher, "penultimate")
    if name == "neurons":
        return np.sign(penultimate[:, int(label.split()[1])]).reshape(4, 4, 3)
    if name == "stages":
        return np.broadcast_to(np.sign(kernel(teacher, label)[:, 0]), [4, 4, 3])
    if name == "joint":
        return np.broadcast_to(np.sign(sum(kernel(teacher, stage)[:, 0] for stage in ("stage1", "stage2"))), [4, 4, 3])
    return np.sign(penultimate[:, 0]).reshape(4, 4, 3)


@pytest.mark.parametrize("name", ["pixel", "paper", "momentum", "neurons", "stages", "joint", "universal"])
def test_the_linear_optimum_is_found(name):
    # At m = 1000 the target neuron's gradient, 2000 w_n, is far above all others together.
    teacher, images = linear_teacher(), grey_images()
    for label, attack in build(name, teacher).items():
        change = attack(images).numpy() - images
        expected = EPSILON * np.broadcast_to(_signs(name, label, teacher), images.shape)
        np.testing.assert_allclose(change, expected, atol=1e-6, err_msg=label)


def test_the_euclidean_optimum_is_found():
    teacher, images = linear_teacher(), grey_images()
    attack = build("l2", teacher, target_scale=1e6, start="zero")["l2"]
    direction = kernel(teacher, "penultimate")[:, 0].reshape(4, 4, 3)
    expected = EPSILON * np.sqrt(48 / 3) * direction / np.linalg.norm(direction)
    np.testing.assert_allclose(attack(images) - images, np.broadcast_to(expected, images.shape), atol=1e-4)


def test_the_label_that_the_network_gives_is_left():
    teacher, images = linear_teacher(), grey_images()
    before = teacher(images)["logits"].numpy()
    for name in ("surrogate", "white_box"):
        after = teacher(build(name, teacher)[name](images))["logits"].numpy()
        labels = before.argmax(1)
        margin = lambda z, labels=labels: z[range(6), labels] - np.partition(z, -2)[:, -2]  # noqa: E731
        assert (margin(after) < margin(before) - 0.5).all()


def test_disruption_goes_far_and_cosine_turns():
    teacher, images = linear_teacher(), grey_images()
    clean = teacher(images)["penultimate"].numpy()

    def both(x):
        features = teacher(x)["penultimate"].numpy()
        norms = np.linalg.norm(features, axis=1) * np.linalg.norm(clean, axis=1)
        return np.linalg.norm(features - clean, axis=1).mean(), ((features * clean).sum(1) / norms).mean()

    attack, turned = (build(name, teacher)[name] for name in ("disruption", "disruption_cosine"))
    far, close, noise = both(attack(images)), both(turned(images)), both(attack.noise(images))
    assert far[0] > 1.5 * noise[0] and close[1] < far[1] < noise[1]
    np.testing.assert_allclose(turned.trace(images)[-1], close[1], rtol=1e-4)
    np.testing.assert_allclose(
        attack.trace(images)[-1], -np.mean(np.sum((teacher(attack(images))["penultimate"] - clean) ** 2, 1)), rtol=1e-4
    )


def test_a_guide_is_another_image_and_is_matched():
    teacher, images = linear_teacher(), grey_images()
    attack = build("guide", teacher, epsilon=0.4, step_size=0.005, steps=150)["guide"]
    features, reached = (teacher(x)["penultimate"].numpy() for x in (images, attack(images)))
    nearest = np.linalg.norm(reached[:, None] - features[None], axis=2).argmin(1)
    assert sorted(nearest) == list(range(6)) and (nearest != np.arange(6)).all()
    assert np.linalg.norm(reached - features[nearest], axis=1).max() < 0.2
    assert build("guide", seed=1)["guide"].parameters != build("guide", seed=2)["guide"].parameters
    with pytest.raises(UserError, match="at least 2 guide images, not 1"):
        build("guide", guides=images[:1])


def test_a_universal_perturbation_is_one_and_learnt_from_the_own_images_alone():
    attack, images = build("universal_lift")["universal_lift"], grey_images()
    change = attack(images).numpy() - images
    np.testing.assert_allclose(change, np.broadcast_to(change[:1], change.shape), atol=1e-6)
    other = np.random.default_rng(9).uniform(0.3, 0.7, [2, 4, 4, 3]).astype(np.float32)
    np.testing.assert_allclose((attack(other) - other)[0], change[0], atol=1e-6)
    elsewhere = build("universal_lift", own_images=1 - grey_images(9))["universal_lift"]
    assert elsewhere.parameters["own_images"] != attack.parameters["own_images"]
    with pytest.raises(UserError, match="at least one image"):
        build("universal", own_images=images[:0])


def _two_valleys(x):
    # Each pixel's loss has minima at 0.4 (value -1) and 0.62 (value -2): a descent ends in the nearer one.
    wells = tf.minimum(tf.abs(x - 0.4) / 0.1 - 1, tf.abs(x - 0.62) / 0.06 - 2 + 1e-3)
    return wells[:, 0, 0, 0]


def test_restarts_keep_the_lowest_loss_of_each_image():
    images = np.full((16, 1, 1, 3), 0.5, np.float32)
    options = {"epsilon": 0.15, "step_size": 0.005, "steps": 40}
    losses = [
        _two_valleys(attacks.PGD(_two_valleys, restarts=restarts, **options)(images)).numpy() for restarts in (1, 2, 6)
    ]
    assert (losses[1] <= losses[0]).all() and (losses[2] <= losses[1]).all()
    assert losses[0].max() > -1.1 and losses[2].max() < -1.8
    with pytest.raises(UserError, match='restarts must be at least 1, and 1 with start="zero"'):
        attacks.PGD(_two_valleys, restarts=2, start="zero", **options)


def test_each_restart_starts_elsewhere_and_the_first_as_without():
    images = grey_images(2)
    attack = build("pixel", restarts=2)["pixel"]
    indices = tf.range(2)
    first, second = (attack._start(images, indices, restart)[0].numpy() for restart in (0, 1))
    np.testing.assert_array_equal(first, build("pixel", steps=0)["pixel"](images))
    assert np.abs(first - second).mean() > 0.03


def test_the_registry_says_where_its_attacks_come_from():
    for name, make in ATTACKS.items():
        assert make.__doc__, name
        defaults = inspect.signature(make).parameters
        assert [defaults[key].default for key in ("step_size", "steps")] == [0.01, 40], name
        assert all(p.kind is p.KEYWORD_ONLY for p in list(defaults.values())[1:-1]), name
    assert set(attacks.OUTSIDE) < set(ATTACKS)


def test_mistakes_are_named():
    for case, (options, message) in {
        "pixel neuron": ({"neuron": NEURONS}, "neuron must be from 0 to 5, not 6"),
        "pixel ball": ({"ball": "l1"}, "unknown ball 'l1'; choose one of: l2, linf"),
        "pixel momentum": ({"momentum": -1.0}, "momentum and smoothing must not be negative"),
        "pixel diversity": ({"diversity": 1.5}, r"diversity in \[0, 1\]"),
        "pixel l2": ({"ball": "l2", "epsilon": [0.1, 0.1, 0.1]}, "one number"),
        "disruption start": ({"start": "zero"}, 'needs start="uniform"'),
        "disruption distance": ({"distance": "l1"}, 'must be "l2" or "cosine"'),
    }.items():
        with pytest.raises(UserError, match=message):
            build(case.split()[0], **options)
