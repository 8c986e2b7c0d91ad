"""README.md shows what results/ holds."""

import importlib.util
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("table", ["methods", "claims"])
def test_the_tables_are_up_to_date(table):
    spec = importlib.util.spec_from_file_location("readme_tables", _ROOT / "tools" / "readme_tables.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    text = getattr(tool, table)()
    assert len(text.splitlines()) > 6 and text in (_ROOT / "README.md").read_text()
