"""The numbers of a table of answers, counted by hand."""

import numpy as np
import pytest

from reno_tf.attacks import AttackRef
from reno_tf.evaluation import curve, rates, worst
from reno_tf.evaluation.answers import Answers, AttackAnswers
from reno_tf.evaluation.suite import references
from reno_tf.records import Rate
from reno_tf.results import CurvePoint

_NAMES = ("pixel", "disruption stage1", "joint", "guide", "momentum")


def _attack(name, predicted, **changes):
    fields = {"counts": True, "gradients": 1, "parameters": {}, "rounded": None, "crafting": 0.0, "asking": 0.0}
    fields["shown"] = np.zeros([8, 1, 1, 3])
    return AttackAnswers(reference=AttackRef.parse(name), at={1.0: predicted}, **fields | changes)


def _answers(fooled: dict, labels, *, clean=None) -> Answers:
    """The table of these attacks: whether each fools the student on each image."""
    attacks = tuple(_attack(name, np.where(hit, labels + 1, labels)) for name, hit in fooled.items())
    noise = {(1.0, draw): labels for draw in range(len(attacks))}
    rest = {"convergence": [], "skipped": (), "crafting": 0.0, "asking": 0.0, "epsilon": 0.1}
    clean = labels if clean is None else clean
    return Answers(labels=labels, clean=clean, num_tried=len(labels), attacks=attacks, noise=noise, **rest)


def test_rates_by_hand():
    labels = np.array([0, 0, 1, 1, 2])
    clean = np.array([0, 0, 1, 2, 2])  # 4 of 5 right
    adversarial = np.array([1, 0, 1, 1, 0])  # of the four, two turned; the wrong one became right
    assert (rates.accuracy(labels, clean).hits, rates.accuracy(labels, clean).total) == (4, 5)
    rate = rates.success(labels, clean, adversarial)
    assert (rate.hits, rate.total, rate.rate) == (2, 4, 0.5)
    assert rates.success_of_all(labels, clean, adversarial).rate == 2 / 5
    assert rates.success(labels, clean, adversarial[:2]).total == 2  # On as many as were attacked.


def test_the_worst_case_is_the_first_wrong_answer():
    labels, clean = np.array([0, 1, 2, 0, 1]), np.array([0, 1, 2, 0, 2])
    attacked = [np.array([0, 1, 0, 2, 0]), np.array([1, 1, 1, 0, 0])]
    np.testing.assert_array_equal(rates.first_wrong(labels, clean, attacked), [1, 1, 0, 2, 2])
    assert (rates.worst_success(labels, clean, attacked).hits, rates.worst_success(labels, clean, attacked).total) == (
        3,
        4,
    )


def test_nothing_right_is_undefined_not_zero():
    rate = rates.success(np.array([0, 0]), np.array([1, 1]), np.array([1, 1]))
    assert rate.rate is None and rate.interval is None
    assert rates.worst_success(np.array([0]), np.array([0]), []).rate is None


def test_the_fewest_attacks_that_are_enough_are_named():
    labels = np.zeros(300, int)
    half, third, rest, two = (np.zeros(300, bool) for _ in range(4))
    half[:150], third[100:250], rest[50:280], two[298:] = True, True, True, True
    few = worst.describe_worst_case(_answers(dict(zip(_NAMES, (half, third, rest, two), strict=False)), labels)).enough
    assert few.attacks == ("pixel", "joint") and few.success_rate == pytest.approx(280 / 300)  # Within 2 of 282.
    scattered = {name: np.arange(300) % 5 == number for number, name in enumerate(_NAMES)}
    few = worst.describe_worst_case(_answers(scattered, labels)).enough
    assert few.attacks == _NAMES[:3] and few.success_rate == pytest.approx(0.6)


def test_the_worst_case_of_the_core_stands_beside_that_of_more():
    labels = np.zeros(4, int)
    answers = _answers({name: np.arange(4) == place for place, name in enumerate(_NAMES[:4])}, labels)

    def core(*names):
        rate = worst.of_core(answers, references(*names))
        return rate and rate.rate

    assert (core("disruption"), core("disruption stage1", "guide"), core("joint")) == (0.5, 0.75, 0.5)
    assert core() is None and core("disruption", "bsr") is None  # None was asked for, or it was not tried.
    assert core("disruption", "joint", "guide") is None  # It is all that was tried.


def _points(epsilons, hits, total=10):
    rate = Rate(0, 10)
    worst_cases = [None if count is None else Rate(count, total) for count in hits]
    return [CurvePoint(e, rate, rate, 10, 10, one) for e, one in zip(epsilons, worst_cases, strict=True)]


def test_the_mean_of_the_worst_case_over_epsilon_by_hand():
    epsilons, hits = (0, 0.1, 0.2, 0.4, 0.8), (0, 2, 4, 10, None)
    # Trapezia: 0.1 * 0.1 + 0.1 * 0.3 + 0.2 * 0.7, divided by 0.4.
    assert curve.mean_worst_case(_points(epsilons, hits), 0.4) == pytest.approx(0.45)
    assert curve.mean_worst_case(_points(epsilons, hits), 0.2) == pytest.approx(0.2)
    assert curve.mean_worst_case(_points((0, 0.1, 0.4), (3, 3, 3)), 0.4) == pytest.approx(0.3)


@pytest.mark.parametrize(
    "epsilons, hits, total, epsilon",
    [
        ((0, 0.1, 0.2), (0, None, 4), 10, 0.2),  # Not tried at one of them.
        ((0, 0.2, 0.4), (0, 4, 8), 10, 0.2),  # None between.
        ((0, 0.1, 0.2), (0, 0, 0), 0, 0.2),  # Nothing was right.
        ((0, 0, 0), (0, 0, 0), 10, 0),
        ((), (), 10, 0.2),
    ],
)
def test_without_a_curve_of_the_core_it_has_no_mean(epsilons, hits, total, epsilon):
    assert curve.mean_worst_case(_points(epsilons, hits, total), epsilon) is None


def test_the_attack_that_is_shown_on_an_image_is_the_strongest_that_fools_it_there():
    labels, clean = np.array([0, 1, 2, 0]), np.array([0, 1, 2, 1])
    fooled = {"pixel": [1, 0, 0, 1], "joint": [1, 1, 0, 1], "guide": [0, 0, 0, 1]}
    fooled = {name: np.array(hits, bool) for name, hits in fooled.items()}
    answers = _answers(fooled, labels, clean=clean)
    answers = Answers(**vars(answers) | {"attacks": (*answers.attacks, _attack("white_box", labels + 1, counts=False))})
    # Two fool it on the first; none that counts on the third; the last is wrong without an attack.
    assert [answers.strongest_on(place).name for place in range(4)] == ["joint", "joint", "pixel", "pixel"]
    attacks = (answers.headline, _attack("joint", answers.attacks[1].final[:1]))  # tried on the first alone
    fewer = Answers(**vars(answers) | {"attacks": attacks, "num_tried": 1})
    assert [fewer.strongest_on(place).name for place in range(3)] == ["pixel", "pixel", "pixel"]


def test_a_student_that_is_never_right_has_no_worst_case():
    labels = np.zeros(4, int)
    answers = _answers({"pixel": np.ones(4, bool)}, labels, clean=labels + 1)
    assert worst.worst_case_success(answers, answers.counting).rate is None
    assert worst.describe_worst_case(answers).enough is None


def test_what_does_not_count_is_in_no_worst_case():
    labels = np.zeros(4, int)
    answers = _answers({"pixel": np.arange(4) == 0}, labels)
    white_box = _attack("white_box", labels + 1, counts=False)
    both = Answers(**vars(answers) | {"attacks": (*answers.attacks, white_box)})
    assert worst.worst_case_success(both, both.counting).rate == 0.25
    assert [row.counts for row in worst.rows(both)] == [True, False]
    assert [row.attack_success_rate.rate for row in worst.rows(both)] == [0.25, 1.0]
