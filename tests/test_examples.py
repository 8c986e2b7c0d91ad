"""The examples run, as they say."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from short import SHORT

_ROOT = Path(__file__).parents[1]


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
    assert float(re.search(r"the teacher: ([\d.]+)% of Greek letters right", said)[1]) > 30
    assert "finetune: clean" in said and "renofeation: clean" in said and not list(tmp_path.iterdir())


@pytest.mark.long
def test_an_audit_from_python(tmp_path):
    assert "worst case: " in _run("audit_your_model.py", "--quick", cwd=tmp_path)
    results = json.loads((tmp_path / "runs" / "audit-mine" / "results.json").read_text())
    assert results["audit"]["input_range"] == "0..255" and results["clean_accuracy"] > 0.9


_SHORT = (
    "reno_tf.evaluation.Suite(name='core', attacks=reno_tf.evaluation.named('core').attacks, curve=(), "
    "budget=reno_tf.attacks.Budget(steps=1))"
)


@pytest.mark.long
def test_the_notebook(tmp_path):
    """All cells but the one that installs, in one go; a shorter training and attack."""
    cells = json.loads((_ROOT / "examples" / "renofeation.ipynb").read_text())["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    installs, *rest = sources
    assert installs.startswith("%pip install")
    script = "\n".join(rest)
    shorter = {
        "STEPS = 600": "STEPS = 2",
        "range(400)": "range(20)",
        "test, crafting": f"test, suite={_SHORT}, crafting",
    }
    shorter['Crafting(cache="runs/adversarial")'] = f"Crafting(cache={str(tmp_path / 'sets')!r}, batch_size=20)"
    for long, short in shorter.items():
        assert long in script
        script = script.replace(long, short)
    (tmp_path / "cells.py").write_text(script)
    said = _run(tmp_path / "cells.py", cwd=tmp_path)
    assert [line.split()[0] for line in said.splitlines()[-3:]] == ["fine-tuning", "Renofeation", "inoculation"]


@pytest.mark.long
def test_the_public_network_is_the_same_in_keras_2_and_3(tmp_path):
    (tmp_path / "compare.py").write_text(
        "import sys, numpy as np\n"
        f"sys.path.insert(0, {str(_ROOT / 'examples')!r})\n"
        "import fine_tune_photos as example\n"
        "images = np.random.default_rng(0).uniform(size=(2, 64, 64, 3)).astype(np.float32)\n"
        "answers = [np.asarray(example.backbone(keras)(images)) for keras in (example.keras_2, example.keras_3)]\n"
        "np.testing.assert_allclose(*answers, atol=1e-4)\n"
        "assert len(example.backbone(example.keras_3).trainable_weights) > 100\n"
    )
    _run(tmp_path / "compare.py", cwd=tmp_path)


@pytest.mark.long
@pytest.mark.parametrize(
    ("example", "arguments", "key", "value"),
    [
        ("add_a_method.py", ("--method=fading", "--config.method.strength=2"), "method", "fading"),
        ("add_an_attack.py", ("--method=linear", "--attack=silence"), "method", "linear"),
    ],
)
def test_a_method_and_an_attack_of_ones_own(example, arguments, key, value, tmp_path):
    _run(example, *arguments, f"--workdir={tmp_path / 'run'}", *SHORT, cwd=_ROOT)
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results[key] == value
    assert results["attack"]["name"] == ("silence" if "attack" in example else "pixel")
