"""A training that is watched: what TensorBoard gets, and that no bit of the training changes."""

import numpy as np
import pytest
import tensorflow as tf
from replicas import toy, toy_data
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import reno_tf
from reno_tf import data, evaluation, models, training
from reno_tf.attacks import AttackRef, Budget
from reno_tf.errors import UserError
from reno_tf.evaluation import Suite, watch
from reno_tf.evaluation.suite import references
from reno_tf.methods import Finetune, Phase
from reno_tf.models import distances as distances_of

_DATA = toy_data()


_SUITE = Suite(name="core", attacks=references("pixel", "disruption"), budget=Budget(epsilon=0.1, steps=3))


def _train(folder, *, images=0):
    """(the student, the teacher, the rows without their seconds)."""
    student, teacher = toy(num_classes=3, seed=0), toy(seed=1)
    model = reno_tf.Transfer(student, teacher, Finetune(), seed=0)
    phases = (Phase(name="train", steps=4, learning_rate=0.01, momentum=0.0),)
    callbacks = []
    if images:
        callbacks = [watch.Watch(_SUITE, _DATA, teacher, images=images, folder=folder / "tensorboard")]
    course = training.Course.on(_DATA, folder, batch_size=8, interval=2, callbacks=callbacks)
    training.train(model, phases, course)
    rows = [{key: row[key] for key in row if key != "seconds"} for row in training.read_history(folder)]
    return student, teacher, rows


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("watched")
    return folder, _train(folder, images=5), _train(tmp_path_factory.mktemp("alone"))


def _scalars(folder):
    """{tag: [(step, value)]}, of all kinds."""
    scalars = {}
    events = EventAccumulator(str(folder / "tensorboard"), {"tensors": 0}).Reload()
    for tag in events.Tags()["tensors"]:
        scalars[tag] = [(event.step, tf.make_ndarray(event.tensor_proto)) for event in events.Tensors(tag)]
    return scalars


def test_no_bit_of_the_training_changes(trained):
    _, (watched, _, rows), (alone, _, expected) = trained
    assert rows == expected and len(rows) == 2
    for value, expected in zip(watched.get_weights(), alone.get_weights(), strict=True):
        np.testing.assert_array_equal(value, expected)


def test_what_is_shown_is_what_the_student_does(trained):
    folder, (student, teacher, _), _ = trained
    shown = _scalars(folder)
    split = _DATA.validation
    split = split.take(np.linspace(0, len(split) - 1, 5).round())
    images = split.floats()
    right = evaluation.predict(student, images) == split.labels
    assert [step for step, _ in shown["watch/accuracy"]] == [2, 4]
    assert shown["watch/accuracy"][-1][1] == pytest.approx(right.mean())
    distances = distances_of.stage_distances(student, teacher, images)
    for stage in models.stage_names(teacher):
        value = shown[f"watch/feature_distance/{stage}"][-1][1]
        assert value == pytest.approx(distances[stage]["relative"], rel=1e-5)
    for name in ("clean", "adversarial"):
        buckets = shown[f"watch/penultimate/{name}"][-1][1]  # [left edge, right edge, count]
        assert buckets[:, 2].sum() == 5 * student.output["penultimate"].shape[-1]
    assert right.any()
    attack = reno_tf.attacks.penultimate_pgd(teacher, epsilon=0.1, steps=3)
    adversarial = evaluation.predict(student, reno_tf.attacks.craft(attack, images))
    fooled = (adversarial != split.labels)[right].mean()
    assert shown["watch/attack_success"][-1][1] == pytest.approx(fooled)


@pytest.mark.parametrize(
    ("attack", "several_devices", "message"),
    [
        ("white_box", False, "needs an attack through the teacher; white_box goes through a student"),
        ("pixel", True, "needs one device: config.distribution=none"),
    ],
)
def test_what_cannot_be_watched_is_refused(attack, several_devices, message):
    with pytest.raises(UserError, match=message):
        watch.check_watchable(AttackRef(attack), _DATA, several_devices=several_devices)


def test_without_validation_images_it_is_refused():
    split = _DATA.train
    dataset = data.Dataset(_DATA.name, _DATA.class_names, split, split.take([]), split)
    with pytest.raises(UserError, match="validation_per_class"):
        watch.check_watchable(AttackRef("pixel"), dataset, several_devices=False)


def test_a_profile_is_of_ten_steps(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(tf.profiler.experimental, "start", lambda folder: calls.append(folder))
    monkeypatch.setattr(tf.profiler.experimental, "stop", lambda: calls.append("stop"))
    profile = watch.Profile(tmp_path)
    for step in range(1, 31):
        profile.on_train_batch_begin(step)
        assert calls == ([] if step < 10 else [str(tmp_path)] if step < 20 else [str(tmp_path), "stop"])
    profile.on_train_end()
    assert calls == [str(tmp_path), "stop"]
