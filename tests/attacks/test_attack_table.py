"""Every attack of the registry, by one test each; and what each should find on a linear network."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from conftest import long
from toys import NEURONS, Loss, grey_images, itself, kernel, linear_teacher

from reno_tf import attacks
from reno_tf.attacks import ATTACKS, NETWORKS, OUT_OF_REACH, AttackRef, Budget, Rule, units
from reno_tf.errors import UserError

BUDGET = {"epsilon": 0.1, "step_size": 0.02, "steps": 15}


@pytest.fixture(autouse=True)
def normalization(monkeypatch):
    """The toy network does not normalise; an attack that asks is told this."""
    monkeypatch.setattr(units, "normalization", lambda network: ([0.5] * 3, [0.25] * 3))


def build(name, teacher=None, *, others=None, seed=0, budget=None, **fields):
    """The attacks that a name stands for, as {label: attack}; a single one is labelled by the name."""
    entry, teacher = ATTACKS[name], teacher or linear_teacher()
    if others is None:
        others = {"own": grey_images(9), "attacked": grey_images(), None: None}[entry.others]
    variants = entry.attacks(teacher, neurons=(0, 3), **fields)
    budget = Budget(**(BUDGET | (budget or {})))
    options = {"seed": seed, "precision": "float32", "others": others}
    return {label or name: attack.on(teacher, budget, **options) for label, attack in variants.items()}


_SLOW = ("bsr", "ensemble", "ensemble_disruption")


@pytest.mark.parametrize("name", [*(name for name in ATTACKS if name not in _SLOW), *long(*_SLOW)])
def test_every_attack_keeps_the_rules(name):
    images = np.random.default_rng(5).uniform(size=(6, 4, 4, 3)).astype(np.float32)
    teacher = linear_teacher()
    for label, attack in build(name, teacher, seed=3).items():
        adversarial = attack(images).numpy()
        epsilon, low, high = (
            getattr(attack._limits(tf.constant(images)), key).numpy() for key in ("epsilon", "low", "high")
        )
        change = adversarial - np.clip(images, low, high)
        size = np.abs(change) if attack.attack.ball == "linf" else np.linalg.norm(change.reshape(6, -1), axis=1)
        assert (size <= epsilon + 1e-6).all(), label
        assert (adversarial >= low - 1e-6).all() and (adversarial <= high + 1e-6).all(), label
        values = attack.trace(images)
        assert len(values) == attack._paced.steps + 1 and values[-1] < values[0], label
        if label in (name, "neuron 0", "stage1"):  # The others differ in a name.
            again = build(name, teacher, seed=3)[label]
            np.testing.assert_array_equal(again(images), adversarial, err_msg=label)
        some = attack(images[2:4], indices=[2, 3])
        np.testing.assert_allclose(some, adversarial[2:4], atol=1e-6, err_msg=label)
        assert set(attack.parameters) >= {"epsilon", "step_size", "steps", "seed", "objective", "ball"}


def test_the_trace_ends_where_the_attack_does():
    images = grey_images()
    attack = build("pixel")["pixel"]
    np.testing.assert_allclose(attack.trace(images)[-1], np.mean(attack.loss(attack(images))), rtol=1e-6)
    np.testing.assert_allclose(
        attack.trace(images)[5], np.mean(build("pixel", budget={"steps": 5})["pixel"].trace(images)[-1])
    )


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
        expected = BUDGET["epsilon"] * np.broadcast_to(_signs(name, label, teacher), images.shape)
        np.testing.assert_allclose(change, expected, atol=1e-6, err_msg=label)


def test_the_euclidean_optimum_is_found():
    teacher, images = linear_teacher(), grey_images()
    attack = build("l2", teacher, target_scale=1e6, start="zero")["l2"]
    direction = kernel(teacher, "penultimate")[:, 0].reshape(4, 4, 3)
    expected = BUDGET["epsilon"] * np.sqrt(48 / 3) * direction / np.linalg.norm(direction)
    np.testing.assert_allclose(attack(images) - images, np.broadcast_to(expected, images.shape), atol=1e-4)


def test_the_label_that_the_network_gives_is_left():
    teacher, images = linear_teacher(), grey_images()
    before = teacher(images)["logits"].numpy()
    for name in ("surrogate", "white_box"):
        after = teacher(build(name, teacher)[name](images))["logits"].numpy()
        labels = before.argmax(1)
        margin = lambda z, labels=labels: z[range(6), labels] - np.partition(z, -2)[:, -2]  # noqa: E731
        assert (margin(after) < margin(before) - 0.5).all()


@pytest.mark.parametrize("layer", ["stage1", "stage2", "penultimate"])
def test_disruption_goes_far_and_the_angle_turns(layer):
    teacher, images = linear_teacher(), grey_images()
    clean = teacher(images)[layer].numpy().reshape(6, -1)

    def both(x):
        features = teacher(x)[layer].numpy().reshape(6, -1)
        norms = np.linalg.norm(features, axis=1) * np.linalg.norm(clean, axis=1)
        return np.linalg.norm(features - clean, axis=1).mean(), ((features * clean).sum(1) / norms).mean()

    attack, turned = (build(name, teacher)[layer] for name in ("disruption_l2", "disruption"))
    far, close, noise = both(attack(images)), both(turned(images)), both(attack.noise(images))
    assert far[0] > 1.5 * noise[0] and close[1] < far[1] + 1e-3 and max(close[1], far[1]) < noise[1]
    np.testing.assert_allclose(turned.trace(images)[-1], close[1], rtol=1e-4)
    off = teacher(attack(images))[layer].numpy().reshape(6, -1) - clean
    relative = (off**2).sum(1) / (clean**2).sum(1)
    np.testing.assert_allclose(attack.trace(images)[-1], -relative.mean(), rtol=1e-4)


def test_all_stages_together_count_alike():
    teacher, images = linear_teacher(), grey_images()
    attack = build("disruption_all", teacher)["disruption_all"]
    assert attack.objective.outputs == ("stage1", "stage2")
    alone = [attacks.PGD(objective=attacks.Disruption(outputs=(stage,))) for stage in attack.objective.outputs]
    changed = attack(images)
    for_each = [one.on(teacher, precision="float32") for one in alone]
    means = [one.loss(changed, *one._context(tf.constant(images), None)) for one in for_each]
    np.testing.assert_allclose(
        attack.loss(changed, *attack._context(tf.constant(images), None)), np.mean(means, 0), rtol=1e-5
    )


def test_a_guide_is_another_image_and_is_matched():
    teacher, images = linear_teacher(), grey_images()
    attack = build("guide", teacher, budget={"epsilon": 0.4, "step_size": 0.005, "steps": 150})["guide"]
    features, reached = (teacher(x)["penultimate"].numpy() for x in (images, attack(images)))
    nearest = np.linalg.norm(reached[:, None] - features[None], axis=2).argmin(1)
    assert sorted(nearest) == list(range(6)) and (nearest != np.arange(6)).all()
    assert np.linalg.norm(reached - features[nearest], axis=1).max() < 0.2
    assert build("guide", others=1 - images)["guide"].parameters != attack.parameters
    with pytest.raises(UserError, match="at least 2 guide images, not 1"):
        build("guide", others=images[:1])["guide"](images[:1])


def test_a_universal_perturbation_is_one_and_learnt_from_the_own_images_alone():
    attack, images = build("universal_lift")["universal_lift"], grey_images()
    change = attack(images).numpy() - images
    np.testing.assert_allclose(change, np.broadcast_to(change[:1], change.shape), atol=1e-6)
    other = np.random.default_rng(9).uniform(0.3, 0.7, [2, 4, 4, 3]).astype(np.float32)
    np.testing.assert_allclose((attack(other) - other)[0], change[0], atol=1e-6)
    elsewhere = build("universal_lift", others=1 - grey_images(9))["universal_lift"]
    assert elsewhere.parameters["others"] != attack.parameters["others"]
    with pytest.raises(UserError, match="at least one image"):
        build("universal", others=images[:0])


def _two_valleys(x):
    # Each pixel's loss has minima at 0.4 (value -1) and 0.62 (value -2): a descent ends in the nearer one.
    wells = tf.minimum(tf.abs(x - 0.4) / 0.1 - 1, tf.abs(x - 0.62) / 0.06 - 2 + 1e-3)
    return wells[:, 0, 0, 0]


def test_restarts_keep_the_lowest_loss_of_each_image():
    images = np.full((16, 1, 1, 3), 0.5, np.float32)
    budget, valleys = Budget(epsilon=0.15, step_size=0.005, steps=40), Loss(function=_two_valleys)
    losses = [
        _two_valleys(attacks.PGD(objective=valleys, restarts=restarts).on(itself, budget)(images)).numpy()
        for restarts in (1, 2, 6)
    ]
    assert (losses[1] <= losses[0]).all() and (losses[2] <= losses[1]).all()
    assert losses[0].max() > -1.1 and losses[2].max() < -1.8
    with pytest.raises(UserError, match='restarts must be at least 1, and 1 with start="zero"'):
        attacks.PGD(restarts=2, start="zero")


def test_each_restart_starts_elsewhere_and_the_first_as_without():
    images = grey_images(2)
    attack = build("pixel", restarts=2)["pixel"]
    indices = tf.range(2)
    limits = attack._limits(tf.constant(images))
    first, second = (attack._begin(images, indices, restart, limits)[0].numpy() for restart in (0, 1))
    np.testing.assert_array_equal(first, build("pixel", budget={"steps": 0})["pixel"](images))
    assert np.abs(first - second).mean() > 0.03


def test_the_registry_says_what_each_attack_needs():
    for name, entry in ATTACKS.items():
        assert entry.network in NETWORKS and entry.others in ("own", "attacked", None), name
        assert entry.outside or entry.network not in OUT_OF_REACH, name


def test_a_new_attack_is_a_dataclass_and_a_line(monkeypatch):
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Darkness(attacks.Objective):
        outputs: tuple[str, ...] = ("stage1",)

        def loss(self, features):
            return tf.reduce_sum(features["stage1"], axis=[1, 2, 3])

    monkeypatch.setitem(ATTACKS, "darkness", attacks.AttackEntry(attack=attacks.PGD(objective=Darkness())))
    teacher, images = linear_teacher(), grey_images()
    (attack,) = attacks.build("darkness", teacher, Budget(**BUDGET), precision="float32").values()
    expected = images - 0.1 * np.sign(kernel(teacher, "stage1").sum(1))
    np.testing.assert_allclose(attack(images), expected, atol=1e-6)
    assert attack.parameters["objective"] == "darkness"


def test_mistakes_are_named():
    teacher = linear_teacher()
    for make, message in (
        (lambda: build("pixel", neuron=NEURONS), "neuron must be from 0 to 5, not 6"),
        (lambda: build("pixel", ball="l1"), "unknown ball 'l1'; choose one of: l2, linf"),
        (lambda: build("pixel", unit="inch"), "unknown unit 'inch'; choose one of: noise_length, normalized, pixel"),
        (lambda: Rule(momentum=-1.0), "momentum and smoothing must not be negative"),
        (lambda: Rule(diversity=1.5), r"diversity in \[0, 1\]"),
        (lambda: build("pixel", ball="l2", budget={"epsilon": [0.1, 0.1, 0.1]}), "one number"),
        (lambda: build("disruption", start="zero"), 'needs start="uniform"'),
        (lambda: build("disruption", distance="l1"), "unknown distance 'l1'; choose one of: cosine, l2"),
        (lambda: attacks.build("pixels", teacher), "unknown attack 'pixels'; did you mean pixel"),
        (lambda: build("universal", ball="l2"), 'needs ball="linf"'),
        (lambda: Budget(steps=-1), "steps must not be negative, not -1"),
    ):
        with pytest.raises(UserError, match=message):
            make()


def test_a_member_of_a_suite_is_all_of_an_attack_or_one_of_it():
    teacher = linear_teacher()
    parse = AttackRef.parse
    assert (parse("pixel").variant, parse("neurons neuron 3").variant) == ("", "neuron 3")
    names = ["disruption stage1", "disruption stage2", "disruption penultimate"]
    assert [str(reference) for reference in parse("disruption").variants(teacher)] == names
    assert all(parse(name) == reference for name, reference in zip(names, map(parse, names), strict=True))
    (one,) = parse("bsr stage2").variants(teacher).items()
    assert one[0] == parse("bsr stage2") and one[1].objective.outputs == ("stage2",)
    assert parse("bsr").names(one[0]) and not parse("bsr stage1").names(one[0]) and not parse("joint").names(one[0])
    for wrong, told in (("disruption stage9", "stage9"), ("disruptions", "disruptions")):
        with pytest.raises(UserError, match=told):
            parse(wrong).variants(teacher)


def test_every_attack_has_as_many_gradients_of_an_image():
    # Of several copies a step has the mean, so there are fewer steps, and each is as much longer.
    for name in ATTACKS:
        for label, attack in build(name, budget={"steps": 16}).items():
            assert attack.gradients == 16, label
            assert attack._paced.steps * attack._paced.step_size == pytest.approx(16 * BUDGET["step_size"]), label
    assert build("pixel", restarts=3)["pixel"].gradients == 45


def test_the_networks_of_an_ensemble_take_turns():
    # On linear networks each step goes along the sign of one network's weights alone.
    members, images = [linear_teacher(seed) for seed in (3, 8)], grey_images()
    ensemble = attacks.Ensemble(tuple(members))
    objective, budget = attacks.TargetDistance(target_scale=1e6), {"step_size": 0.001, "epsilon": 0.1}
    signs = [np.sign(kernel(member, "penultimate")[:, 0]).reshape(4, 4, 3) for member in members]
    for steps, expected in ((1, signs[0]), (2, signs[0] + signs[1]), (3, 2 * signs[0] + signs[1])):
        attack = attacks.PGD(objective=objective, start="zero").on(ensemble, Budget(steps=steps, **budget))
        np.testing.assert_allclose(attack(images) - images, np.broadcast_to(0.001 * expected, images.shape), atol=1e-6)


def test_disruption_compares_with_the_clean_image_as_the_same_network_sees_it():
    # The second network's features are the first's, but for a factor: what it puts in the place of the clean
    # features matters to the distance, not to its direction, if both are that network's.
    one, images = linear_teacher(), grey_images()
    doubled = linear_teacher()
    for weight in doubled.weights:
        weight.assign(2 * weight)
    options = {"budget": Budget(steps=6, step_size=0.02), "precision": "float32"}
    attack = attacks.PGD(objective=attacks.Disruption(outputs=("stage1",)))
    alone = attack.on(one, **options)
    np.testing.assert_allclose(attack.on(attacks.Ensemble((one, doubled)), **options)(images), alone(images), atol=1e-6)


def test_cleverhans_finds_what_this_engine_finds():
    images = grey_images()
    theirs = build("cleverhans")["cleverhans"]
    ours = build("pixel", start="zero")["pixel"]
    np.testing.assert_allclose(theirs(images), ours(images), atol=1e-6)
    np.testing.assert_allclose(theirs.trace(images), ours.trace(images), rtol=1e-5)
    assert theirs.parameters != ours.parameters
    for still in ({"epsilon": 0.0}, {"steps": 0}):
        np.testing.assert_array_equal(build("cleverhans", budget=still)["cleverhans"](images), images)
    with pytest.raises(
        UserError, match="cleverhans starts at the clean image, where the gradient of disruption is zero"
    ):
        attacks.Cleverhans(objective=attacks.Disruption())
