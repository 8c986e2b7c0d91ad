"""PGD against closed forms and against cleverhans."""

import numpy as np
import pytest
import tensorflow as tf
from cleverhans.tf2.attacks import projected_gradient_descent
from small_network import tiny
from toys import Loss, itself

from reno_tf import attacks
from reno_tf.attacks import ATTACKS, PGD, Budget, ReferencePolarization, TargetDistance, units
from reno_tf.errors import UserError


def descent(function, *, epsilon, step_size, steps, **fields):
    """PGD on any loss of the image itself."""
    budget = Budget(epsilon=epsilon, step_size=step_size, steps=steps)
    return PGD(objective=Loss(function=function), **fields).on(itself, budget)


def limits(attack, images):
    """Radius and valid range in pixels, as arrays."""
    values = attack._limits(tf.constant(images))
    return [value.numpy() for value in (values.epsilon, values.low, values.high)]


def test_linear_model_against_the_closed_form():
    # For a linear loss the optimum over the ball is x - eps * sign(w), clipped to the valid range.
    rng = np.random.default_rng(6)
    weights = rng.normal(size=(4, 4, 3)).astype(np.float32)
    images = rng.uniform(size=(5, 4, 4, 3)).astype(np.float32)
    attack = descent(lambda x: tf.reduce_sum(x * weights, axis=[1, 2, 3]), epsilon=0.1, step_size=0.03, steps=10)
    expected = np.clip(images - np.float32(0.1) * np.sign(weights), 0, 1)
    np.testing.assert_allclose(attack(images), expected, atol=1e-6)


def test_quadratic_target_is_reached_when_the_ball_holds_it():
    images = np.full((2, 4, 4, 3), 0.5, np.float32)
    target = images + 0.05
    attack = descent(
        lambda x: tf.reduce_sum((x - target) ** 2, axis=[1, 2, 3]), epsilon=0.1, step_size=0.01, steps=40, start="zero"
    )
    np.testing.assert_allclose(attack(images), target, atol=0.01 + 1e-6)


@pytest.mark.parametrize("preset", ["pixel", "paper", "reference"])
def test_ball_and_range_are_never_left(preset, images):
    teacher = tiny()
    (attack,) = attacks.build(preset, teacher).values()
    for steps in (0, 1, 7):
        attack = attack.within(Budget(epsilon=attack.budget.epsilon, step_size=0.05, steps=steps))
        adversarial = attack(images).numpy()
        epsilon, low, high = limits(attack, images)
        assert (np.abs(adversarial - images) <= epsilon + 1e-6).all()
        assert (adversarial >= low - 1e-6).all() and (adversarial <= high + 1e-6).all()
        assert (np.abs(attack.noise(images) - images) <= epsilon + 1e-6).all()


@pytest.mark.parametrize("ball", ["linf", "l2"])
def test_a_clean_image_is_always_allowed(monkeypatch, ball):
    # The published code's last step makes 2.2 of white, (1 - 0.406) / 0.225 = 2.64 in blue, at an epsilon of 0.1 and
    # even of 0. Here a value that begins outside of the range stays in the ball: it may come nearer, and not leave.
    monkeypatch.setitem(units.UNITS, "grey", lambda network: lambda shape: (1.0, 0.0, 0.9))
    images = np.ones((1, 1, 1, 3), np.float32)
    images[..., 0] = 0.895
    expected = {"linf": {1: [0.875, 0.98, 0.98], -1: [0.9, 1, 1]}, "l2": {1: images - 0.02 / 3**0.5, -1: [0.9, 1, 1]}}
    for sign in (1, -1):
        options = {"step_size": 0.01, "steps": 5, "unit": "grey", "ball": ball, "start": "zero"}
        attack = descent(lambda x, sign=sign: sign * tf.reduce_sum(x, [1, 2, 3]), epsilon=0.02, **options)
        np.testing.assert_allclose(attack(images), np.broadcast_to(expected[ball][sign], images.shape), atol=1e-6)
        np.testing.assert_array_equal(attack.within(Budget(epsilon=0.0))(images), images)
        np.testing.assert_array_equal(attack.within(Budget(epsilon=0.0)).noise(images), images)


def test_the_reference_counts_in_normalised_space(images):
    (attack,) = attacks.build("reference", tiny()).values()  # mean 0.5, std 0.25
    epsilon, low, high = limits(attack, images)
    np.testing.assert_allclose(epsilon, [0.025] * 3, rtol=1e-6)
    np.testing.assert_allclose(attack._limits(tf.constant(images)).step_size, [0.0025] * 3, rtol=1e-6)
    np.testing.assert_allclose([low, high], [[-0.05] * 3, [1.05] * 3], rtol=1e-5)
    assert attack.parameters["epsilon"] == 0.1 and attack.parameters["unit"] == "normalized"


def test_one_trace_serves_a_whole_epsilon_curve(images):
    attack = attacks.penultimate_pgd(tiny(), steps=2)
    curve = [attack.within(attack.budget.scaled(factor)) for factor in (0.0, 0.5, 1.0, 3.0)]
    largest = [np.abs(smaller(images) - images).max() for smaller in curve]
    np.testing.assert_allclose(largest, [0, 0.05, 0.1, 0.3], atol=1e-6)
    more = attack.within(Budget(epsilon=0.1, step_size=0.02, steps=9))
    fresh = attacks.penultimate_pgd(tiny(), step_size=0.02, steps=9)
    np.testing.assert_array_equal(more(images), fresh(images))
    assert attack._compiled.experimental_get_tracing_count() == 1
    assert [smaller.parameters["epsilon"] for smaller in curve] == pytest.approx([0, 0.05, 0.1, 0.3])


def test_a_ball_that_the_steps_cannot_cross_gets_longer_ones():
    assert [Budget(epsilon=epsilon).step_size for epsilon in (0.1, 0.02, 0.005)] == [0.01, 0.002, 0.0005]
    np.testing.assert_allclose(Budget(epsilon=[0.1, 0.2]).step_size, [0.01, 0.02])
    budget = Budget(epsilon=0.3, step_size=0.1, steps=4)
    assert budget.scaled(1.25) == Budget(epsilon=0.375, step_size=0.1, steps=4)
    assert budget.scaled(2.0) == Budget(epsilon=0.6, step_size=0.2, steps=4)
    assert budget.scaled(0.0) == Budget(epsilon=0.0, step_size=0.1, steps=0)


def test_objectives_by_hand():
    features = tf.constant([[3.0, 4.0, 0.0], [0.0, 1.0, 2.0]])
    features = {"penultimate": features}
    target = TargetDistance(target_scale=10.0, neuron=1).loss(features)
    np.testing.assert_allclose(target, [9 + 36 + 0, 0 + 81 + 4])
    polarised = ReferencePolarization(target_scale=10.0, neuron=1).loss(features)
    np.testing.assert_allclose(polarised, [36 + 0.1 * 4.5, 81 + 0.1 * 2.0], rtol=1e-6)


def test_the_objective_falls(images):
    teacher = tiny()
    attack = attacks.penultimate_pgd(teacher, epsilon=0.1)
    before, after = attack.loss(tf.constant(images)), attack.loss(attack(images))
    assert (after < before).numpy().all()


def test_zero_epsilon_changes_nothing(images):
    for start in ("zero", "uniform"):
        attack = attacks.penultimate_pgd(tiny(), epsilon=0.0, start=start)
        np.testing.assert_array_equal(attack(images), images)


def test_the_start_depends_on_seed_and_image_number_alone(images):
    teacher = tiny()
    attack = attacks.penultimate_pgd(teacher, steps=0, seed=1)
    whole = attack(images).numpy()
    np.testing.assert_array_equal(attack(images[2:4], indices=[2, 3]), whole[2:4])
    assert np.abs(attacks.penultimate_pgd(teacher, steps=0, seed=2)(images) - whole).max() > 0.01
    assert np.abs(attack.noise(images) - whole).max() > 0.01
    spread = (whole - images)[(images > 0.1) & (images < 0.9)]
    assert abs(spread.mean()) < 0.01 and abs(np.abs(spread).mean() - 0.05) < 0.005


@pytest.mark.parametrize("start", ["zero", "uniform"])
@pytest.mark.parametrize("preset", ["pixel", "reference"])
def test_equals_cleverhans(monkeypatch, images, start, preset):
    teacher = tiny(seed=7)  # Its mean and std are the same in every channel: cleverhans knows one number for all.
    attack = ATTACKS[preset].attack.changed(start=start).on(teacher, Budget(steps=10))
    begin = attack.within(Budget(steps=0))(images) - images
    monkeypatch.setattr(projected_gradient_descent, "random_lp_vector", lambda *args, **kwargs: begin)
    epsilon, low, high = limits(attack, images)
    expected = projected_gradient_descent.projected_gradient_descent(
        lambda x: x,
        tf.constant(images),
        eps=float(np.max(epsilon)),
        eps_iter=float(np.max(epsilon)) / 10,
        nb_iter=10,
        norm=np.inf,
        # Untargeted cleverhans raises the loss; this project's objective is lowered.
        loss_fn=lambda labels, logits: -attack.loss(logits),
        clip_min=float(np.min(low)),
        clip_max=float(np.max(high)),
        y=tf.zeros([len(images)], tf.int64),
        rand_init=1.0 if start == "uniform" else None,
    )
    np.testing.assert_allclose(attack(images), expected, atol=1e-6)


def test_no_weight_gradient_is_computed(images):
    attack = attacks.penultimate_pgd(tiny(), steps=2)
    x, keys = tf.constant(images), tf.zeros([len(images), 2], tf.int32)
    graph = attack._compiled.get_concrete_function(attack._limits(x), x, x, keys).graph
    executed = set().union(*(_reachable(function) for function in graph.as_graph_def().library.function))
    assert "Conv2DBackpropInput" in executed and "Conv2DBackpropFilter" not in executed


def _reachable(function):
    """The kinds of ops that a function's results depend on: TensorFlow prunes the others before it runs."""
    nodes = {node.name: node for node in function.node_def}
    pending, seen = [*function.ret.values(), *function.control_ret.values()], set()
    while pending:
        name = pending.pop().lstrip("^").split(":")[0]
        if name in nodes and name not in seen:
            seen.add(name)
            pending.extend(nodes[name].input)
    return {nodes[name].op for name in seen}


def test_mistakes_are_named():
    with pytest.raises(UserError, match="must not be negative"):
        attacks.penultimate_pgd(tiny(), epsilon=-0.1)
    with pytest.raises(UserError, match="neuron must be from 0 to 15"):
        attacks.penultimate_pgd(tiny(), neuron=16)
    with pytest.raises(UserError, match="unknown output of the network 'stage9'; .*choose one of: penultimate, stage1"):
        attacks.PGD(objective=attacks.Disruption(outputs=("stage9",))).on(tiny())
    with pytest.raises(UserError, match="start must be"):
        attacks.penultimate_pgd(tiny(), start="middle")


def test_crafting_in_batches_equals_crafting_at_once(images):
    attack = attacks.penultimate_pgd(tiny(), steps=2)
    np.testing.assert_allclose(attacks.craft(attack, images, batch_size=4), attack(images), atol=1e-6)
    assert attack._compiled.experimental_get_tracing_count() == 2  # one for 4 images, one for 6: none for the rest
