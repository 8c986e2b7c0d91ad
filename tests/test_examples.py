"""The examples run, as they say."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[1]
_SHORT = (
    "--config.split=validation",
    "--config.data.validation_per_class=2",
    "--config.steps.train=2",
    "--config.interval=1",
    "--config.batch_size=8",
    "--config.attack.steps=1",
    "--config.attack.core=()",
    "--config.curve.factors=()",
)


def _run(example, *arguments, cwd):
    path = os.pathsep.join([str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, str(_ROOT / "examples" / example), *arguments]
    options = {"cwd": cwd, "capture_output": True, "text": True}
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.long
def test_plain_keras(tmp_path):
    said = _run("keras_fit.py", cwd=tmp_path)
    assert "finetune: clean" in said and "renofeation: clean" in said and not list(tmp_path.iterdir())


@pytest.mark.long
def test_an_audit_from_python(tmp_path):
    assert "worst case: " in _run("audit_your_model.py", "--quick", cwd=tmp_path)
    results = json.loads((tmp_path / "runs" / "audit-mine" / "results.json").read_text())
    assert results["audit"]["input_range"] == "0..255" and results["clean_accuracy"] > 0.9


@pytest.mark.long
@pytest.mark.parametrize(
    ("example", "arguments", "key", "value"),
    [
        ("add_a_method.py", ("--method=fading", "--config.method.strength=2"), "method", "fading"),
        ("add_an_attack.py", ("--method=linear", "--attack=silence"), "method", "linear"),
    ],
)
def test_a_method_and_an_attack_of_ones_own(example, arguments, key, value, tmp_path):
    _run(example, *arguments, f"--workdir={tmp_path / 'run'}", *_SHORT, cwd=_ROOT)
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results[key] == value
    assert results["attack"]["name"] == ("silence" if "attack" in example else "pixel")
