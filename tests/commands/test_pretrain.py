"""--mode=pretrain, without the training: what it writes, and what it refuses."""

import importlib
import json

import pytest

import modes
from configs.default import get_config
from reno_tf import models
from reno_tf.errors import UserError
from reno_tf.models import weights

pretrain = importlib.import_module("reno_tf.commands.pretrain")  # The package has the function under this name.


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """An empty pretrained/, where training is skipped."""
    monkeypatch.setattr(weights, "PRETRAINED", tmp_path / "pretrained")
    monkeypatch.setattr(pretrain.training.RunningPhase, "run", lambda phase: None)
    return tmp_path / "pretrained"


@pytest.mark.long
def test_a_teacher_is_written_and_found_by_its_name(folder, tmp_path, capsys):
    config = get_config()
    config.model.backbone = "mobilenet_v2_cifar"
    modes.start("pretrain", config, command="COMMAND", workdir=str(tmp_path / "run"))
    entry = json.loads((folder / "manifest.json").read_text())["mobilenet_v2_cifar"]["glyphs"]
    assert entry["command"] == "COMMAND" and 0 <= entry["accuracy"] < 0.2  # Untrained: one of 62.
    assert f"{100 * entry['accuracy']:.2f} % on 1860 held-out glyphs" in capsys.readouterr().out
    path, digest = models.locate("mobilenet_v2_cifar", "glyphs")
    assert path == folder / entry["file"] and digest == entry["sha256"] == models.sha256(path.read_bytes())

    # Another one is not trained in its folder.
    config.pretrain.weight_decay = 0.5
    with pytest.raises(UserError, match=r"holds another run \(weight_decay is 5e-05, not 0.5\)"):
        modes.start("pretrain", config, command="", workdir=str(tmp_path / "run"))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("steps", 700, r"the interval \(500\) must divide the 700 steps of the phase pretrain"),
        ("steps", 0, "config.pretrain.steps must be at least 1, not 0"),
        ("interval", 0, "config.pretrain.interval must be at least 1, not 0"),
        ("learning_rate", -0.1, "config.pretrain.learning_rate must be at least 0, not -0.1"),
        ("data", "cats", "unknown config.pretrain.data 'cats'; choose one of: "),
    ],
)
def test_what_trains_nothing_is_refused(folder, tmp_path, key, value, message):
    config = get_config()
    config.pretrain[key] = value
    with pytest.raises(UserError, match=message):
        modes.start("pretrain", config, command="", workdir=str(tmp_path / "run"))
    assert not folder.exists() and not (tmp_path / "run").exists()
