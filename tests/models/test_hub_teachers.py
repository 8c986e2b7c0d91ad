"""KerasHub's backbones as teachers: their stages, what they compute, attacks through them, a student from one."""

import dataclasses
import json
import shutil
from pathlib import Path

import hubs
import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import long

import reno_tf
from reno_tf import attacks, data, models, training
from reno_tf.errors import UserError
from reno_tf.training import history

_SCALE, _OFFSET = [1 / 60, 1 / 70, 1 / 80], [-1.0, -2.0, -3.0]
# (height, width, channels) of each stage for images of 16 x 16, and the width of the penultimate features.
_TOKENS = {"vit": 17, "deit": 18}  # 16 patches, the class token, and DeiT's token of distillation
_SHAPES = {
    **{family: ([(tokens, 1, 8)] * 4, 16) for family, tokens in _TOKENS.items()},
    "resnet": ([(4, 4, 64), (2, 2, 16)], 16),
    "mobilenet": ([(4, 4, 8), (2, 2, 24)], 24),
    "efficientnet": ([(4, 4, 16), (2, 2, 1280)], 1280),
}


@pytest.fixture(scope="module", params=["vit", *long("deit"), "resnet", *long("mobilenet", "efficientnet")])
def saved(request, tmp_path_factory):
    """(family, the classifier, its preset)."""
    keras.utils.set_random_seed(0)
    options = {"num_layers": 4} if request.param in _TOKENS else {}
    classifier = hubs.classifier(request.param, scale=_SCALE, offset=_OFFSET, **options)
    folder = tmp_path_factory.mktemp(request.param)
    classifier.save_to_preset(str(folder))
    return request.param, classifier, str(folder)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).uniform(size=(3, hubs.SIDE, hubs.SIDE, 3)).astype(np.float32)


def _expected(classifier, family, images):
    """The penultimate features, by KerasHub alone."""
    features = np.asarray(classifier.backbone(255 * images * np.float32(_SCALE) + np.float32(_OFFSET)))
    if family not in _TOKENS:
        return features.mean((1, 2))
    patches = features[:, _TOKENS[family] - 16 :].mean(1)
    return np.concatenate([features[:, 0], patches], axis=1)


def test_gives_stages_and_kerashubs_own_features(saved, images):
    family, classifier, preset = saved
    teacher = models.build("kerashub", weights=preset)
    outputs = teacher(images)
    stages, width = _SHAPES[family]
    assert [tuple(outputs[stage].shape[1:]) for stage in models.stage_names(teacher)] == stages
    assert outputs["penultimate"].shape[1] == width
    expected = _expected(classifier, family, images)
    np.testing.assert_allclose(outputs["penultimate"], expected, rtol=1e-3, atol=1e-4)
    frozen = models.freeze(teacher)(tf.constant(images), ["penultimate"])["penultimate"]
    np.testing.assert_allclose(frozen, expected, rtol=1e-3, atol=1e-4)


def test_attacks_go_through_it(saved, images):
    _, _, preset = saved
    teacher = models.build("kerashub", weights=preset, image_size=hubs.SIDE)
    budget = attacks.Budget(epsilon=0.05, steps=3)
    (pixel,) = attacks.build("pixel", teacher, budget).values()
    before, *_, after = pixel.trace(images)
    assert after < before
    for name, stage in (("stages", "stage2"), ("disruption", "stage1")):
        attack = attacks.build(name, teacher, budget)[stage]
        assert 0 < np.abs(attack(images) - images).max() <= 0.05 + 1e-6


def test_a_stage_of_a_transformer_is_what_its_blocks_give(tmp_path, images):
    classifier = hubs.classifier("vit", scale=1 / 255, offset=None, num_layers=2)
    classifier.save_to_preset(str(tmp_path))
    embedding, encoder = classifier.backbone.layers[1:]
    tokens, outputs = embedding(images), models.build("kerashub", weights=str(tmp_path))(images)
    for number, block in enumerate(encoder.encoder_layers, 1):
        tokens = block(tokens)
        np.testing.assert_allclose(outputs[f"stage{number}"][:, :, 0], np.asarray(tokens), rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def vit(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vit")
    hubs.classifier("vit", num_layers=2).save_to_preset(str(folder))
    return str(folder)


def test_a_student_starts_from_it_and_trains(vit, images):
    teacher = models.build("kerashub", weights=vit)
    student = models.build("kerashub", preset=vit, num_classes=3, dropout=0.1, seed=1)
    assert np.abs(student(images)["penultimate"] - teacher(images)["penultimate"]).max() > 0.1
    model = reno_tf.Transfer(student, teacher, reno_tf.methods.Finetune())
    np.testing.assert_allclose(student(images)["penultimate"], teacher(images)["penultimate"], rtol=1e-5)
    model.compile(reno_tf.optimizers.SGD(0.05, 0.9))
    labels = np.array([0, 1, 2])
    history = model.fit(images, labels, batch_size=3, epochs=15, verbose=0).history["cross_entropy"]
    assert history[-1] < 0.7 * history[0]
    first, last = (model.student.get_layer(name).trainable_weights[0] for name in ("part1", "part2"))
    for weight in (first, last):
        original = {w.name: w for w in teacher.weights}[weight.name]
        assert np.abs(weight - original).max() > 0
    with pytest.raises(UserError, match="remos slices convolutions: kerashub has none"):
        reno_tf.Transfer(student, teacher, reno_tf.methods.Remos()).prepare(data.Split(np.uint8(images), labels))


def _learn(preset, workdir):
    """The student's weights after two steps, and two that average."""
    rng = np.random.default_rng(0)
    splits = [
        data.Split(rng.integers(0, 256, [size, 16, 16, 3], np.uint8), rng.integers(0, 3, size)) for size in (9, 0, 3)
    ]
    dataset = data.Dataset("toy", ["a", "b", "c"], *splits, augment=None)
    student = models.build("kerashub", preset=preset, num_classes=3, dropout=0.1)
    method = reno_tf.methods.Renofeation()
    model = reno_tf.Transfer(student, models.build("kerashub", weights=preset), method)
    schedule = dataclasses.replace(method.schedule, steps=2, swa=True, swa_steps=2, swa_period=1)
    training.train(model, method.phases(schedule), training.Course.on(dataset, workdir, batch_size=4, interval=1))
    return {name: weight.numpy() for name, weight in models.named_weights(model.student).items()}


@pytest.mark.long
def test_a_student_that_is_killed_goes_on_to_the_same_bits(vit, tmp_path, monkeypatch):
    whole, record = _learn(vit, tmp_path / "whole"), history.Record.on_epoch_end

    def record_and_die(callback, epoch, logs):
        record(callback, epoch, logs)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(history.Record, "on_epoch_end", record_and_die)
        with pytest.raises(KeyboardInterrupt):
            _learn(vit, tmp_path / "broken")
    resumed = _learn(vit, tmp_path / "broken")
    for name, value in whole.items():
        np.testing.assert_array_equal(resumed[name], value, err_msg=name)


def test_random_weights_are_a_function_of_the_seed(vit):
    first, again, other = (models.build("kerashub", preset=vit, seed=seed) for seed in (1, 1, 2))
    named = [models.named_weights(model) for model in (first, again, other)]
    for name, weight in named[0].items():
        np.testing.assert_array_equal(weight, named[1][name])
    kernels = [name for name in named[0] if name.endswith("mha/query/kernel")]
    assert kernels and all(np.abs(named[0][name] - named[2][name]).max() > 0 for name in kernels)
    assert max(np.abs(named[0][name]).max() for name in kernels) <= 8**-0.5
    assert all((weight.numpy() == 1).all() for name, weight in named[0].items() if name.endswith("gamma"))


def test_mistakes_are_named_in_one_line(vit, tmp_path):
    hubs.classifier("resnet").save_to_preset(str(tmp_path / "resnet"))
    hubs.vit().save_to_preset(str(tmp_path / "bare"))
    mistakes = {
        "takes images of 16 pixels, not of image_size=32": {"weights": vit, "image_size": 32},
        "are a preset, a folder that save_to_preset wrote": {"weights": str(tmp_path)},
        "needs a preset of KerasHub": {},
        "has BatchNorm or dropout, which kerashub has in inference mode alone": {
            "preset": str(tmp_path / "resnet"),
            "num_classes": 3,
        },
        "holds no image_converter.json": {"weights": str(tmp_path / "bare")},
    }
    for message, options in mistakes.items():
        with pytest.raises(UserError, match=message) as raised:
            models.build("kerashub", **options)
        assert len(str(raised.value).splitlines()) == 1


def _nested(folder):
    config = json.loads((folder / "config.json").read_text())
    config["config"]["num_layers"] = {"class_name": "Lambda", "module": "keras.layers", "config": {}}
    (folder / "config.json").write_text(json.dumps(config))


def _other_class(folder):
    names = {"module": "keras_hub.src.models.bert.bert_tokenizer", "class_name": "BertTokenizer"}
    (folder / "config.json").write_text(json.dumps({**names, "config": {"vocabulary": "/etc/hostname"}}))


def _no_backbone(folder):
    names = {"module": "keras_hub.src.models.vit.vit_layers", "class_name": "MLP"}
    (folder / "config.json").write_text(json.dumps({**names, "config": {"hidden_dim": 3, "mlp_dim": 3}}))


def _other_scale(folder):
    converter = json.loads((folder / "image_converter.json").read_text())
    converter["config"]["scale"] = 0.0
    (folder / "image_converter.json").write_text(json.dumps(converter))


_BROKEN = {
    "an object in a setting": (_nested, "config.json does not describe Backbone of KerasHub alone"),
    "a tokenizer": (_other_class, "BertTokenizer', which is not a layer, backbone"),
    "another layer": (_no_backbone, "config.json does not describe Backbone of KerasHub alone"),
    "a scale of 0": (_other_scale, "does not say how colours are scaled: scale 0.0, offset -1.0"),
    "no weights": (lambda folder: (folder / "model.weights.h5").unlink(), "holds no model.weights.h5"),
    "weights that are cut short": (
        lambda folder: (folder / "model.weights.h5").write_bytes(b"\x89HDF\r\n"),
        "gives no weights of tiny",
    ),
    "no JSON": (lambda folder: (folder / "config.json").write_text("{"), "does not describe an object of Keras"),
}


@pytest.mark.parametrize(("change", "message"), _BROKEN.values(), ids=_BROKEN)
def test_a_preset_that_is_broken_or_hostile_is_named_in_one_line(vit, tmp_path, change, message):
    folder = Path(shutil.copytree(vit, tmp_path / "preset"))
    change(folder)
    with pytest.raises(UserError, match=message) as raised:
        models.build("kerashub", weights=str(folder))
    assert len(str(raised.value).splitlines()) == 1


def test_its_identity_is_the_content_of_the_preset(vit):
    folder, digest = models.locate("kerashub", vit)
    assert str(folder) == vit and len(digest) == 64
