"""The house's floors: imports lead downwards, only main touches flags, only settings and what is above the config."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import long

_PACKAGE = Path(__file__).parents[1] / "reno_tf"
# From the ground up. A part may import what stands below it, and itself.
_FLOORS = (
    ("errors", "version"),
    ("compat", "ownership"),
    (
        "archives",
        "draws",
        "files",
        "hardware",
        "interruption",
        "kerashub",
        "naming",
        "progress",
        "records",
        "spreadsheets",
    ),
    ("data", "models", "results"),
    ("attacks",),
    ("methods",),
    ("serving", "conversion"),
    ("training", "audit"),
    ("evaluation",),
    ("reporting",),
    ("reproduction",),
    ("settings",),
    ("commands",),
)
_BELOW = {package: set().union(*_FLOORS[:level]) for level, floor in enumerate(_FLOORS) for package in floor}
_READ_THE_CONFIG = {"settings", "commands"}


def _imports(path):
    """Dotted names of all imports, also those inside functions; `from a import b` gives a and a.b."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _part(path):
    return path.relative_to(_PACKAGE).parts[0].removesuffix(".py")


_FILES = [path for path in sorted(_PACKAGE.rglob("*.py")) if path != _PACKAGE / "__init__.py"]


def test_every_part_has_its_floor():
    assert {_part(path) for path in _FILES} == _BELOW.keys()


@pytest.mark.parametrize("path", _FILES, ids=lambda path: str(path.relative_to(_PACKAGE)))
def test_imports_lead_downwards(path):
    used = {name.split(".")[1] for name in _imports(path) if name.startswith("reno_tf.")}
    assert used & _BELOW.keys() - {_part(path)} <= _BELOW[_part(path)]


def test_flags_and_config_stay_where_they_belong():
    for path in _FILES:
        names = set(_imports(path))
        assert not {name for name in names if name.startswith(("absl.flags", "absl.app", "main."))}, path
        if _part(path) not in _READ_THE_CONFIG:
            assert not {name for name in names if name.startswith("ml_collections")}, path


def test_the_core_does_not_know_the_reproductions_words():
    words = re.compile(r"artefacts\b|\bclaims\.(json|md)|@matched|\b(table|figure)[0-9]")
    for path in [path for kind in ("*.py", "*.j2", "*.css", "*.js") for path in _PACKAGE.rglob(kind)]:
        if not {"reproduction", "reproducing"} & set(path.parts) and path.name != "reproduce.py":
            assert not words.search(path.read_text()), path


def test_benchmarks_stand_without_the_tests():
    tests = {path.stem for path in (_PACKAGE.parent / "tests").glob("*")}
    for path in (_PACKAGE.parent / "benchmarks").rglob("*.py"):
        assert not {name.split(".")[0] for name in _imports(path)} & (tests | {"tests"}), path


def test_only_compat_knows_the_addons():
    for path in _FILES:
        if path.name != "compat.py":
            assert "tensorflow_addons" not in {name.split(".")[0] for name in _imports(path)}, path


_GLOBALS = """
import gc, os, signal, sys, warnings
import absl.logging, matplotlib, PIL.Image, tensorflow

def state():
    return {
        "backend": matplotlib.rcParams._get_backend_or_none(),
        "pyplot": "matplotlib.pyplot" in sys.modules,
        "frozen": gc.get_freeze_count(),
        "thresholds": gc.get_threshold(),
        "pixels": PIL.Image.MAX_IMAGE_PIXELS,
        "logged": absl.logging.get_verbosity(),
        "signals": [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)],
        "hook": sys.excepthook,
        "folder": os.getcwd(),
        "variables": {key: value for key, value in os.environ.items() if not key.startswith("TF_")},
        "policy": tensorflow.keras.mixed_precision.global_policy().name,
    }

before = state()
import importlib
for name in sys.argv[1:]:
    importlib.import_module(name)
after = state()
assert before == after, {key: (before[key], after[key]) for key in before if before[key] != after[key]}
from tensorflow.python.eager import context
assert not context.context()._initialized, "the devices are chosen"
"""


def test_every_module_can_be_imported_and_changes_nothing():
    names = [".".join(path.relative_to(_PACKAGE.parent).with_suffix("").parts) for path in _FILES]
    command = [sys.executable, "-c", _GLOBALS, *(name.removesuffix(".__init__") for name in names)]
    environment = os.environ | {"TF_USE_LEGACY_KERAS": "1"}
    done = subprocess.run(command, cwd=_PACKAGE.parent, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("before", "works"),
    [
        ("import tensorflow", False),
        *long(("import tensorflow, os; os.environ['TF_USE_LEGACY_KERAS'] = '1'", False)),
        *long(("import os; os.environ['TF_USE_LEGACY_KERAS'] = '1'; import tensorflow", True), ("pass", True)),
    ],
)
def test_it_has_keras_2_or_says_what_to_do(before, works):
    script = f"{before}\nimport reno_tf\nfrom reno_tf.training import averaging, optimizers\n"
    script += "averaging.wrap(optimizers.SGD(0.1, 0.9), period=2)\n"
    environment = {key: value for key, value in os.environ.items() if key != "TF_USE_LEGACY_KERAS"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert (done.returncode == 0) == works, done.stderr
    if not works:
        said = done.stderr.splitlines()[-1]
        for setting in ("In a script, import reno_tf first.", "In a notebook, begin with", "top of conftest.py"):
            assert setting in said
