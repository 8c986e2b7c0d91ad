"""docs/benchmark.md is made of its records, and what is sent in to beat one is checked."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from conftest import load_tool

from reno_tf import data
from reno_tf.data.base import Split
from reno_tf.errors import UserError

_ROOT = Path(__file__).parents[1]
_RECORDS = sorted((_ROOT / "results" / "benchmark").glob("*/*.json"))
_RECORD = {"epsilon": 0.02, "data": "digits"}


@pytest.fixture(scope="module")
def checking():
    return load_tool("check_submission")


@pytest.fixture
def clean():
    levels = np.random.default_rng(0).integers(20, 230, (4, 8, 8, 3), dtype=np.uint8)
    return Split(levels, np.array([0, 1, 0, 1]))


def test_the_page_is_up_to_date():
    assert load_tool("benchmark").page() == (_ROOT / "docs" / "benchmark.md").read_text()


@pytest.mark.parametrize("path", _RECORDS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_record_says_what_its_sweep_kept(path):
    record = json.loads(path.read_text())
    scale = record["sweep"].partition(",")[2]
    lines = (_ROOT / "results" / f"reproduce-{scale}" / "runs.jsonl").read_text().splitlines()
    name = re.compile(rf"{re.escape(record['method'] + record['variant'])}-[^-]+-{record['data']}-(\d+)")
    kept = {}
    for run in map(json.loads, lines):
        if (match := name.fullmatch(run["run"])) and scale != "embedded" or match and "resnet18-" in run["run"]:
            kept[match[1]] = run
    for seed, numbers in record["seeds"].items():
        assert numbers == {key: kept[seed][key] for key in numbers}
    assert record["seeds"] and len(record["attacked_sha256"]) == len(record["public_weights_sha256"]) == 64


def test_the_attacked_images_are_those_of_the_record(checking):
    record = json.loads((_ROOT / "results" / "benchmark" / "digits" / "finetune.json").read_text())
    split = checking.images_of(record, "")
    assert len(split) == record["num_attacked"] and split.files is None
    np.testing.assert_array_equal(split.images, data.load("digits").test.first(len(split)).images)
    with pytest.raises(UserError, match="digits here are not those of the record"):
        checking.images_of(record | {"attacked_sha256": "0" * 64}, "")
    with pytest.raises(UserError, match="has no row mine, which the record is of"):
        checking.images_of(record | {"method": "mine"}, "")


def test_images_within_epsilon_pass(checking, clean):
    moved = clean.images + np.array([-5, 0, 5, 2], np.int64)[:, None, None, None]
    assert "all 4 images are within 0.02; the largest change is 0.0196" in checking.check(
        _RECORD, clean, moved.astype(np.uint8)
    )


@pytest.mark.parametrize(
    ("submitted", "told"),
    [
        (lambda images: images + np.uint8(6), "4 of 4 images are changed by more than 0.02: .*0.0235"),
        (lambda images: images[:3], r"must be uint8 \[4, 8, 8, 3\], not uint8 \[3, 8, 8, 3\]"),
        (lambda images: images / 255, "not float64"),
    ],
)
def test_what_breaks_a_rule_is_refused(checking, clean, submitted, told):
    with pytest.raises(UserError, match=told):
        checking.check(_RECORD, clean, submitted(clean.images))


def test_a_file_without_images_is_refused(checking, tmp_path):
    np.savez(tmp_path / "other.npz", pictures=np.zeros(3))
    np.save(tmp_path / "array.npy", np.zeros(3))
    (tmp_path / "empty.npz").touch()
    (tmp_path / "short.npz").write_bytes((tmp_path / "other.npz").read_bytes()[:60])
    for name in ("other.npz", "array.npy", "empty.npz", "short.npz"):
        with pytest.raises(UserError, match="with `images`"):
            checking.read(tmp_path / name)


def test_it_counts_what_the_student_gets_wrong(checking, clean, tmp_path):
    """Class 1 above a mean of 0.5: right on what is dark as class 0 and bright as class 1."""

    class Student(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32, name="images")])
        def floats(self, images):
            bright = tf.reduce_mean(images, axis=(1, 2, 3)) - 0.5
            return {"logits": tf.stack([-bright, bright], axis=1)}

    student = Student()
    tf.saved_model.save(student, tmp_path / "student", signatures={"floats": student.floats})
    levels = np.array([126, 129, 129, 126], np.uint8)[:, None, None, None] + np.zeros((4, 8, 8, 3), np.uint8)
    told = checking.outcome(str(tmp_path / "student"), Split(levels, clean.labels), levels + np.uint8(4))
    assert told == "2 of 4 (50.0 %) right when unchanged; of those 1 of 2 (50.0 %) wrong now"
