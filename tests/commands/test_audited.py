"""Which model an audit is of, what it leaves out, and options that have no effect: before anything is attacked."""

import contextlib
import functools
import importlib
import json
import os
import xml.etree.ElementTree as ET

import formats
import made_up
import numpy as np
import pytest
import safetensors.numpy
import small_network
import tensorflow as tf
import tf_keras
from PIL import Image
from processes import run_main

import modes
from configs.default import get_config
from reno_tf import audit, data, files, models, ownership
from reno_tf.commands import audited
from reno_tf.errors import TooExposed, UserError
from reno_tf.records import Rate

run_module = importlib.import_module("reno_tf.commands.run")  # The package has the function under this name.


class _Claimed(Exception):
    """The audit has its folder."""


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(models.BACKBONES, "small", small_network.SMALL)
        yield small_network.weights(tmp_path_factory.mktemp("public"))


@pytest.fixture
def photos(tmp_path):
    """Photos of three colours."""
    for label, colour in enumerate(np.eye(3)):
        for number in range(12):
            path = tmp_path / "photos" / "bgr"[label] / f"{number:02d}.bmp"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((8, 8, 3), 200 * colour + number, np.uint8)).save(path)
    return tmp_path / "photos"


@pytest.fixture
def config(weights, photos, tmp_path):
    config = get_config()
    config.model.update(backbone="small", weights=str(weights))
    config.data.update(name="folder", dir=str(photos), tfds_dir=str(tmp_path / "tfds"))
    config.attack.update(suite=("pixel", "white_box"), steps=1, images=4, cache="")
    config.curve.update(images=2, factors=(0.5,))
    config.audit.update(input_range="0..1", geometry="squash")
    return config


def _audit(config, student, workdir, **options):
    return modes.start("audit", config, student=str(student), workdir=str(workdir), command="", **options)


@contextlib.contextmanager
def _stopped():
    """An audit ends where it has its folder."""

    def stop(workdir):
        raise _Claimed

    with pytest.MonkeyPatch.context() as patch, pytest.raises(_Claimed):
        patch.setattr(files, "lock", stop)
        yield


@pytest.fixture
def finished(config, tmp_path):
    """An audit of m.onnx, whose weights lie beside it, that is finished."""
    formats.to_onnx(tmp_path / "m.onnx", location="m.data")
    with _stopped():
        _audit(config, tmp_path / "m.onnx", tmp_path / "run")
    rows = (made_up.attack_row("pixel", 10), made_up.attack_row("white_box", 90, counts=False))
    results = made_up.content(audit=made_up.audit_facts(path=str(tmp_path / "m.onnx")), suite=rows)
    results |= {"per_class": [{"num_images": 5}]}
    results["worst_case"] |= {"num_images": 4}
    files.write_json(tmp_path / "run" / "results.json", results)
    return tmp_path / "run"


def test_other_weights_beside_an_onnx_are_another_model(config, finished, tmp_path, capsys):
    _audit(config, tmp_path / "m.onnx", finished, fail_above=0.5)
    assert "is finished already" in capsys.readouterr().out
    formats.to_onnx(tmp_path / "m.onnx", location="m.data", kernel=2 * formats.GAIN)
    with pytest.raises(UserError, match="holds another run .student is "):
        _audit(config, tmp_path / "m.onnx", finished, fail_above=0.5)
    assert "is finished already" not in capsys.readouterr().out


def test_another_content_of_the_teachers_file_is_another_run(config, finished, tmp_path):
    content = safetensors.numpy.load_file(config.model.weights)
    config.model.weights = str(tmp_path / "teacher.safetensors")
    safetensors.numpy.save_file(content, config.model.weights)
    with _stopped():
        _audit(config, tmp_path / "m.onnx", tmp_path / "other")
    safetensors.numpy.save_file({key: 2 * value for key, value in content.items()}, config.model.weights)
    with pytest.raises(UserError, match="holds another run .changed since then: the teacher's weights"):
        _audit(config, tmp_path / "m.onnx", tmp_path / "other")


def test_a_run_of_another_teachers_file_is_another_run(config, tmp_path):
    content = safetensors.numpy.load_file(config.model.weights)
    config.model.weights = str(tmp_path / "teacher.safetensors")
    safetensors.numpy.save_file(content, config.model.weights)
    options = {"workdir": str(tmp_path / "run"), "command": "", "method": "finetune"}
    config.data.update(size=8, shots=0)
    with _stopped():
        modes.start("run", config, **options)
    with _stopped():
        modes.start("run", config, **options)
    safetensors.numpy.save_file({key: 2 * value for key, value in content.items()}, config.model.weights)
    with pytest.raises(UserError, match="holds another run .changed since then: the teacher's weights"):
        modes.start("run", config, **options)


def test_other_pixels_in_a_photo_are_another_run_whatever_its_size_and_time(config, finished, photos, tmp_path):
    photo = photos / "b" / "03.bmp"
    before, content = photo.stat(), photo.read_bytes()
    while photo.stat().st_ctime_ns == before.st_ctime_ns:  # A file system's clock is coarse.
        photo.write_bytes(content[:-3] + bytes(3))
        os.utime(photo, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(UserError, match="holds another run .changed since then: the images"):
        _audit(config, tmp_path / "m.onnx", finished)


def test_more_images_that_are_to_be_kept_are_kept(config, finished, tmp_path, capsys):
    with _stopped():
        _audit(config, tmp_path / "m.onnx", finished, save_images=3)
    for name in ("pixel", "white_box"):
        with _stopped():  # Also where those of one attack alone are there.
            _audit(config, tmp_path / "m.onnx", finished, save_images=3)
        for number in range(3):
            files.write_bytes(finished / "images" / name / f"{number:05d}.png", b"")
    _audit(config, tmp_path / "m.onnx", finished, save_images=3)
    assert "is finished already" in capsys.readouterr().out
    with _stopped():
        _audit(config, tmp_path / "m.onnx", finished, save_images=5)


def test_a_finished_audit_opens_nothing(config, finished, photos, tmp_path, capsys, monkeypatch):
    for module, name in ((audit, "open_model"), (data, "load"), (models, "build")):
        monkeypatch.setattr(module, name, lambda *_, **__: pytest.fail("opened"))
    _audit(config, tmp_path / "m.onnx", finished)
    assert "is finished already" in capsys.readouterr().out
    with pytest.raises(
        TooExposed, match=r"the worst case turns wrong 10.0 % .*, surely more than the 5 % of --fail_ab"
    ):
        _audit(config, tmp_path / "m.onnx", finished, warn_above=0.01, fail_above=0.05, report=["sarif", "junit"])
    (run,) = files.read_json(finished / "report.sarif")["runs"]
    assert [(result["ruleId"], result["level"]) for result in run["results"]] == [
        ("worst-case", "error"),
        ("pixel", "error"),
    ]
    (suite,) = ET.parse(finished / "junit.xml").getroot()
    assert [test.get("name") for test in suite.iter("testcase")] == ["the worst case", "pixel"]
    assert (suite.get("tests"), suite.get("failures")) == ("2", "2")
    _audit(config, tmp_path / "m.onnx", finished, report=["junit"])  # Without the gates it answers anew.
    assert ET.parse(finished / "junit.xml").getroot().get("failures") == "0"
    assert not list(ownership.foreign(finished, ownership.RUN))
    config.data.shots = 5
    for said in ([], ["data.shots"]):  # What would have no effect is still refused.
        with pytest.raises(pytest.fail.Exception, match="opened"):
            _audit(config, tmp_path / "m.onnx", finished, said=said)


def test_a_gate_that_warns_prints_a_line_and_fails_nothing(config, finished, tmp_path, caplog):
    _audit(config, tmp_path / "m.onnx", finished, warn_above=0.05, fail_above=0.15)
    (line,) = [record.getMessage() for record in caplog.records]
    low, high = (100 * bound for bound in Rate(10, 100).interval)
    assert line == (
        f"the worst case turns wrong 10.0 % [{low:.1f}, {high:.1f}] of the images that the model gets right, "
        "surely more than the 5 % of --warn_above"
    )
    caplog.clear()
    _audit(config, tmp_path / "m.onnx", finished, warn_above=0.15, fail_above=0.15)
    assert not caplog.records


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"warn_above": 1.5}, "--warn_above must be from 0 to 1, not 1.5: 1.5 % is 0.015"),
        ({"warn_above": float("nan")}, "--warn_above must be from 0 to 1, not nan"),
        ({"fail_above": -0.1}, "--fail_above must be from 0 to 1, not -0.1"),
        (
            {"warn_above": 0.3, "fail_above": 0.2},
            "--warn_above must be at most --fail_above, which is 0.2, not 0.3",
        ),
        ({"report": []}, "--report names nothing; choose of: junit, sarif"),
        ({"report": ["sarif", "junti"]}, "unknown report 'junti'; did you mean junit. choose one of: junit, sarif"),
    ],
)
def test_a_gate_or_a_report_that_cannot_be_is_refused_before_anything_is_written(config, tmp_path, options, message):
    with pytest.raises(UserError, match=f"^{message}$"):
        _audit(config, formats.to_onnx(tmp_path / "m.onnx"), tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_an_audit_that_needs_to_know_how_the_model_was_made_is_refused_before_anything_is_written(config, tmp_path):
    path = formats.to_onnx(tmp_path / "m.onnx")
    for first in ("sibling", "twin"):
        config.attack.suite = (first, "pixel")
        with pytest.raises(UserError, match=f"the first attack, {first}, cannot be made: it is not known how the"):
            _audit(config, path, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_advice_after_out_of_memory_can_be_followed(config, tmp_path, monkeypatch):
    """The student that is trained by then is kept: another batch of the attack is the same run."""

    def fail(*_, **__):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating")

    config.data.update(size=8, shots=0)
    options = {"workdir": str(tmp_path / "run"), "command": "", "method": "finetune"}
    with monkeypatch.context() as patch:
        patch.setattr(run_module, "evaluate", fail)
        patch.setattr(run_module._Run, "train", lambda job, model, watched: model.student)
        with pytest.raises(UserError, match="out of memory with config.attack.batch_size=100; try --config.attack.b"):
            modes.start("run", config, **options)
    config.attack.batch_size = 50
    with _stopped():
        modes.start("run", config, **options)
    config.batch_size = 16
    with pytest.raises(UserError, match="holds another run .training.batch_size is 32, not 16"):
        modes.start("run", config, **options)


@pytest.mark.parametrize("changes", [{"steps.passes": 5e4}, {"recipes.teacher.passes": 5e4}, {"watch.images": 2}])
def test_a_finished_run_is_not_another_one_of_other_settings(config, tmp_path, capsys, changes):
    """Also where a setting decides nothing until the images are counted."""
    config.data.update(size=8, shots=0)
    options = {"workdir": str(tmp_path / "run"), "command": "", "method": "finetune"}
    with _stopped():
        modes.start("run", config, **options)
    files.write_json(tmp_path / "run" / "results.json", {"method": "finetune"})
    for key, value in changes.items():
        *sections, leaf = key.split(".")
        functools.reduce(lambda owner, section: owner[section], sections, config)[leaf] = value
    if "watch.images" in changes:  # It changes no number.
        modes.start("run", config, **options)
        assert "is finished already" in capsys.readouterr().out
    else:
        with pytest.raises(UserError, match="holds another run .schedule.steps is "):
            modes.start("run", config, **options)


def test_a_finished_run_opens_nothing(config, tmp_path, capsys, monkeypatch):
    config.data.update(size=8, shots=0)
    options = {"workdir": str(tmp_path / "run"), "command": "", "method": "finetune"}
    with _stopped():
        modes.start("run", config, **options)
    files.write_json(tmp_path / "run" / "results.json", {"method": "finetune"})
    with monkeypatch.context() as patch:
        for module, name in ((data, "load"), (models, "build")):
            patch.setattr(module, name, lambda *_, **__: pytest.fail("opened"))
        modes.start("run", config, **options)
        assert "is finished already" in capsys.readouterr().out
        config.seed = 1
        with pytest.raises(pytest.fail.Exception, match="opened"):
            modes.start("run", config, **options)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("size", 64, "config.data.size=64 would have no effect: the model takes, or the data set has, images of 8x8"),
        ("shots", 4, "config.data.shots=4 would have no effect: an audit has all training images"),
        ("fraction", 0.5, "config.data.fraction=0.5 would have no effect"),
    ],
)
def test_a_key_that_was_said_and_has_no_effect_is_refused(config, tmp_path, key, value, message):
    path = formats.to_onnx(tmp_path / "m.onnx")
    config.data[key] = value
    with pytest.raises(UserError, match=message):
        _audit(config, path, tmp_path / "run", said=[f"data.{key}"])
    assert not (tmp_path / "run").exists()
    with _stopped():  # As a file of settings for many models has it.
        _audit(config, path, tmp_path / "run")


@pytest.mark.long
def test_the_command_line_knows_what_was_said(photos, tmp_path):
    path = formats.to_onnx(tmp_path / "m.onnx")
    flags = ["--mode=audit", f"--student={path}", "--config.data.name=folder", f"--config.data.dir={photos}"]
    flags += [f"--config.data.tfds_dir={tmp_path / 'tfds'}", "--config.data.size=64", f"--workdir={tmp_path / 'run'}"]
    status, _, err = run_main(*flags)
    assert status == 2 and err.splitlines()[-1].startswith("main.py: config.data.size=64 would have no effect: ")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("form", formats.FORMS)
def test_a_network_of_another_size_than_the_models_is_refused(config, tmp_path, form):
    config.model.image_size = 16
    with pytest.raises(UserError, match="config.model.image_size=16, but the images of folder are 8x8"):
        _audit(config, formats.save(tmp_path, form), tmp_path / "run")


def test_what_a_model_is_opened_with_is_not_for_one_that_is_open():
    opened = audit.from_function(lambda x: x.mean((1, 2)), name="mine", size=(8, 8), num_outputs=3)
    with pytest.raises(UserError, match="config.audit.scores goes with the path of a model"):
        audited.open_model(opened, trust=False, scores="y")
    with pytest.raises(UserError, match="--trust goes with the path of a model"):
        audited.open_model(opened, trust=True, scores=None)


def test_functions_are_told_apart_by_their_answers_to_the_images():
    """In the range that they want: answers to what is far outside of it may be the same."""
    split = data.Split(np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), np.uint8), np.zeros(5, int))
    order = np.arange(3)

    def digest(factor):
        def answer(images):
            scores = np.exp(factor * np.minimum(images, 1).mean((1, 2)))
            return scores / scores.sum(1, keepdims=True)

        opened = audit.from_function(answer, name="mine", size=(8, 8), num_outputs=3)
        convention = audit.Convention("", "0..1", "probabilities", order, False, (), 1, ())
        return audited.digest_of_answers(opened, audit.Student(opened, convention), split)

    assert digest(1) == digest(1) != digest(2)


@pytest.fixture
def contrast(tmp_path):
    """A SavedModel that changes its images' contrast, which has no gradient, as Keras 2 exports it."""
    layers = tf_keras.layers
    model = tf_keras.Sequential([tf_keras.Input((8, 8, 3)), layers.RandomContrast(0.1)])
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(3, use_bias=False))
    model.layers[-1].set_weights([formats.GAIN[[2, 1, 0]]])
    model.export(str(tmp_path / "contrast"))
    return tmp_path / "contrast"


@pytest.mark.long
def test_without_a_gradient_the_white_box_is_left_out_with_a_line(config, contrast, tmp_path, capsys):
    _audit(config, contrast, tmp_path / "run")
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    (skipped,) = results["skipped"]
    assert skipped["name"] == "white_box" and "AdjustContrastv2" in skipped["why"]
    assert not results["audit"]["has_gradient"] and results["worst_case"]["attacks"] == ["pixel"]
    assert "white_box is left out: the model gives no gradient: " in capsys.readouterr().out
    for report in ("report.md", "report.html"):
        assert "AdjustContrastv2" in (tmp_path / "run" / report).read_text()
    assert [row["name"] for row in results["audit"]["exposure"]] == ["pixel"]


@pytest.mark.parametrize("suite", [None, ("white_box", "pixel")])
@pytest.mark.parametrize("asked", [False, True])
def test_a_headline_without_a_gradient_is_refused_before_anything_is_written(config, contrast, tmp_path, suite, asked):
    path = formats.save(tmp_path, "onnx") if asked else contrast
    config.attack.update({"suite": suite} if suite else {"preset": "white_box"})
    with pytest.raises(UserError, match="the first attack, white_box, cannot be made: the model ") as caught:
        _audit(config, path, tmp_path / "run")
    assert "\n" not in str(caught.value) and not (tmp_path / "run").exists()


def _of_colours(path, kernel):
    """A model that reads the mean colour: one output for each column of the kernel [3, outputs]."""
    pool, dense = tf_keras.layers.GlobalAveragePooling2D(), tf_keras.layers.Dense(len(kernel[0]), use_bias=False)
    model = tf_keras.Sequential([tf_keras.Input((8, 8, 3)), pool, dense])
    dense.set_weights([np.float32(kernel)])
    model.save(path)
    return path


def test_several_labels_may_be_one_output(config, tmp_path):
    student = _of_colours(tmp_path / "reddish.keras", [[1, 0], [1, 0], [0, 1]])
    config.audit.label_order = "0,0,1"
    _audit(config, student, tmp_path / "run")
    results = files.read_json(tmp_path / "run" / "results.json")
    assert results["clean_accuracy"] == 1 and [row["class"] for row in results["per_class"]] == ["b, g", "r"]
    assert results["dataset"]["num_classes"] == 2
    assert results["dataset"]["note"] == "its classes are the model's outputs, as config.audit.label_order says"
    config.audit.label_order = "auto"
    with pytest.raises(UserError, match="tells 2 classes apart, folder has 3; say the output of each by --config.aud"):
        _audit(config, student, tmp_path / "run")
    for order in ("0,1", "0,0,2", "0,0,one"):
        config.audit.label_order = order
        with pytest.raises(UserError, match=f"'{order}' must be auto, given, or .* each of the 3 labels, 0 to 1"):
            _audit(config, student, tmp_path / "run")


def test_images_of_one_label_are_attacked_and_teach_nobody(config, tmp_path, capsys):
    student = _of_colours(tmp_path / "any.keras", [[0, 0, 1, 0.5], [0, 0, 1, 0.5], [0, 0, 1, 0.5]])
    config.audit.label_order = "2,2,2"
    config.attack.suite = ("pixel", "surrogate", "white_box")
    _audit(config, student, tmp_path / "run")
    results = files.read_json(tmp_path / "run" / "results.json")
    assert "a student of the attacker's own are left out: all images have one label" in capsys.readouterr().out
    assert [row["class"] for row in results["per_class"]] == ["b, g, r"] and results["clean_accuracy"] == 1
    assert {"pixel", "white_box"} == {row["name"] for row in results["suite"] if row["attack"]}
    with pytest.raises(UserError, match="--compare trains on the images, and all of these have one label"):
        _audit(config, student, tmp_path / "other", compare=True)
    config.audit.geometry = "auto"
    with pytest.raises(UserError, match="one label do not tell how the model wants them: set --config.audit.input_r"):
        _audit(config, student, tmp_path / "other")
    config.audit.update(geometry="squash", label_order="3,3,3")
    with pytest.raises(UserError, match="0 of 24 clean images right, no more than chance"):
        _audit(config, student, tmp_path / "other")
