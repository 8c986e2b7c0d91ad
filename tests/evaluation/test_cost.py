"""What is told of the time beforehand, where a pass takes a second."""

import dataclasses

import pytest
from small_network import tiny

from configs import default
from reno_tf import data, settings
from reno_tf.evaluation import cost, suite


@pytest.mark.parametrize(
    "seconds, told",
    [(0, "less than a minute"), (29, "less than a minute"), (31, "1 minute"), (95, "2 minutes"), (7260, "2 h 1 min")],
)
def test_durations_are_whole_minutes(seconds, told):
    assert cost.duration(seconds) == told


def _chosen(method="renofeation", **attack):
    config = default.get_config()
    config.attack.update(core=(), **attack)
    config.curve.update(factors=(0.25, 0.5), images=10)
    config.steps.update(train=6, swa=4, swa_period=1)
    return settings.read(config, method)


def test_attacks_cost_their_gradients_and_the_students_answers():
    chosen, network = _chosen(steps=4, images=20), tiny()
    answers = 3 * 100 + 20 * 2
    assert cost.attack_passes(chosen, network, 100) == answers + 2.5 * 4 * (100 + 2 * 10)
    assert cost.attack_passes(chosen, network, 100, kept=True) == answers
    # In an audit the other attacks are also crafted at the smaller epsilons of the curve.
    assert cost.attack_passes(chosen, network, 100, exposure=True) == answers + 2.5 * 4 * (100 + 2 * 10)
    two = dataclasses.replace(chosen, attack=dataclasses.replace(chosen.attack, core=("disruption stage1",)))
    more = cost.attack_passes(two, network, 100, exposure=True) - cost.attack_passes(chosen, network, 100)
    assert more == 20 * 2 + 2.5 * 4 * (20 + 2 * 10)
    with_five_restarts = _chosen(steps=4, images=20, restarts=5)
    assert cost.attack_passes(with_five_restarts, network, 100) == answers + 5 * 2.5 * 4 * (100 + 2 * 10)


def test_training_costs_its_steps_and_the_gradients_of_its_images():
    assert cost.training_passes(_chosen()) == 10 * 32 * 6
    assert cost.training_passes(_chosen("linear")) == 6 * 32 * 2
    assert cost.training_passes(_chosen("inoculation")) == 6 * 32 * 8.5


def test_a_run_and_an_audit_say_what_their_time_is_for(monkeypatch):
    monkeypatch.setattr(cost, "seconds_of_pass", lambda network, images: 60.0 / len(images))
    dataset = data.load("digits", shots=1, validation_per_class=1)
    chosen = _chosen(steps=0, images=1)
    split = suite.split(chosen, dataset)
    assert split is dataset.test
    # 3 x 1200 answers and 2 of the suite, and 10 x 32 images of training, a sixteenth of a minute each.
    assert (
        cost.tell(chosen, tiny(), split)
        == "about 5 h 45 min on this machine (10 steps of training 2 h 0 min, attacking 3 h 45 min)"
    )
    assert cost.tell(chosen, tiny(), split, trains=False) == "about 3 h 45 min on this machine (attacking 3 h 45 min)"


def test_a_pass_is_timed():
    assert 0 < cost.seconds_of_pass(tiny(), data.load("digits", shots=1).test.images[:4]) < 60
