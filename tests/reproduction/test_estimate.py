"""The dry run's arithmetic, on runs that only pretend to take time."""

import importlib
import json
import os
from pathlib import Path

import pytest

from configs.reproduce import table2, table6, table7
from reno_tf import files, settings
from reno_tf.errors import UserError
from reno_tf.reproduction import estimate
from reno_tf.reproduction.planning import Plan

reproduce = importlib.import_module("reno_tf.commands.reproduce")  # The package has the function under this name.


def _pretend(config, *, method, workdir, command):
    """Took 3 s + half a second a step to train, 10 s + 2 s a step of the attack for the rest; 2000 bytes more."""
    workdir, chosen = Path(workdir), settings.read(config, method)
    steps = sum(phase.steps for phase in chosen.method.phases(chosen.schedule))
    files.write_text(workdir / "history.jsonl", json.dumps({"step": steps}) + "\n")
    train = 3 + 0.5 * steps
    results = {"seconds": {"train": train}, "attack": {"steps": chosen.attack.steps}}
    files.write_json(workdir / "results.json", results)
    files.write_json(workdir / "data.json", {})
    files.write_bytes(workdir / "checkpoints" / "x", bytes(2000))
    os.utime(workdir / "data.json", (1000, 1000))
    end = 1000 + train + 10 + 2 * chosen.attack.steps
    os.utime(workdir / "results.json", (end, end))


@pytest.fixture
def measured(monkeypatch):
    """The short runs that were done; they take no time."""
    done = []

    def execute(tasks, **_):
        for task in tasks:
            task.call()
            done.append(task.name)
        return {}

    monkeypatch.setattr(estimate.sweep, "execute", execute)
    monkeypatch.setattr(estimate.sweep, "room", lambda **_: 2)
    return done


def _plan(module, **changes):
    config = module.get_config()
    config.recipes.teacher.train = config.recipes.random.train = 100
    config.recipes.random.swa = 40
    config.attack.steps = 40
    config.reproduce.update({"data": ("digits", "greek"), "choose_feature_weight": False, "tuned": (), **changes})
    return Plan(config)


def _estimate(folder, plan):
    return estimate.estimate(folder, estimate._runs(plan), _pretend, cpus=1, gpus=0)


def test_short_runs_tell_the_cost_of_long_ones(tmp_path, measured):
    told = _estimate(tmp_path, _plan(table7, seeds=2, few_seeds=2))
    assert len(measured) == 2  # All four rows of table 7 take the same steps.
    ((kind, row),) = told["kinds"].items()
    assert kind == "resnet18_cifar, beside the teacher"
    # 2 data sets x 2 seeds of each row, two of which average; each data set is attacked once, in 40 steps.
    seconds = 8 * (13 + 0.5 * 100) + 8 * (13 + 0.5 * 140) + 2 * 2 * 40
    assert row["runs"] == 16 and row["seconds"] == pytest.approx(seconds)
    assert told["seconds"] == pytest.approx(seconds / 2) and told["at_once"] == 2
    assert 16 * 2000 < told["bytes"] < 16 * 2500


def test_finished_runs_are_not_counted_and_tell_the_cost_themselves(tmp_path, measured):
    plan = _plan(table7, seeds=1, few_seeds=1)
    finished = plan.run(plan.rows[0], "digits", 0, {})
    _pretend(finished.config, method=finished.method, workdir=tmp_path / finished.name, command="")
    (row,) = _estimate(tmp_path, plan)["kinds"].values()
    assert not measured
    # Table 7's first row: 100 steps in 3 + 50 s, and 10 + 2 x 40 s for the rest.
    assert row["runs"] == 7
    steps = 3 * 100 + 4 * 140  # Of the other three that do not average, and of the four that do.
    assert row["seconds"] == pytest.approx(7 * 90 + steps * 53 / 100)


def test_runs_whose_steps_cost_differently_are_measured_apart(tmp_path, measured):
    told = _estimate(tmp_path, _plan(table2, seeds=1, few_seeds=1))
    assert set(told["kinds"]) == {
        "resnet18_cifar",
        "resnet18_cifar, the head alone",
        "resnet18_cifar, beside the teacher",
    }
    assert len(measured) == 6


def test_what_cannot_be_measured_is_said_and_left_out(tmp_path, measured, monkeypatch, capsys):
    monkeypatch.setattr(estimate.sweep, "execute", lambda tasks, **_: {task.name: "no such data" for task in tasks})
    plan = _plan(table7, seeds=1, few_seeds=1)
    told = _estimate(tmp_path, plan)
    assert [row["unknown"] for row in told["kinds"].values()] == ["no such data"]
    assert told["seconds"] == told["bytes"] == 0
    estimate.print_plan(tmp_path, plan, _pretend)
    printed = capsys.readouterr().out
    assert "to do delta_r-resnet18-digits-0\n" in printed
    assert "8 x resnet18_cifar, beside the teacher: no such data\n" in printed
    assert "8 of 8 runs to do, together about 0:00:00" in printed and "; 8 of them are not counted\n" in printed


def test_a_machine_without_what_the_sweep_wants_still_lists_the_runs(tmp_path, measured, monkeypatch, capsys):
    def refuse(*_, **__):
        raise UserError("this machine has 0 GPUs, not 1")

    monkeypatch.setattr(estimate.sweep, "execute", refuse)
    config = table7.get_config("paper")
    reproduce.reproduce(config, command="", workdir=str(tmp_path / "sweep"), dry_run=True)
    printed = capsys.readouterr().out
    assert "to do renofeation-resnet18-birds-4\n" in printed
    assert "100 x resnet18, beside the teacher: this machine has 0 GPUs, not 1\n" in printed
    assert not (tmp_path / "sweep").exists()


def test_runs_that_were_resumed_or_are_of_another_version_tell_nothing(tmp_path, measured):
    plan = _plan(table7, seeds=1, few_seeds=1)
    for row, harm in zip(plan.rows, ("resumed", "old", "damaged"), strict=False):
        finished = plan.run(row, "digits", 0, {})
        workdir = tmp_path / finished.name
        _pretend(finished.config, method=finished.method, workdir=workdir, command="")
        if harm == "resumed":
            os.utime(workdir / "data.json", (1120, 1120))  # Written again when it went on.
        else:
            (workdir / "results.json").write_text({"old": "{}", "damaged": "{"}[harm])
    _estimate(tmp_path, plan)
    assert len(measured) == 2


def test_adversarial_training_takes_twice_the_steps_each_at_its_own_cost(tmp_path, measured):
    rows = _estimate(tmp_path, _plan(table6, data=("digits",), seeds=1, few_seeds=1))["kinds"]
    attacked = rows["resnet18_cifar, beside the teacher, on attacked images"]
    # Plain, and with averaging; the images that DELTA was attacked with are there already.
    assert attacked["runs"] == 2 and attacked["seconds"] == pytest.approx(2 * 13 + 0.5 * (200 + 200 + 100))
    assert len(measured) == 4


def test_the_trials_are_part_of_the_plan(tmp_path, measured):
    tuned = ("finetune", "delta")
    plan = _plan(table2, data=("digits",), seeds=1, few_seeds=1, tuned=tuned, choose_feature_weight=True)
    names = [planned.name for planned in estimate._runs(plan)]
    assert len(names) == len(set(names)) == 5 + 8 + 4  # Rows of table 2, the grid, the weights of DELTA.
