"""The time that is estimated beforehand, where a pass takes a second."""

import dataclasses

import numpy as np
import pytest
from small_network import tiny

from reno_tf import data
from reno_tf.attacks import Budget
from reno_tf.evaluation import Suite, cost
from reno_tf.evaluation.suite import references
from reno_tf.methods import METHODS
from reno_tf.training import Job


@pytest.mark.parametrize(
    "seconds, text",
    [(0, "less than a minute"), (29, "less than a minute"), (31, "1 minute"), (95, "2 minutes"), (7260, "2 h 1 min")],
)
def test_durations_are_whole_minutes(seconds, text):
    assert cost.duration(seconds) == text


def _suite(*names, **changes) -> Suite:
    small = {"name": "suite", "budget": Budget(steps=4), "curve": (0.25, 0.5), "curve_images": 10, "images": 20}
    return Suite(attacks=references(*(names or ("pixel",))), **small | changes)


def test_attacks_cost_their_gradients_and_the_students_answers():
    network = tiny()
    answers = 3 * 100 + 20 * 2
    assert cost.attack_passes(_suite(), network, 100) == answers + 2.5 * 4 * (100 + 2 * 10)
    assert cost.attack_passes(_suite(), network, 100, kept=True) == answers
    # In an audit the other attacks are also crafted at the smaller epsilons of the curve.
    assert cost.attack_passes(_suite(exposure=True), network, 100) == answers + 2.5 * 4 * (100 + 2 * 10)
    two = cost.attack_passes(_suite("pixel", "disruption stage1", exposure=True), network, 100)
    assert two - cost.attack_passes(_suite(), network, 100) == 20 * 2 + 2.5 * 4 * (20 + 2 * 10)
    # Everywhere, the core.
    core = _suite("pixel", "disruption stage1", core=references("disruption"))
    other = _suite("pixel", "disruption stage1", core=references("joint"))
    more = cost.attack_passes(core, network, 100) - cost.attack_passes(other, network, 100)
    assert more == 2.5 * 4 * 2 * 10
    restarted = _suite(options={"restarts": 5})
    assert cost.attack_passes(restarted, network, 100) == answers + 5 * 2.5 * 4 * (100 + 2 * 10)
    white_box = _suite("pixel", "white_box")
    without = cost.attack_passes(white_box, network, 100, absent={"student"})
    assert without == cost.attack_passes(_suite(), network, 100) < cost.attack_passes(white_box, network, 100)


def test_a_gradient_of_an_ensemble_costs_one_network():
    one, several = (cost.attack_passes(_suite(name), tiny(), 100) for name in ("surrogate", "ensemble"))
    assert one == several


def _job(name, siblings=None, **schedule) -> Job:
    method = METHODS[name](**({} if siblings is None else {"siblings": siblings}))
    schedule = dataclasses.replace(method.schedule, **{"steps": 6, "swa_steps": 4, "swa_period": 1} | schedule)
    return Job(backbone="small", method=method, schedule=schedule, batch_size=32, interval=1)


def test_training_costs_its_steps_and_the_gradients_of_its_images():
    assert cost.training_passes(_job("renofeation")) == 10 * 32 * 6
    assert cost.training_passes(_job("linear")) == 6 * 32 * 2
    assert cost.training_passes(_job("inoculation")) == 6 * 32 * 8.5
    assert cost.training_passes(_job("pubdef")) == 6 * 32 * 6
    assert cost.training_passes(_job("pubdef"), 10) == 6 * 32 * 6 + 2.5 * 10 * 4 * 10
    assert cost.training_passes(_job("vaccination", siblings=2)) == 3 * 6 * 32 * 13.5


def test_an_estimate_says_what_the_time_is_for(monkeypatch):
    monkeypatch.setattr(cost, "seconds_of_pass", lambda network, images: 60.0 / len(images))
    images = np.zeros([100, 4, 4, 3], np.uint8)
    estimate = cost.tell({"10 steps of training": 1920, "attacking": 3600}, None, images)
    assert estimate == "about 5 h 45 min on this machine (10 steps of training 2 h 0 min, attacking 3 h 45 min)"
    assert (
        cost.tell({"attacking": 1}, None, images) == "less than a minute on this machine (attacking less than a minute)"
    )


def test_a_pass_is_timed():
    assert 0 < cost.seconds_of_pass(tiny(), data.load("digits", shots=1).test.images[:4]) < 60
