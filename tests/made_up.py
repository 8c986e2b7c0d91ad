"""Results of runs that were never made."""

import dataclasses

from reno_tf import records
from reno_tf.records import Rate
from reno_tf.results import AttackRow, AuditFacts, DatasetFacts, Results, Seconds, TeacherFacts, WorstCase

_TENTH = Rate(10, 100)


def attack_row(name, hits, *, counts=True, gradients=40) -> AttackRow:
    outside = None if counts else "outside the threat model"
    attack = {"steps": gradients, "epsilon": 0.1, "unit": "pixel"}
    return AttackRow(name, counts, outside, gradients, attack, Rate(hits, 100))


def audit_facts(**changes) -> AuditFacts:
    """Of a model that was asked in one way."""
    facts = {"path": "model.keras", "sha256": "1" * 64, "format": "Keras 2", "geometry": "squash", "draws": 1}
    facts |= {"input_range": "0..1", "outputs": "logits", "has_gradient": True, "label_order": (0, 1)}
    facts |= {"label_order_was_matched": False, "image_size": (8, 8)}
    empty = dict.fromkeys(("asked", "tied", "unmatched", "exposure", "comparison"), ()) | {"lineage": None}
    return AuditFacts(**facts | empty | changes)


def dataset_facts(**changes) -> DatasetFacts:
    """Ten classes, ten images in each split."""
    numbers = {field.name: 10 if field.name.count("_") == 1 else 0 for field in dataclasses.fields(DatasetFacts)}
    facts = {"name": "digits", "note": "", "num_unreadable_validation": None, "leaked_test": ()}
    return DatasetFacts(**numbers | facts | changes)


def results(**changes) -> Results:
    """Of 100 images; every rate is a tenth but for the changes."""
    rates = ("clean_accuracy", "attack_success_rate", "noise_success_rate", "adversarial_accuracy")
    rates += ("worst_case_success_rate", "worst_case_noise_success_rate")
    rates += ("attack_success_rate_of_all", "worst_case_success_rate_of_all")
    distances = ("feature_distance", "relative_feature_distance", "weight_distance", "validation_accuracy")
    absent = ("core_worst_case_success_rate", "mean_worst_case_success_rate", "attack_success_rate_8bit")
    absent += ("stage_distances", "precision", "audit")
    empty = dict.fromkeys(("suite", "per_class", "skipped", "checks"), ())
    facts = {"method": "delta", "seed": 0, "split": "test", "num_attacked": 100}
    facts["dataset"] = dataset_facts()
    facts |= {"teacher": TeacherFacts("resnet18_cifar/glyphs", "0" * 64), "versions": {"tensorflow": "2.0"}}
    facts["attack"] = {"preset": "pixel", "name": "pixel", "epsilon": 0.1, "unit": "pixel", "source": "teacher"}
    facts["attack"]["outside"] = None
    facts |= {"worst_case_of": WorstCase(("pixel",), 100, 100, None), "seconds": Seconds(1.5, 1.0, 1.0)}
    known = dict.fromkeys(rates, _TENTH) | dict.fromkeys(distances, 0.1) | dict.fromkeys(absent) | empty | facts
    return dataclasses.replace(Results(**known), **changes)


def content(**changes) -> dict:
    """As results.json has them."""
    return records.to_json(results(**changes))
