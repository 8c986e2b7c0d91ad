"""configs/paper.py: DESIGN's table of the reference's hyper-parameters, through the resolver."""

import subprocess
import sys
from pathlib import Path

import pytest

from configs import default, paper
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
    config = settings.resolve(paper.get_config(f"resnet18,{data_set}"), "delta")
    optimizer = config.optimizer
    assert (optimizer.learning_rate, optimizer.weight_decay, optimizer.momentum, config.feature_weight) == delta
    assert (config.steps.train, config.swa, config.batch_size, config.head_decay) == (30_000, False, 64, 0.01)
    assert config.data.shots == 0 and config.data.size == 224

    config = settings.resolve(paper.get_config(f"mobilenetv2,{data_set}"), "renofeation")
    optimizer, steps = config.optimizer, config.steps
    assert (optimizer.learning_rate, optimizer.weight_decay, optimizer.momentum) == (0.01, 5e-3, 0.9)
    assert (config.feature_weight, config.dropout, config.swa) == (renofeation_weight, 0.1, True)
    assert (steps.train, steps.swa, steps.swa_period, optimizer.swa_learning_rate) == (90_000, 30_000, 500, 0.005)
    assert (config.model.backbone, config.model.weights) == ("mobilenet_v2", "imagenet")
    assert config.attack.preset == "reference"

    assert settings.resolve(paper.get_config(f"resnet50,{data_set}"), "retraining").steps.train == 90_000
    assert settings.resolve(paper.get_config(f"resnet50,{data_set}"), "delta_adversarial").steps.train == 60_000


def test_paper_changes_few_keys_and_adds_none():
    def flat(config, prefix=""):
        for key, value in config.items():
            yield from (
                flat(value, f"{prefix}{key}.")
                if hasattr(value, "items") and prefix != "recipes."
                else [(prefix + key, str(value))]
            )

    ours, base = dict(flat(paper.get_config("resnet50,birds"))), dict(flat(default.get_config()))
    assert ours.keys() == base.keys()
    assert sum(ours[key] != base[key] for key in ours) <= 15


def test_bad_names_are_refused():
    with pytest.raises(ValueError, match="write NETWORK,DATASET, the latter one of: flowers, indoor"):
        paper.get_config("resnet50,cats")
    with pytest.raises(UserError, match="unknown backbone 'vgg'"):
        settings.resolve(paper.get_config("vgg,flowers"), "delta")


def test_a_configs_mistake_is_one_line():
    command = [sys.executable, "main.py", "--config=configs/paper.py:resnet50"]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("main.py: configs/paper.py:resnet50 names no data set of the paper; write NETWORK")
    assert done.stderr.count("\n") == 1
