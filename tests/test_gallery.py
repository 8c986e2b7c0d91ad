"""The gallery: what its config audits, and that its page shows the records."""

import json
import re
from pathlib import Path

import pytest
from conftest import load_tool

from configs import gallery
from reno_tf import settings
from reno_tf.models import BACKBONES

_ROOT = Path(__file__).parents[1]
_RECORDS = sorted((_ROOT / "results" / "gallery").glob("*.json"))


@pytest.fixture(scope="module")
def tool():
    return load_tool("gallery")


def test_the_page_is_up_to_date(tool):
    assert _RECORDS and tool.page() == (_ROOT / "docs" / "gallery.md").read_text()


@pytest.mark.parametrize("path", _RECORDS, ids=lambda path: path.stem)
def test_a_record_is_of_the_gallery_and_holds_rates(path):
    entry, content = gallery.ENTRIES[path.stem], json.loads(path.read_text())
    assert content["teacher"] == f"{entry.backbone}/imagenet"
    assert all(re.fullmatch("[0-9a-f]{64}", content[f"{of}_sha256"]) for of in ("model", "teacher", "images"))
    assert {"lower_accuracy_shown", "doubtful"} <= content.keys() and content["audits"]
    for audit in content["audits"]:
        rate, low, high = audit["worst_case_success_rate"]
        assert 0 <= low <= rate <= high <= 1 and rate >= audit["attacks"]["pixel"]


def test_a_record_keeps_what_others_have_said_and_the_other_epsilons(tool, tmp_path, monkeypatch):
    monkeypatch.setattr(tool, "_RECORDS", tmp_path)
    rates = dict.fromkeys(tool._RATES, 0.5) | {f"{key}_ci95": [0.4, 0.6] for key in tool._RATES}
    results = rates | {"attack": {"epsilon": 0.1}, "worst_case": {"num_images": 3}, "suite": [], "versions": {}}
    results["teacher"] = {"name": "a/b", "sha256": "1"}
    results["dataset"] = {"num_leaked_test": 0, "num_test": 3}
    results["audit"] = dict.fromkeys(
        ("sha256", "lineage", "image_size", "format", "geometry", "input_range", "outputs")
    )
    results["audit"]["tied"] = []
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".reno_tf").write_text(json.dumps({"inputs": {"the images": "2"}}))
    for epsilon in (0.1, 0.2, 0.1):
        results["attack"]["epsilon"] = epsilon
        (tmp_path / "run" / "results.json").write_text(json.dumps(results))
        tool.record("face-mask", tmp_path / "run")
        content = json.loads((tmp_path / "face-mask.json").read_text())
        (tmp_path / "face-mask.json").write_text(json.dumps(content | {"doubtful": "why"}))
    assert [audit["epsilon"] for audit in content["audits"]] == [0.1, 0.2] and content["doubtful"] == "why"


def test_the_config_audits_a_model_of_the_gallery():
    config = gallery.get_config("face-mask,8")
    assert config.audit.student == "gallery/face-mask.h5" and gallery.ENTRIES["face-mask"].backbone in BACKBONES
    attack = settings.read(config, preset="suite", copied=False).attack
    assert attack.epsilon == pytest.approx(8 / 255) and attack.step_size == pytest.approx(0.4 * 8 / 255)
    assert gallery.get_config("face-mask").attack.epsilon == pytest.approx(4 / 255)


@pytest.mark.parametrize(("which", "message"), [("cat", "one of: face-mask, nsfwjs"), ("face-mask,300", "1 to 255")])
def test_another_name_or_number_is_refused(which, message):
    with pytest.raises(ValueError, match=message):
        gallery.get_config(which)


def test_what_a_maker_states_is_not_left_to_be_found():
    config = gallery.get_config("nsfwjs")
    assert config.audit.label_order == "2,2" and config.audit.input_range == "0..1"
    assert config.audit.geometry == "squash" and gallery.get_config("face-mask").audit.geometry == "auto"


def test_the_first_table_has_a_column_for_each_epsilon(tool):
    audits = [{"epsilon": levels / 255, "worst_case_success_rate": [0.5, 0.4, 0.6]} for levels in (4, 8)]
    lineage = {"teacher": {"num_equal": 3, "num_layers": 4}}
    record = {"teacher": "a/b", "lineage": lineage, "audits": audits}
    assert tool._overview({"face-mask": record}).splitlines()[-1].endswith("| a/b | 3 of 4 |  | 50.0 | 50.0 |")
