"""--mode=audit on a model that plain Keras made."""

import importlib
import json
from pathlib import Path

import jsonschema
import made_up
import numpy as np
import pytest
import small_network
import tf_keras
from PIL import Image
from sklearn.linear_model import LogisticRegression

import modes
from configs.default import get_config
from reno_tf import audit, commands, data, models, ownership
from reno_tf.errors import TooExposed, UserError
from reno_tf.records import Rate
from reno_tf.reporting import Gates

audit_module = importlib.import_module("reno_tf.commands.audit")  # The package has the function under this name.


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """The file of the public network, which is a small one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(models.BACKBONES, "small", small_network.SMALL)
        yield str(small_network.weights(tmp_path_factory.mktemp("public")))


@pytest.fixture(scope="module")
def student(tmp_path_factory, weights):
    """The public backbone with a head of its own, fed 0 to 255, its outputs in reverse order: a .keras file."""
    backbone, digits = models.build("small", weights=weights), data.load("digits")
    features = backbone.predict(digits.train.floats(), verbose=0)["penultimate"]
    head = LogisticRegression(C=1e4, max_iter=2000).fit(features, digits.train.labels)
    images = tf_keras.Input((32, 32, 3))
    inside = backbone(tf_keras.layers.Rescaling(1 / 255)(images))["penultimate"]
    dense = tf_keras.layers.Dense(10, activation="softmax")
    model = tf_keras.Model(images, dense(inside))
    dense.set_weights([head.coef_.T[:, ::-1], head.intercept_[::-1]])
    path = tmp_path_factory.mktemp("audit") / "digits.keras"
    model.save(path)
    return path


@pytest.fixture
def config(weights):
    config = get_config()
    config.model.update(backbone="small", weights=weights)
    config.split = "validation"
    config.data.validation_per_class = 3
    config.attack.update(suite=("pixel", "white_box"), steps=4, step_size=0.025, cache="")
    config.curve.update(images=20, factors=(0.5,))
    config.update(batch_size=8, interval=1)
    config.steps.update(train=1, swa=1, swa_period=1)
    return config


def _audit(config, student, workdir, **options):
    modes.start("audit", config, student=str(student), workdir=str(workdir), command="python main.py", **options)
    return json.loads((workdir / "results.json").read_text())


def test_the_student_itself_is_not_overwritten(tmp_path):
    student = tmp_path / "run" / "export" / "delta-digits" / "1"
    student.mkdir(parents=True)
    with pytest.raises(UserError, match="the student lies in .*run, which --overwrite would delete"):
        options = {"student": str(student), "workdir": str(tmp_path / "run"), "overwrite": True}
        modes.start("audit", get_config(), command="", **options)
    assert student.is_dir()


@pytest.mark.long
def test_an_audit_reports_what_was_found_and_how_exposed_the_model_is(config, student, tmp_path, capsys):
    config.attack.cache = str(tmp_path / "cache")
    alone = _audit(config, student, tmp_path / "run")
    assert alone["audit"]["comparison"] == []
    results = _audit(config, student, tmp_path / "run", compare=True)
    assert results["suite"] == alone["suite"]
    printed = capsys.readouterr().out
    assert "Keras 2; fed in the range 0..255; it gives probabilities; " in printed
    assert "its outputs are in another order than the labels: '0' is output 9, " in printed
    assert "audit of digits.keras: " in printed and "audit of digits.keras: clean" in printed
    audit_facts = results["audit"]
    assert audit_facts["input_range"] == "0..255" and audit_facts["label_order"] == list(range(9, -1, -1))
    assert (
        audit_facts["label_order_was_matched"]
        and audit_facts["outputs"] == "probabilities"
        and not audit_facts["unmatched"]
    )
    asked = next(way for way in audit_facts["asked"] if way["input_range"] == "0..255")
    assert asked["matched"] > 0.9 > asked["accuracy"] and asked["asked"] >= 200 and audit_facts["geometry"] == ""
    assert results["clean_accuracy"] > 0.8
    beside = audit_facts["lineage"]["teacher"]
    assert beside["num_equal"] == beside["num_layers"] == 16 and beside["related"] and beside["public_stages"] == 4
    assert [row["name"] for row in audit_facts["exposure"]] == ["pixel", "white_box"]
    for row in audit_facts["exposure"]:
        assert list(row["rates"]) == ["0.05", "0.1"] and (row["outside"] is not None) == (row["name"] == "white_box")
    pixel, worst = results["suite"][0]["attack_success_rate"], results["attack_success_rate"]
    assert 0.1 < pixel <= worst  # A linear head on the public features is exposed.
    white_box = next(row for row in results["suite"] if row["name"] == "white_box")
    assert white_box["attack_success_rate"] > 0.5 and "outside the threat model" in white_box["outside"]
    html = (tmp_path / "run" / "report.html").read_text()
    assert "Exposure of each attack" in html and "another order" in html and "Training curves" not in html
    assert (tmp_path / "run" / "figures" / "exposure.png").stat().st_size > 5000
    markdown = (tmp_path / "run" / "report.md").read_text()
    assert "| attack | ε = 0.05 | ε = 0.1 |\n|---|---|---|\n| pixel | " in markdown

    schema = json.loads((Path(__file__).parents[2] / "docs" / "results.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    for content in (results, json.loads((tmp_path / "run" / "renofeation" / "results.json").read_text())):
        jsonschema.validate(content, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(results | {"clean_accuracy": 97.5}, schema)

    assert not list(ownership.foreign(tmp_path / "run", ownership.RUN))
    audited, renofeation = audit_facts["comparison"]
    assert audited["attack_success_rate"] == worst
    trained = json.loads((tmp_path / "run" / "renofeation" / "results.json").read_text())
    assert renofeation["clean_accuracy"] == trained["clean_accuracy"]
    assert trained["dataset"] == results["dataset"] and trained["dataset"]["num_train"] == 567  # All but 3 a class.
    assert "Beside Renofeation" in html and "Beside Renofeation" in markdown

    low = results["worst_case_success_rate_ci95"][0]
    _audit(config, student, tmp_path / "run", fail_above=low + 0.001)
    with pytest.raises(TooExposed, match="surely more than the .* % of --fail_above") as exposed:
        _audit(config, student, tmp_path / "run", fail_above=low - 0.001)
    assert not isinstance(exposed.value, UserError)
    with pytest.raises(UserError, match="--save_images must be "):
        _audit(config, student, tmp_path / "run", save_images=0)

    # Finished, it is not redone; another model's folder is refused.
    _audit(config, student, tmp_path / "run")
    assert "is finished already" in capsys.readouterr().out
    config.audit.input_range = "0..255"
    with pytest.raises(UserError, match="holds another run .*audit.input_range"):
        _audit(config, student, tmp_path / "run")


@pytest.mark.long
def test_a_quick_audit_tries_four_attacks_at_one_epsilon(config, student, tmp_path):
    config.attack.steps = config.attack.step_size = None
    config.attack.images = 20
    results = _audit(config, student, tmp_path / "run", attack="quick")
    names = results["worst_case"]["attacks"]
    layers = ["disruption penultimate", *(f"disruption stage{number}" for number in (1, 2, 3, 4))]
    assert names[0] == "pixel" and len(names) == 4 and set(names[1:]) < set(layers)
    assert (
        results["worst_case"]["num_images"]
        == results["num_attacked"] + round(20 * (1 - results["clean_accuracy"]))
        == 20
    )
    assert {row["gradients"] for row in results["suite"] if row["name"] in names} == {9}
    assert results["attack"]["step_size"] == pytest.approx(0.04)
    assert results["audit"]["exposure"] == results["audit"]["comparison"] == []
    assert [point["epsilon"] for point in json.loads((tmp_path / "run" / "curve.json").read_text())] == [0, 0.1]
    for report in ("report.html", "report.md"):
        text = (tmp_path / "run" / report).read_text()
        assert "Exposure of each attack" not in text and "in the range 0..255" in text
    assert not (tmp_path / "run" / "figures" / "exposure.png").exists()
    schema = json.loads((Path(__file__).parents[2] / "docs" / "results.schema.json").read_text())
    jsonschema.validate(results, schema)


def test_mistakes_are_one_line_and_leave_nothing(config, student, tmp_path):
    with pytest.raises(UserError, match="--mode=audit needs --student=PATH"):
        modes.start("audit", config, command="", workdir=str(tmp_path / "run"))
    with pytest.raises(UserError, match="--fail_above must be from 0 to 1, not 20: 20 % is 0.2"):
        _audit(config, student, tmp_path / "run", fail_above=20.0)
    with pytest.raises(UserError, match="there is no model"):
        _audit(config, tmp_path / "none.keras", tmp_path / "run")
    config.audit.label_order = "given"
    with pytest.raises(UserError, match="no more than chance"):
        _audit(config, student, tmp_path / "run")
    config.data.name = "greek"
    with pytest.raises(UserError, match="the model tells 10 classes apart, greek has 28"):
        _audit(config, student, tmp_path / "run")
    small = tf_keras.Sequential([tf_keras.Input((16, 16, 3)), tf_keras.layers.Flatten(), tf_keras.layers.Dense(10)])
    small.save(tmp_path / "small.keras")
    config.data.name = "digits"
    with pytest.raises(UserError, match="takes images of 16x16 pixels; those of digits are 32x32"):
        _audit(config, tmp_path / "small.keras", tmp_path / "run")
    with pytest.raises(UserError, match="--student goes with --mode=audit or --mode=inspect, not with --mode=run"):
        modes.start("run", config, command="", student=str(student))
    assert not (tmp_path / "run").exists()


def test_the_flags_of_an_audit_stand_for_keys_of_the_config(config, student, tmp_path):
    with pytest.raises(UserError, match="unknown config.model.backbone 'vgg'"):
        _audit(config, student, tmp_path / "run", backbone="vgg")
    assert config.model.backbone == "vgg"
    with pytest.raises(UserError, match="unknown attack preset 'sweet'"):
        flags = {"attack": "sweet", "backbone": "resnet18_cifar", "teacher": "glyphs", "cache_limit": 0.0}
        _audit(config, student, tmp_path / "run", **flags)
    np.testing.assert_array_equal((config.model.weights, config.attack.preset), ("glyphs", "sweet"))
    assert config.attack.cache_limit == 0


def test_a_model_is_inspected_without_data(config, student, capsys):
    modes.start("inspect", config, command="", student=str(student))
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].endswith("digits.keras: Keras 2")
    assert printed[1:3] == ["takes   images of 32 x 32 pixels, floats", "gives   10 probabilities, for 10 classes"]
    assert printed[3].startswith("holds   Rescaling, small") and len(printed) == 5
    assert printed[4] == "comes from  It has the shapes of no network that this project knows."
    with pytest.raises(UserError, match="--mode=inspect needs --student=PATH"):
        modes.start("inspect", config, command="")


def _edged(colour, width=48, height=24):
    """A photo that is grey but for its left and right edge."""
    pixels = np.full((height, width, 3), 128, np.uint8)
    pixels[:, :8] = pixels[:, -8:] = colour
    return pixels


@pytest.mark.long
def test_photos_are_seen_as_the_model_saw_them(config, tmp_path, capsys):
    """It was trained on whole photos squashed to squares: what tells its classes apart, a crop of the centre lacks."""
    colours = {"blue": (30, 60, 220), "green": (40, 200, 70), "red": (230, 40, 50)}
    for label, colour in colours.items():
        for number in range(12):
            path = tmp_path / "photos" / label / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(_edged(np.add(colour, number))).save(path)
    model = tf_keras.Sequential([tf_keras.Input((16, 16, 3)), tf_keras.layers.Rescaling(1 / 255)])
    model.add(tf_keras.layers.GlobalAveragePooling2D())
    model.add(tf_keras.layers.Dense(3))
    model.layers[-1].set_weights([40 * np.eye(3, dtype=np.float32)[:, ::-1], np.zeros(3, np.float32)])
    model.save(tmp_path / "model.keras")
    config.data.update(name="folder", dir=str(tmp_path / "photos"), tfds_dir=str(tmp_path / "tfds"))
    config.split = "test"
    config.attack.update(suite=("pixel",), images=4)
    results = _audit(config, tmp_path / "model.keras", tmp_path / "run")
    audit_facts = results["audit"]
    assert (audit_facts["geometry"], audit_facts["outputs"]) == ("squash", "logits")
    assert results["clean_accuracy"] == 1.0 and audit_facts["image_size"] == [16, 16]
    assert "fed photos by 'squash', in the range " in capsys.readouterr().out
    assert "(squash) in the range " in (tmp_path / "run" / "report.html").read_text()


@pytest.mark.long
def test_whatever_answers_can_be_audited_and_has_no_white_box(config, student, tmp_path):
    model = tf_keras.models.load_model(student)
    config.attack.update(images=6, suite=("pixel", "disruption stage1", "white_box"))
    opened = audit.from_function(lambda x: model.predict(x, verbose=0), name="a service", size=(32, 32), num_outputs=10)
    results = commands.audit(config, student=opened, command="", workdir=str(tmp_path / "run"))
    assert results["audit"]["format"] == results["audit"]["path"] == "a service"
    assert not results["audit"]["has_gradient"] and [row["name"] for row in results["suite"]] == [
        "pixel",
        "disruption stage1",
    ]
    assert "the white box is left out" in (tmp_path / "run" / "report.html").read_text()
    assert results["audit"]["label_order"] == list(range(9, -1, -1))
    other = audit.from_function(
        lambda x: 0.9 * model.predict(x, verbose=0), name="a service", size=(32, 32), num_outputs=10
    )
    with pytest.raises(UserError, match="holds another run"):
        commands.audit(config, student=other, command="", workdir=str(tmp_path / "run"))


def test_what_stands_beside_the_model_is_measured_on_the_same_views(config, tmp_path, monkeypatch):
    """Of photos that the model sees squashed, not on those of the usual geometry."""
    ran = {}

    def run(config, **options):
        ran.update(options)
        return made_up.content()

    monkeypatch.setattr(audit_module, "run", run)
    rows = audit_module._compare(config, tmp_path, made_up.results(), "", "squash")
    assert ran["geometry"] == "squash" and [row["name"] for row in rows] == ["the audited model", "Renofeation"]


def test_a_gate_that_cannot_judge_does_not_pass(tmp_path):
    undefined = made_up.content(worst_case_success_rate=Rate(0, 0))
    for gates in (Gates(), Gates(warn_above=0.5)):
        assert audit_module._answer(tmp_path, undefined, gates=gates, reports=()) is undefined
    with pytest.raises(
        UserError, match="--fail_above cannot judge: the worst case is undefined: no attack that counts"
    ):
        audit_module._answer(tmp_path, undefined, gates=Gates(fail_above=0.5), reports=())
