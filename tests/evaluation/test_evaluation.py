"""Rates counted by hand."""

import numpy as np
import pytest
from small_network import tiny

import reno_tf
from reno_tf import attacks, evaluation
from reno_tf.data import Split
from reno_tf.errors import UserError
from reno_tf.models import distances
from reno_tf.records import Rate


def test_a_student_of_other_classes_is_refused(split):
    student = tiny(num_classes=2)
    with pytest.raises(UserError, match="the student's classes are 0 to 1, but the labels go from 0 to 2"):
        evaluation.attack_success(student, attacks.penultimate_pgd(tiny(), steps=1), split)
    with pytest.raises(UserError, match="tells 2 classes apart, but the data set has 3"):
        evaluation.check_student(student, split.labels % 2, ["a", "b", "c"])
    evaluation.check_student(student, split.labels % 2, ["a", "b"])


def test_wilson_interval_by_hand():
    # 4 of 5: centre (p + z^2/2n) / (1 + z^2/n), half-width z/(1 + z^2/n) sqrt(p(1-p)/n + z^2/4n^2)
    z, p, n = 1.959963984540054, 0.8, 5
    centre, half = (
        (p + z * z / (2 * n)) / (1 + z * z / n),
        z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + (z / (2 * n)) ** 2),
    )
    np.testing.assert_allclose(Rate(4, 5).interval, [centre - half, centre + half], rtol=1e-9)


@pytest.fixture
def split(images, labels):
    return Split((images * 255).astype(np.uint8), labels)


def test_zero_epsilon_has_no_success(split):
    student = tiny(num_classes=3)
    labels = evaluation.predict(student, split.floats())  # So that all are right.
    rates = evaluation.attack_success(
        student, attacks.penultimate_pgd(tiny(), epsilon=0.0, steps=3, start="zero"), Split(split.images, labels)
    )
    assert rates.attack_success_rate == Rate(0, 6) and rates.noise_success_rate == Rate(0, 6)


def test_attack_success_counts_predictions(split):
    teacher, student = tiny(seed=1), tiny(num_classes=3, seed=1)
    attack = attacks.penultimate_pgd(teacher, epsilon=0.5, step_size=0.1, steps=5)
    rates = evaluation.attack_success(student, attack, split, batch_size=4)
    images = split.floats()
    clean, hit = (student(x, training=False)["logits"].numpy().argmax(1) for x in (images, attack(images)))
    right = clean == split.labels
    assert rates.attack_success_rate == Rate((right & (hit != split.labels)).sum(), right.sum())


def test_distances(split, images):
    teacher, student = tiny(seed=1), tiny(num_classes=3, seed=1)
    assert distances.weight_distance(student, teacher) == 0
    assert distances.feature_distance(student, teacher, images) == 0
    other = tiny(num_classes=3, seed=2)
    student_weights, teacher_weights = (reno_tf.models.named_weights(m, head=False) for m in (other, teacher))
    names = [name for name in student_weights if "moving" not in name]
    square = sum(np.sum((student_weights[name].numpy() - teacher_weights[name].numpy()) ** 2) for name in names)
    assert distances.weight_distance(other, teacher) == pytest.approx(np.sqrt(square), rel=1e-5)
    outputs = [model(images, training=False) for model in (other, teacher)]
    by_hand = np.mean([np.mean((outputs[0][f"stage{i}"] - outputs[1][f"stage{i}"]) ** 2) for i in (1, 2, 3, 4)])
    assert distances.feature_distance(other, teacher, images, batch_size=4) == pytest.approx(by_hand, rel=1e-4)
    for stage, values in distances.stage_distances(other, teacher, images, batch_size=4).items():
        absolute = np.mean((outputs[0][stage] - outputs[1][stage]) ** 2)
        relative = absolute / np.mean(np.var(outputs[1][stage], axis=(0, 1, 2)))
        assert values == {"absolute": pytest.approx(absolute, rel=1e-4), "relative": pytest.approx(relative, rel=1e-4)}


def test_distances_between_unequal_networks_are_undefined(images):
    wide = reno_tf.models.build("resnet18_cifar", width=4, num_classes=3)
    assert distances.weight_distance(wide, tiny()) is None
    assert distances.feature_distance(wide, tiny(), images) is None
