"""results.json, its schema and its metrics follow from the fields of `reno_tf.results`."""

import dataclasses
import json
import sys
from pathlib import Path

import jsonschema
import made_up
import pytest

from reno_tf import records
from reno_tf.records import Rate
from reno_tf.results import METRICS, Check, Evaluation, Few, Results, Skipped, WorstCase, numbers

_ROOT = Path(__file__).parents[1]


@pytest.fixture
def schema():
    return json.loads((_ROOT / "docs" / "results.schema.json").read_text())


def _full() -> Results:
    few = Few(("pixel",), 0.1)
    return made_up.results(
        suite=(made_up.attack_row("pixel", 10), made_up.attack_row("white_box", 90, counts=False)),
        skipped=(Skipped("bsr", "no gradient"),),
        checks=(Check("converged", "ok", "has_converged", {"steps": 40, "late": 0.01}),),
        core_worst_case_success_rate=Rate(1, 7),
        worst_case_of=WorstCase(("pixel", "joint"), 100, 90, few),
    )


def test_the_committed_schema_is_that_of_the_fields(schema, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(_ROOT / "tools"), *sys.path])
    import results_schema

    assert results_schema.schema() == schema
    jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("results", [made_up.results(), _full()], ids=["few", "full"])
def test_results_are_read_back_as_they_were(results, schema):
    content = json.loads(json.dumps(records.to_json(results)))
    assert records.from_json(Results, content) == results
    jsonschema.validate(content, schema)


@pytest.mark.parametrize(
    "change",
    [
        {"clean_accuracy": 97.5},
        {"seed": -1},
        {"split": "training"},
        {"checks": [{"name": "converged"}]},
        {"suite": None},
    ],
    ids=str,
)
def test_the_schema_refuses_what_no_run_writes(change, schema):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(made_up.content() | change, schema)


def test_a_rate_has_its_interval_and_its_counts():
    content = made_up.content(clean_accuracy=Rate(3, 4))
    assert (content["clean_accuracy"], content["clean_accuracy_counts"]) == (0.75, [3, 4])
    low, high = content["clean_accuracy_ci95"]
    assert 0 < low < 0.75 < high < 1
    nothing = made_up.content(attack_success_rate=Rate(0, 0))
    assert nothing["attack_success_rate"] is None and nothing["attack_success_rate_ci95"] is None


def test_a_new_metric_is_one_field():
    """It is in results.json, in its schema, among the metrics, and in what a sweep keeps."""

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class More(Evaluation):
        patch_success_rate: Rate = records.described("of a patch")

    evaluation = {field.name: getattr(made_up.results(), field.name) for field in dataclasses.fields(Evaluation)}
    content = records.to_json(More(**evaluation, patch_success_rate=Rate(1, 2)))
    assert content["patch_success_rate"] == 0.5
    jsonschema.validate(content, records.schema(More, "more"))
    assert numbers(made_up.content()).keys() == METRICS.keys() and METRICS["train_seconds"].unit == "s"


def test_a_part_of_an_evaluation_is_found_by_the_attacks_name():
    full = _full()
    assert full["white_box"] == Rate(90, 100) and full.worst_case is full.worst_case_success_rate
    assert made_up.results()["pixel"] == made_up.results().attack_success_rate  # Alone, it has no row.
    with pytest.raises(KeyError):
        full["guide"]
