"""Imports run one way; only main touches flags, only experiment touches the config."""

import ast
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[1]
_PACKAGE = _ROOT / "reno_tf"
# part of the package -> the parts it may import
_ALLOWED = {
    "errors": set(),
    "version": set(),
    "compat": {"averaging"},
    "averaging": set(),
    "optimizers": set(),
    "losses": set(),
    "files": {"errors"},
    "hardware": {"errors"},
    "distribution": {"errors", "hardware"},
    "progress": set(),
    "models": {"distribution", "errors"},
    "attacks": {"errors", "files", "hardware", "models"},
    "methods": {"errors", "losses", "attacks"},
    "swa": {"compat"},
    "sweep": {"errors"},
    "data": {"errors", "files"},
    "trainer": {"distribution", "errors", "hardware", "losses", "methods", "models"},
    "phases": {"distribution", "errors", "files", "progress", "trainer"},
    "checks": set(),
    "evaluation": {"attacks", "data", "errors", "models"},
    "export": set(),
    "foreign": {"errors"},
    "reporting": {"files", "reproduction"},
    "reproduction": {"files"},
}


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


def test_every_part_has_a_rule():
    assert {_part(path) for path in _FILES} == _ALLOWED.keys() | {"experiment"}


@pytest.mark.parametrize("path", _FILES, ids=lambda path: str(path.relative_to(_PACKAGE)))
def test_imports_run_one_way(path):
    part = _part(path)
    parts = {path.name.removesuffix(".py") for path in _PACKAGE.iterdir()}
    used = {name.split(".")[1] for name in _imports(path) if name.startswith("reno_tf.")} & parts
    if part == "experiment":
        assert "main" not in set(_imports(path))
    else:
        assert used - {part} <= _ALLOWED[part]


def test_flags_and_config_stay_where_they_belong():
    for path in _FILES:
        names = set(_imports(path))
        assert not {name for name in names if name.startswith(("absl.flags", "absl.app"))}, path
        if _part(path) != "experiment":
            assert not {name for name in names if name.startswith("ml_collections")}, path


def test_only_compat_knows_the_addons():
    for path in _FILES:
        if path.name != "compat.py":
            assert "tensorflow_addons" not in {name.split(".")[0] for name in _imports(path)}, path


def test_main_is_short():
    assert len((_ROOT / "main.py").read_text().splitlines()) <= 60
