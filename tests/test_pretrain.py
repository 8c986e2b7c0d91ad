"""--mode=pretrain, without the training: what it writes, and what it refuses."""

import importlib
import json

import pytest

from configs.default import get_config
from reno_tf import commands, models
from reno_tf.errors import UserError
from reno_tf.models import weights

pretrain = importlib.import_module("reno_tf.commands.pretrain")  # The package has the function under this name.


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """An empty pretrained/, where training is skipped."""
    for module in (weights, pretrain):
        monkeypatch.setattr(module, "PRETRAINED", tmp_path / "pretrained")
    monkeypatch.setattr(pretrain.phases, "fit", lambda *_, **__: None)
    return tmp_path / "pretrained"


def test_a_teacher_is_written_and_found_by_its_name(folder, tmp_path, capsys):
    config = get_config()
    config.model.backbone = "mobilenet_v2_cifar"
    commands.start("pretrain", config, command="COMMAND", workdir=str(tmp_path / "run"))
    entry = json.loads((folder / "manifest.json").read_text())["mobilenet_v2_cifar"]["glyphs"]
    assert entry["command"] == "COMMAND" and 0 <= entry["accuracy"] < 0.2  # Untrained: one of 62.
    assert f"{100 * entry['accuracy']:.2f} % on 1860 held-out glyphs" in capsys.readouterr().out
    path, digest = models.locate("mobilenet_v2_cifar", "glyphs")
    assert path == folder / entry["file"] and digest == entry["sha256"] == models.sha256(path.read_bytes())


@pytest.mark.parametrize(("key", "value"), [("steps", 400), ("steps", 0), ("interval", 0)])
def test_steps_that_train_nothing_are_refused(folder, tmp_path, key, value):
    config = get_config()
    config.pretrain[key] = value
    with pytest.raises(UserError, match="config.pretrain.interval .* divide config.pretrain.steps"):
        commands.start("pretrain", config, command="", workdir=str(tmp_path / "run"))
    assert not folder.exists() and not (tmp_path / "run").exists()
