"""README.md shows what results/ holds."""

import importlib.util
import json
from pathlib import Path

import pytest

from reno_tf.reproduction.artefacts import ARTEFACTS
from reno_tf.reproduction.judging import judge

_ROOT = Path(__file__).parents[1]
_RESULTS = _ROOT / "results" / "reproduce-embedded"


@pytest.mark.parametrize("table", ["methods", "claims"])
def test_the_tables_are_up_to_date(table):
    spec = importlib.util.spec_from_file_location("readme_tables", _ROOT / "tools" / "readme_tables.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    text = getattr(tool, table)()
    assert len(text.splitlines()) > 6 and text in (_ROOT / "README.md").read_text()


def test_the_verdicts_follow_from_the_outcomes():
    outcomes = {name: json.loads((_RESULTS / f"{name}.json").read_text()) for name in ARTEFACTS}
    claims = json.loads((_RESULTS / "claims.json").read_text())
    assert len(claims) == 7
    for claim, judged in zip(claims, judge(outcomes), strict=True):
        assert claim["verdict"] == judged["verdict"] and claim["fails_on"] == judged["fails_on"]
        for part, ours in zip(claim["parts"], judged["parts"], strict=True):
            assert (part["verdict"], part["n_seeds"]) == (ours["verdict"], ours["n_seeds"])
            assert part["mean"] == pytest.approx(ours["mean"]) and part["interval"] == pytest.approx(ours["interval"])


@pytest.mark.parametrize(("table", "page"), [("methods", "README.md"), ("attacks", "docs/attacks.md")])
def test_what_the_attacks_did_is_up_to_date(table, page):
    spec = importlib.util.spec_from_file_location("attack_table", _ROOT / "tools" / "attack_table.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    text = getattr(tool, table)(json.loads((_ROOT / "results" / "attacks.json").read_text()))
    assert len(text.splitlines()) >= 10 and text in (_ROOT / page).read_text()
