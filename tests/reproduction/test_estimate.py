"""The dry run's arithmetic, where a pass takes a second."""

import pytest

from configs.reproduce import get_config
from reno_tf import models
from reno_tf.commands import reproduce
from reno_tf.commands.reproducing import estimate
from reno_tf.commands.reproducing.planning import Plan
from reno_tf.evaluation import cost
from reno_tf.reproduction import sweep


@pytest.fixture(autouse=True)
def timed(monkeypatch):
    """The networks that were timed."""
    names = []

    def seconds_of_pass(network, images):
        names.append((network.name, images.shape[1:]))
        return 1.0

    monkeypatch.setattr(cost, "seconds_of_pass", seconds_of_pass)
    return names


def _plan(artefact, **changes):
    config = get_config(artefact)
    config.batch_size = 10
    config.recipes.teacher.train = config.recipes.random.train = 100
    config.recipes.random.swa = 40
    config.attack.update(steps=4, core=(), images=0)
    config.curve.update(factors=(), images=1)
    changes = {"data": ("digits",), "choose_feature_weight": False, "tuned": (), "suite_seeds": 0, **changes}
    config.reproduce.update(changes)
    return Plan(config)


def _runs(plan):
    return estimate.runs_of(plan, lambda planned: False, {})


def test_the_work_is_that_of_steps_gradients_and_answers(timed):
    plan = _plan("table7", seeds=1, few_seeds=1)
    runs = _runs(plan)
    ((kind, row),) = estimate.estimate(runs).items()
    assert kind == "resnet18_cifar at 32 pixels" and timed == [("resnet18_cifar", (32, 32, 3))]
    # Two rows of table 7 train in 100 steps and two in 140; the first of all crafts, for 1200 images: at ε 0 nothing.
    trained = 6 * 10 * (2 * 100 + 2 * 140)
    answers = 4 * (3 * 1200 + 2 * 1200)
    assert row["runs"] == len(runs) == 4
    assert row["seconds"] == pytest.approx(4 * 15 + trained + answers + 2.5 * 4 * 1200)
    assert row["bytes"] == 4 * 8 * 4 * models.build("resnet18_cifar").count_params()


@pytest.mark.long
def test_the_head_alone_costs_less_and_adversarial_training_more():
    each = {}
    for artefact in ("table2", "table6"):
        for planned in _runs(_plan(artefact, seeds=1, few_seeds=1)):
            ((_, row),) = estimate.estimate([planned]).items()
            each[planned.name.partition("-")[0]] = row["seconds"]
    # Of 1000 images each; adversarial training takes twice the steps, and three gradients in each.
    assert each["finetune"] - each["linear"] == pytest.approx(1000 * 4)
    assert each["delta_adversarial"] - each["delta"] == pytest.approx(1000 * (2 * (6 + 2.5 * 3) - 6))


def test_networks_are_timed_once_and_what_is_done_is_left_out(timed, capsys):
    plan = _plan("table7", seeds=1, few_seeds=1)
    done, *_ = names = [planned.name for planned in _runs(plan)]
    estimate.print_plan(plan, lambda planned: planned.name == done, run_results={})
    printed = capsys.readouterr().out
    assert all(f"{'done ' if name == done else 'to do'} {name}\n" in printed for name in names)
    assert "3 x resnet18_cifar at 32 pixels: " in printed and "3 of 4 runs to do, together about " in printed
    assert len(timed) == 1


@pytest.mark.parametrize("at_once", [1, 2])
def test_runs_at_once_share_the_time(timed, capsys, monkeypatch, at_once):
    monkeypatch.setattr(sweep, "room", lambda *, cpus, gpus: at_once)
    plan = _plan("table7", seeds=1, few_seeds=1)
    estimate.print_plan(plan, lambda planned: False, run_results={})
    # 28 800 s of training, 24 000 of answers, 12 000 of gradients and 60 of starts.
    duration = {1: "18 h 1 min", 2: "9 h 0 min"}[at_once]
    *_, kind, total = capsys.readouterr().out.splitlines()
    assert f"4 x resnet18_cifar at 32 pixels: {duration} and " in kind
    assert f"together about {duration} and " in total and f" on this machine, {at_once} at once, " in total


def test_a_plan_of_the_papers_needs_neither_weights_nor_data_nor_gpus(tmp_path, capsys):
    reproduce(get_config("table7,paper"), command="", workdir=str(tmp_path / "sweep"), dry_run=True)
    printed = capsys.readouterr().out
    assert "to do renofeation-resnet18-birds-4\n" in printed and "100 x resnet18 at 224 pixels: " in printed
    assert not (tmp_path / "sweep").exists()
