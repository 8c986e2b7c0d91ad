"""The wheel has all that a run needs, and `reno-tf` does what main.py does."""

import configparser
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from short import SHORT

_ROOT = Path(__file__).parents[1]


def test_setup_names_every_package():
    setup = configparser.ConfigParser()
    setup.read(_ROOT / "setup.cfg")
    folders = {file.parent for package in ("reno_tf", "configs") for file in (_ROOT / package).rglob("*.py")}
    names = {".".join(folder.relative_to(_ROOT).parts) for folder in folders}
    expected = {name if name.startswith("reno_tf") else f"reno_tf_main.{name}" for name in names}
    assert set(setup["options"]["packages"].split("\n")) - {""} >= expected | {"reno_tf.pretrained", "reno_tf_main"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The wheel's content, as a folder to import from."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"  # setuptools leaves a folder in the source.
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=_ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, tracked.split("\0")):
        if not name.startswith(("tests/", "results/", "docs/")) and (_ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            os.symlink(_ROOT / name, source / name)
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-w", folder, source]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def _reno_tf(installed, folder, *arguments):
    """What the console command starts, in an empty folder."""
    entry = configparser.ConfigParser()
    entry.read(next(installed.glob("*.dist-info")) / "entry_points.txt")
    module, function = entry["console_scripts"]["reno-tf"].split(":")
    script = f"import sys; sys.argv[0] = 'reno-tf'; from {module} import {function}; {function}()"
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)


def test_everything_shipped_has_its_licence_in_the_wheel(installed):
    (notice,) = installed.glob("*.dist-info/**/NOTICE")
    weights = [path.name for path in (_ROOT / "pretrained").glob("*.safetensors")]
    assert weights and all(f"pretrained/{name}\n" in notice.read_text() for name in weights if _is_tracked(name))
    named = [line for line in notice.read_text().splitlines() if line.startswith(("results/", "pretrained/"))]
    assert all((_ROOT / name).is_file() for name in named) and list(installed.glob("*.dist-info/**/LICENSE"))


def _is_tracked(name):
    """Not one of those that --mode=import_weights left there."""
    command = ["git", "ls-files", "--error-unmatch", f"pretrained/{name}"]
    return subprocess.run(command, cwd=_ROOT, capture_output=True).returncode == 0


@pytest.mark.long
def test_a_run_needs_the_wheel_alone(installed, tmp_path):
    done = _reno_tf(installed, tmp_path, "--method=finetune", *SHORT)
    assert done.returncode == 0, done.stderr
    run = tmp_path / "runs" / "finetune-digits-0"
    assert json.loads((run / "results.json").read_text())["method"] == "finetune"
    assert "reno-tf --method=finetune" in (run / "report.md").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]


@pytest.mark.long
def test_its_configs_come_along(installed, tmp_path):
    done = _reno_tf(installed, tmp_path, "--help")
    assert done.returncode == 0 and done.stdout.startswith("reno-tf [--mode=MODE]")
    plan = _reno_tf(installed, tmp_path, "--mode=reproduce", "--config", "configs/reproduce.py:table2", "--dry_run")
    assert plan.returncode == 0 and " runs to do" in plan.stdout, plan.stderr
    done = _reno_tf(installed, tmp_path, "--config=configs/own.py")
    shipped = ", ".join(f"configs/{name}.py" for name in ("default", "gallery", "paper", "photos", "reproduce"))
    assert done.stderr == f"reno-tf: no config file configs/own.py; the project's are {shipped}\n"
    assert done.returncode == 2
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "own.py").write_text(
        "from configs import default\n\ndef get_config():\n    config = default.get_config()\n"
        "    config.attack.epsilon = -1.0\n    return config\n"
    )
    done = _reno_tf(installed, tmp_path, "--config=configs/own.py")
    assert done.returncode == 2 and "config.attack.epsilon must be at least 0, not -1.0" in done.stderr
