"""README.md shows what results/ holds."""

import importlib.util
import json
from pathlib import Path

import pytest

from reno_tf.reproduction.artefacts import ARTEFACTS
from reno_tf.reproduction.judging import judge

_ROOT = Path(__file__).parents[1]
_RESULTS = _ROOT / "results" / "reproduce-embedded"


_PAGES = {
    "methods": "README.md",
    "claims": "README.md",
    "worst": "README.md",
    "attacks": "docs/attacks.md",
    "datasets": "docs/defences.md",
}


@pytest.mark.parametrize(("table", "page"), _PAGES.items())
def test_the_tables_are_up_to_date(table, page):
    spec = importlib.util.spec_from_file_location("readme_tables", _ROOT / "tools" / "readme_tables.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    text = getattr(tool, table)()
    assert len(text.splitlines()) > 6 and text in (_ROOT / page).read_text()


def test_the_verdicts_follow_from_the_outcomes():
    files = {name: _RESULTS / f"{name}.json" for name in ARTEFACTS}
    outcomes = {name: json.loads(file.read_text()) for name, file in files.items() if file.is_file()}
    claims = json.loads((_RESULTS / "claims.json").read_text())
    assert len(claims) >= 7
    for claim, judged in zip(claims, judge(outcomes), strict=True):
        assert claim["verdict"] == judged["verdict"] and claim["fails_on"] == judged["fails_on"]
        for part, ours in zip(claim["parts"], judged["parts"], strict=True):
            assert (part["verdict"], part["n_seeds"]) == (ours["verdict"], ours["n_seeds"])
            assert part["mean"] == pytest.approx(ours["mean"]) and part["interval"] == pytest.approx(ours["interval"])
