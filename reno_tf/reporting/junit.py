"""junit.xml: each attack as a test, in the form that build servers show."""

import xml.etree.ElementTree as ET
from pathlib import Path

from reno_tf import files
from reno_tf.reporting.gates import Case, Findings, Outcome


def write(workdir: Path, findings: Findings) -> None:
    """A case that crosses `fail_above` is a failure. A warning is in its output: JUnit has none."""
    suite = _suite(findings)
    counts = {key: suite.get(key) for key in ("tests", "failures", "errors")}
    root = ET.Element("testsuites", name="reno-tf", **counts)
    root.append(suite)
    ET.indent(root)
    files.write_bytes(workdir / "junit.xml", ET.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n")


def _suite(findings: Findings):
    outcomes = [case.outcome for case in findings.cases]
    counts = {"failures": Outcome.FAILED, "errors": Outcome.UNDEFINED}
    suite = ET.Element(
        "testsuite",
        name=f"audit of {findings.model}",
        tests=str(len(outcomes)),
        **{key: str(outcomes.count(outcome)) for key, outcome in counts.items()},
        time=f"{findings.seconds:.3f}",
    )
    properties = ET.SubElement(suite, "properties")
    for name, value in _properties(findings).items():
        ET.SubElement(properties, "property", name=name, value=value)
    suite.extend(_test(case, findings) for case in findings.cases)
    return suite


def _properties(findings: Findings):
    """All that is no test. The form has no properties of one test."""
    return {
        "model": findings.model,
        "model_sha256": findings.model_sha256,
        "teacher": findings.teacher,
        "teacher_sha256": findings.teacher_sha256,
        "dataset": findings.dataset,
        "clean_accuracy": f"{findings.clean_accuracy:.6g}",
        "num_images": str(findings.num_images),
    }


def _test(case: Case, findings: Findings):
    test = ET.Element("testcase", classname=findings.model, name=case.name)
    if case.outcome is Outcome.FAILED:
        ET.SubElement(test, "failure", type="fail_above", message=case.sentence)
    if case.outcome is Outcome.UNDEFINED:
        ET.SubElement(test, "error", type="undefined", message=case.sentence)
    output = ET.SubElement(test, "system-out")
    warning = f"warning: {case.sentence}\n" if case.outcome is Outcome.WARNED else ""
    output.text = warning + "\n".join(f"{key} = {value}" for key, value in _numbers(case).items())
    return test


def _numbers(case: Case):
    low, high = case.interval or (None, None)
    return {"rate": case.rate, "low95": low, "high95": high, "epsilon": case.epsilon, "unit": case.unit}
