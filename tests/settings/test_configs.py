"""configs/paper.py: DESIGN's table of the reference's hyper-parameters, as settings."""

import subprocess
import sys
from pathlib import Path

import pytest

from configs import default, paper, photos
from reno_tf import settings
from reno_tf.data import DATASETS
from reno_tf.errors import UserError


@pytest.mark.parametrize(
    ("data_set", "delta", "renofeation_weight"),
    [
        ("flowers", (0.005, 1e-4, 0.9, 0.1), 5),
        ("indoor", (0.01, 1e-4, 0, 0.5), 5),
        ("actions", (0.005, 0, 0, 1), 5),
        ("birds", (0.01, 0, 0, 0.1), 1),
        ("dogs", (0.01, 0, 0, 10), 5),
    ],
)
def test_paper_gives_the_references_hyper_parameters(data_set, delta, renofeation_weight):
    assert DATASETS[data_set].origin in ("download", "manual")
    run_settings = settings.read(paper.get_config(f"resnet18,{data_set}"), "delta")
    schedule, method = run_settings.schedule, run_settings.method
    assert (schedule.learning_rate, method.weight_decay, schedule.momentum, method.feature_weight) == delta
    assert (schedule.steps, schedule.swa, run_settings.training.batch_size, method.head_decay) == (
        30_000,
        False,
        64,
        0.01,
    )
    assert run_settings.data.shots == 0 and run_settings.data.size == 224

    run_settings = settings.read(paper.get_config(f"mobilenetv2,{data_set}"), "renofeation")
    schedule, method = run_settings.schedule, run_settings.method
    assert (schedule.learning_rate, method.weight_decay, schedule.momentum) == (0.01, 5e-3, 0.9)
    assert (method.feature_weight, run_settings.training.dropout, schedule.swa) == (renofeation_weight, 0.1, True)
    train, swa = method.phases(schedule)
    assert (train.steps, swa.steps, swa.average_every, swa.learning_rate) == (90_000, 30_000, 500, 0.005)
    assert (run_settings.networks.backbone, run_settings.networks.weights) == ("mobilenet_v2", "imagenet")
    assert run_settings.attack.preset == "reference"

    assert settings.read(paper.get_config(f"resnet50,{data_set}"), "retraining").schedule.steps == 90_000
    assert settings.read(paper.get_config(f"resnet50,{data_set}"), "delta_adversarial").schedule.steps == 60_000


def test_paper_changes_few_keys_and_adds_none_but_to_the_recipes():
    ours, base = (dict(_flat(config)) for config in (paper.get_config("resnet50,birds"), default.get_config()))
    assert ours.keys() == base.keys()
    assert sum(ours[key] != base[key] for key in ours) <= 15


def _flat(config, prefix=""):
    for key, value in config.items():
        nested = hasattr(value, "items") and prefix != "recipes."
        yield from _flat(value, f"{prefix}{key}.") if nested else [(prefix + key, str(value))]


def test_photographs_are_gone_through_often_enough():
    class _Loaded:
        train, validation = range(5000), range(500)

    for name, steps in {"finetune": 2500, "renofeation": 2500, "delta_adversarial": 5000}.items():
        assert settings.read(photos.get_config(), name, dataset=_Loaded).schedule.steps == steps
    small = settings.read(photos.get_config(), "inoculation")
    assert small.schedule.steps == 800 and small.method.epsilon == small.attack.epsilon == 0.02


def test_the_embedded_task_leaves_its_methods_as_they_declare_themselves():
    config = default.get_config()
    assert not config.method and not config.recipes.teacher and not config.recipes.random


def test_bad_names_are_refused():
    with pytest.raises(ValueError, match="write NETWORK,DATASET, the latter one of: flowers, indoor"):
        paper.get_config("resnet50,cats")
    with pytest.raises(UserError, match="unknown config.model.backbone 'vgg'"):
        settings.read(paper.get_config("vgg,flowers"), "delta")


def test_a_configs_mistake_is_one_line():
    command = [sys.executable, "main.py", "--config=configs/paper.py:resnet50"]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("main.py: configs/paper.py:resnet50 names no data set of the paper; write NETWORK")
    assert done.stderr.count("\n") == 1
