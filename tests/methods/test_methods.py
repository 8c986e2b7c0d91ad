"""What each method trains, from where, and with which terms (DESIGN of the paper's Table 1)."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from small_network import tiny

from reno_tf import methods
from reno_tf.errors import UserError
from reno_tf.methods import METHODS, Batch, Method, Step

_COMMON = {"cross_entropy", "weight_decay", "head_decay"}
# The terms of each method besides the common ones (paper, Table 1).
_TERMS = {
    "retraining": set(),
    "linear": set(),
    "finetune": set(),
    "l2sp": {"anchor_decay"},
    "delta": {"feature_distance"},
    "delta_r": {"feature_distance"},
    "renofeation": {"feature_distance"},
    "delta_adversarial": {"feature_distance"},
    "remos": set(),
    "seam": set(),
    "weight_variance": {"weight_variance"},
    "neuron_distance": {"neuron_distance"},
    "pubdef": set(),
    "inoculation": {"feature_distance"},
    "vaccination": {"feature_distance"},
}


def _batch():
    rng = np.random.default_rng(2)
    draw = lambda *shape: tf.constant(rng.normal(size=shape), tf.float32)  # noqa: E731
    head, backbone = [draw(4, 3), draw(3)], [draw(3, 3, 3, 2), draw(2)]
    return Batch(
        labels=tf.constant([0, 2]),
        outputs={"stage1": draw(2, 4, 4, 2), "stage2": draw(2, 2, 2, 4), "logits": draw(2, 3)},
        targets={"stage1": draw(2, 4, 4, 2), "stage2": draw(2, 2, 2, 4)},
        stages=["stage1", "stage2"],
        weights=backbone + head,
        head=head,
        backbone=backbone,
        anchors=[draw(3, 3, 3, 2), draw(2)],
        number=tf.constant(3, tf.int64),
        total_steps=4,
    )


@pytest.mark.parametrize("name", METHODS)
def test_the_terms_of_each_method(name):
    assert set(METHODS[name]().terms(_batch())) - _COMMON == _TERMS[name]


def test_only_plain_starts_from_the_teachers_weights_count_as_undefended():
    undefended = {name for name, method in METHODS.items() if method.undefended}
    assert undefended == {"linear", "finetune", "l2sp", "delta"}
    for name in undefended:
        assert METHODS[name].start == "teacher" and METHODS[name].perturb is Method.perturb


@pytest.mark.parametrize("name", METHODS)
def test_terms_against_numpy(name):
    coefficients = {"weight_decay": 0.3, "head_decay": 0.7, "feature_weight": 1.5, "anchor_weight": 0.9}
    coefficients |= {"variance_weight": 2.5, "distance_weight": 3.5, "threshold": 2.0}
    taken = {field.name for field in dataclasses.fields(METHODS[name]) if field.init}
    if name == "vaccination":
        coefficients["feature_scale"] = "absolute"
    method = METHODS[name](**{k: v for k, v in coefficients.items() if k in taken})
    batch = _batch()
    square = lambda tensors: sum(np.sum(np.square(t)) for t in tensors)  # noqa: E731
    logits = batch.outputs["logits"].numpy()
    log_softmax = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    expected = {
        "cross_entropy": -(log_softmax[0, 0] + log_softmax[1, 2]) / 2,
        "weight_decay": 0.3 / 2 * square(batch.weights),
        "head_decay": 0.7 / 2 * square(batch.head),
        "anchor_decay": 0.9 / 2 * square(w - a for w, a in zip(batch.backbone, batch.anchors, strict=True)),
        "feature_distance": 1.5
        * sum(np.mean(np.square(batch.outputs[s] - batch.targets[s])) for s in ("stage1", "stage2")),
        "weight_variance": 2.5 * np.var(batch.backbone[0]),  # The other is no convolution's.
    }
    ours, theirs = batch.outputs["stage2"].numpy(), batch.targets["stage2"].numpy()  # The last stage.
    distances = np.sqrt(np.mean((ours - theirs) ** 2, axis=(1, 2, 3)) / np.mean(np.var(theirs, axis=(0, 1, 2))))
    assert distances.min() < 2.0
    expected["neuron_distance"] = 3.5 * np.mean(np.maximum(0, 2.0 - distances))
    if name == "inoculation":  # At the last of four steps.
        expected["feature_distance"] /= 4
    terms = method.terms(batch)
    for term, value in terms.items():
        np.testing.assert_allclose(value, expected[term], rtol=1e-5, err_msg=term)


def test_l2sp_does_not_anchor_the_head():
    batch = _batch()
    assert len(batch.anchors) == len(batch.backbone) < len(batch.weights)


def test_l2sp_has_its_anchor_in_place_of_weight_decay():
    assert "weight_decay" not in methods.L2SP().terms(_batch())
    with pytest.raises(TypeError):
        methods.L2SP(weight_decay=0.1)


def test_negative_coefficients_are_refused():
    with pytest.raises(UserError, match="feature_weight must not be negative"):
        methods.Renofeation(feature_weight=-1.0)


def test_adversarial_training_raises_the_students_loss_within_the_ball():
    student = tiny(num_classes=3, seed=3)
    images = np.random.default_rng(3).uniform(size=(6, 16, 16, 3)).astype(np.float32)
    labels = tf.constant([0, 1, 2, 0, 1, 2])
    method = methods.DeltaAdversarial(epsilon=0.05)
    step = Step(student=student, images=tf.constant(images), labels=labels, stages=["stage1"])
    attacked = method.perturb(step)

    def loss(x):
        return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, student(x, training=False)["logits"]).numpy()

    assert np.abs(attacked - images).max() <= 0.05 + 1e-6
    assert (loss(attacked) > loss(images)).all()


def test_the_averaging_phase_follows_at_half_the_rate():
    method, schedule = methods.Renofeation(), methods.Renofeation.schedule
    first, second = method.phases(schedule)
    assert (first.name, first.steps, first.learning_rate, first.decay) == ("train", 600, 0.01, "cosine")
    assert (second.name, second.steps, second.learning_rate, second.decay) == ("swa", 200, 0.005, "constant")
    assert (first.average_every, second.average_every) == (0, 25)
    (alone,) = method.phases(dataclasses.replace(schedule, swa=False))
    assert alone == first
    given = method.phases(dataclasses.replace(schedule, learning_rate=0.4, swa_learning_rate=0.3))
    assert [phase.learning_rate for phase in given] == [0.4, 0.3]


def test_an_interval_divides_its_phase():
    phase = methods.Phase(name="train", steps=60, learning_rate=0.1)
    assert (phase.interval(20), phase.interval(60), phase.interval(500)) == (20, 60, 60)
    with pytest.raises(UserError, match=r"the interval \(7\) must divide the 60 steps of the phase train"):
        phase.interval(7)


@pytest.mark.parametrize("name", [name for name in METHODS if issubclass(METHODS[name], methods.Delta)])
def test_features_may_be_compared_in_units_of_the_teachers_variance(name):
    batch, left = _batch(), 0.25 if name == "inoculation" else 1.0
    expected = 0
    for stage in batch.stages:
        ours, theirs = batch.outputs[stage].numpy(), batch.targets[stage].numpy()
        expected += np.mean((ours - theirs) ** 2) / np.mean(np.var(theirs, axis=(0, 1, 2)))
    found = METHODS[name](feature_weight=1.5, feature_scale="relative").terms(batch)["feature_distance"]
    np.testing.assert_allclose(found, 1.5 * left * expected, rtol=1e-5)
    with pytest.raises(
        UserError, match=f"unknown {name}: feature_scale 'relativ'; .*choose one of: absolute, relative"
    ):
        METHODS[name](feature_scale="relativ")


def _change(method, number=0):
    """How far adversarial training moves each of two images, in step `number` of four."""
    images = tf.fill([2, 4, 4, 3], 0.5)

    def student(x, training):
        assert not training
        return {"logits": tf.reduce_sum(x, axis=[1, 2])}

    step = Step(labels=tf.constant([0, 1]), stages=[], images=images, student=student)
    step = dataclasses.replace(step, number=tf.constant(number, tf.int64), total_steps=4)
    return np.abs(method.perturb(step) - images).max(axis=(1, 2, 3))


@pytest.mark.parametrize(("number", "part"), [(0, 0), (1, 0.25), (4, 1)])
def test_adversarial_trainings_epsilon_may_grow_evenly_from_nothing(number, part):
    # Three steps of 0.4 epsilon reach the ball's edge, of either size.
    change = _change(METHODS["delta_adversarial"](epsilon=0.1, epsilon_grows=True), number)
    np.testing.assert_allclose(change, 0.1 * part, atol=1e-6)


@pytest.mark.parametrize("epsilon", [0.1, 0.02])
@pytest.mark.parametrize(("attack_steps", "part"), [(0, 0), (1, 0.4), (2, 0.8), (3, 1)])
def test_adversarial_trainings_steps_follow_its_epsilon(epsilon, attack_steps, part):
    change = _change(METHODS["delta_adversarial"](epsilon=epsilon, attack_steps=attack_steps))
    np.testing.assert_allclose(change, part * epsilon, atol=1e-6)
