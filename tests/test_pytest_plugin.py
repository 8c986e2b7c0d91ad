"""The fixture `reno_audit`, in a pytest of its own, as in the project of whoever has a model."""

import configparser
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import formats
import numpy as np
import pytest
from PIL import Image

import pytest_plugin

_ROOT = Path(__file__).parents[1]
_FLAGS = (
    "--config.attack.suite=('pixel',)",
    "--config.attack.steps=1",
    "--config.curve.factors=()",
    "--config.audit.input_range=0..1",
    "--config.audit.geometry=squash",
    "--report=sarif,junit",
    "--warn_above=0.5",
)
_TEST = """
import sys

def test_model(reno_audit):
    assert not {name for name in sys.modules if name.startswith(("tensorflow", "reno_tf.", "ml_collections"))}
    audit = reno_audit("m.keras", teacher="glyphs", data="photos", epsilon=0.05, images=6, flags=FLAGS)
    assert 0 <= audit.worst_case_interval[0] <= audit.worst_case <= audit.worst_case_interval[1] <= 1
    assert audit.clean_accuracy == 1.0 and audit.attack_success_rate <= audit.worst_case < 0.2
    assert audit.results["attack"]["epsilon"] == 0.05 and audit.results["worst_case"]["num_images"] == 6
    assert "tensorflow" not in sys.modules
    assert all(audit.report.with_name(name).is_file() for name in ("report.html", "report.sarif", "junit.xml"))
"""


@pytest.fixture
def project(tmp_path):
    """A folder with a model that reads the mean colour, photos, and a test of the model."""
    formats.save(tmp_path, "keras2")
    for label, colour in enumerate(np.eye(3)):
        for number in range(12):
            path = tmp_path / "photos" / "bgr"[label] / f"{number:02d}.bmp"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((8, 8, 3), 200 * colour + number, np.uint8)).save(path)
    flags = (*_FLAGS, f"--config.data.tfds_dir={tmp_path / 'tfds'}")
    (tmp_path / "test_model.py").write_text(f"FLAGS = {flags}\n{_TEST}")
    return tmp_path


@pytest.mark.long
def test_a_model_is_audited_by_a_test(project):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "pytest_plugin", "-p", "no:cacheprovider"]
    command += [f"--basetemp={project / 'temporary'}", "test_model.py"]
    environment = os.environ | {"PYTHONPATH": str(_ROOT)}
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout + done.stderr
    assert {path.name for path in project.iterdir()} <= {
        *("m.keras", "photos", "tfds", "temporary", "test_model.py", "__pycache__")
    }


@pytest.fixture
def started(tmp_path, monkeypatch):
    """An auditor, and the command line of each process that it starts; outcome: how that ends, and what it writes."""
    commands = SimpleNamespace(words=[], outcome=(0, "", ""), rates=(0.25, [0.125, 0.5]))

    def run(command, **_):
        commands.words.append(command)
        workdir = Path(next(word for word in command if word.startswith("--workdir=")).partition("=")[2])
        workdir.mkdir(parents=True, exist_ok=True)
        rate, interval = commands.rates
        content = {"worst_case_success_rate": rate, "worst_case_success_rate_ci95": interval}
        content |= {"clean_accuracy": 0.5, "attack_success_rate": 0.25}
        (workdir / "results.json").write_text(json.dumps(content))
        return subprocess.CompletedProcess(command, *commands.outcome)

    monkeypatch.setattr(subprocess, "run", run)
    commands.audit = pytest_plugin.Auditor(tmp_path / "audits", tmp_path / "cache")
    return commands


def test_the_arguments_are_the_command_lines(started, tmp_path):
    audit = started.audit(
        Path("m.keras"),
        backbone="resnet18",
        teacher="imagenet",
        data="photos",
        attack="quick",
        epsilon=0.03,
        images=20,
        workdir=tmp_path / "kept",
        flags=["--config.seed=1"],
    )
    words = [f"--workdir={tmp_path / 'kept'}", "--student=m.keras", "--backbone=resnet18", "--teacher=imagenet"]
    words += ["--attack=quick", "--config.attack.epsilon=0.03", "--config.attack.images=20"]
    words += ["--config.data.name=folder", "--config.data.dir=photos", "--config.seed=1"]
    assert started.words == [[sys.executable, str(_ROOT / "main.py"), "--mode=audit", *words]]
    assert (audit.worst_case, audit.worst_case_interval, audit.clean_accuracy) == (0.25, (0.125, 0.5), 0.5)
    assert audit.report == tmp_path / "kept" / "report.html"


def test_each_audit_without_a_workdir_has_its_own(started, tmp_path):
    for _ in range(2):
        started.audit("m.keras")
    workdirs = [f"--workdir={tmp_path / 'audits' / name}" for name in ("audit1", "audit2")]
    rest = ["--student=m.keras", f"--config.attack.cache={tmp_path / 'cache'}"]
    assert [words[3:] for words in started.words] == [[workdir, *rest] for workdir in workdirs]


@pytest.mark.parametrize("status", [1, 2, 70, -9])
def test_an_audit_that_fails_fails_the_test_with_its_line(started, status):
    started.outcome = (status, "", "main.py: there is no model\n")
    with pytest.raises(pytest.fail.Exception, match="^no audit: main.py: there is no model$"):
        started.audit("m.keras")


def test_a_worst_case_that_is_undefined_fails_the_test(started):
    started.rates = (None, None)
    with pytest.raises(pytest.fail.Exception, match="the worst case is undefined"):
        started.audit("m.keras")


def test_pytest_finds_it_where_the_project_is_installed():
    setup = configparser.ConfigParser()
    setup.read(_ROOT / "setup.cfg")
    names = [line.partition(" = ")[2] for line in setup["options.entry_points"]["pytest11"].split("\n") if line]
    assert names == [f"reno_tf_main.{pytest_plugin.__name__}"]
