"""docs/models.md is what tools/models_table.py writes."""

import importlib.util
from pathlib import Path

import pytest
from conftest import long

_ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", ["resnet18_cifar", "mobilenet_v2", *long("keras_mobilenetv2")])
def test_the_table_is_up_to_date(name):
    spec = importlib.util.spec_from_file_location("models_table", _ROOT / "tools" / "models_table.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert tool.row(name) in (_ROOT / "docs" / "models.md").read_text().splitlines()
