"""report.sarif: what crosses a gate, for what shows alerts (SARIF 2.1.0, OASIS)."""

import urllib.parse
from pathlib import Path

from reno_tf import files
from reno_tf.reporting.gates import Case, Findings, Outcome
from reno_tf.version import __version__

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {Outcome.WARNED: "warning", Outcome.FAILED: "error", Outcome.UNDEFINED: "error"}


def write(workdir: Path, findings: Findings) -> None:
    """Each case is a rule with its numbers. Only what crosses a gate is a result: code scanning alerts to each one."""
    files.write_json(workdir / "report.sarif", {"$schema": _SCHEMA, "version": "2.1.0", "runs": [_run(findings)]})


def _run(findings):
    crossed = [(number, case) for number, case in enumerate(findings.cases) if case.outcome in _LEVELS]
    rules = [_rule(case) for case in findings.cases]
    return {
        "tool": {"driver": {"name": "reno-tf", "version": __version__, "rules": rules}},
        "artifacts": [{"location": _location(findings), "roles": ["analysisTarget"]}],
        "results": [_result(number, case, findings) for number, case in crossed],
        "properties": {
            "modelSha256": findings.model_sha256,
            "teacher": findings.teacher,
            "teacherSha256": findings.teacher_sha256,
            "dataset": findings.dataset,
            "cleanAccuracy": findings.clean_accuracy,
            "numImages": findings.num_images,
        },
    }


def _rule(case: Case):
    return {
        "id": _id(case),
        "shortDescription": {"text": f"Success of {case.name} through the public network"},
        "properties": _numbers(case),
    }


def _result(number, case: Case, findings: Findings):
    # Code scanning asks for a line, also of a file that has none, and keeps an alert open by this hash.
    place = {"artifactLocation": _location(findings) | {"index": 0}, "region": {"startLine": 1}}
    alert = files.digest(_id(case).encode(), findings.model.encode())
    digests = {"modelSha256/v1": findings.model_sha256, "teacherSha256/v1": findings.teacher_sha256}
    return {
        "ruleId": _id(case),
        "ruleIndex": number,
        "level": _LEVELS[case.outcome],
        "message": {"text": f"{findings.model}: {case.sentence} (epsilon = {case.epsilon:g})"},
        "locations": [{"physicalLocation": place}],
        "partialFingerprints": {"primaryLocationLineHash": f"{alert}:1", **digests},
        "properties": _numbers(case),
    }


def _id(case: Case):
    return case.name.removeprefix("the ").replace(" ", "-")


def _numbers(case: Case):
    return {"rate": case.rate, "interval95": case.interval, "epsilon": case.epsilon, "unit": case.unit}


def _location(findings: Findings):
    return {"uri": urllib.parse.quote(findings.model)}
