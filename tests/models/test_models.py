"""Backbones, their weights and their initialisation."""

import json

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from small_network import tiny

from reno_tf import models
from reno_tf.errors import UserError
from reno_tf.models import weights


def test_outputs_and_shapes(images):
    outputs = tiny(num_classes=5)(images)
    shapes = {name: tuple(value.shape) for name, value in outputs.items()}
    assert shapes == {
        "stage1": (6, 16, 16, 2),
        "stage2": (6, 8, 8, 4),
        "stage3": (6, 4, 4, 8),
        "stage4": (6, 2, 2, 16),
        "penultimate": (6, 16),
        "logits": (6, 5),
    }


def test_embedded_backbone_is_resnet18_with_16_channels():
    model = models.build("resnet18_cifar")
    convolutions = [layer for layer in model.layers if isinstance(layer, tf_keras.layers.Conv2D)]
    assert len(convolutions) == 17 + 3  # 17 of 18 layers (the head is the last), 3 shortcuts
    assert model.output["penultimate"].shape[-1] == 128


def test_penultimate_is_the_mean_of_the_last_stage_and_the_head_is_linear(images):
    model = tiny(num_classes=5, seed=3)
    outputs = model(images)
    np.testing.assert_allclose(outputs["penultimate"], np.mean(outputs["stage4"], axis=(1, 2)), rtol=1e-5)
    kernel, bias = models.head_layer(model).get_weights()
    np.testing.assert_allclose(outputs["logits"], outputs["penultimate"] @ kernel + bias, rtol=1e-5, atol=1e-6)


def test_stages_follow_a_relu(images):
    outputs = tiny()(images)
    for stage in models.stage_names(tiny()):
        assert outputs[stage].numpy().min() == 0


def test_dropout_changes_no_weight_and_no_inference(images):
    plain, dropped = tiny(num_classes=5, seed=1), tiny(num_classes=5, seed=1, dropout=0.5)
    assert [w.name for w in plain.weights] == [w.name for w in dropped.weights]
    np.testing.assert_array_equal(plain(images)["logits"], dropped(images)["logits"])


@pytest.mark.parametrize("tap", ["before_dropout", "after_dropout"])
def test_tap_is_read_before_or_after_the_dropout(images, tap):
    model = tiny(num_classes=5, dropout=0.5, tap=tap)
    for layer in model.layers:
        if isinstance(layer, models.SpatialDropout2D):
            layer.key = lambda: tf.constant([0, 1])
    stage1 = model(images, training=True)["stage1"].numpy()
    whole_maps_dropped = (np.abs(stage1).max(axis=(1, 2)) == 0).any()
    assert whole_maps_dropped == (tap == "after_dropout")


def test_dropout_mask_is_a_function_of_seed_step_and_layer():
    ones = tf.ones([4, 3, 3, 64])

    def mask(key, name="stage1_dropout"):
        layer = models.SpatialDropout2D(0.25, name=name)
        layer.key = lambda: tf.constant(key)
        return layer(ones, training=True).numpy()

    first = mask([0, 1])
    np.testing.assert_array_equal(first, mask([0, 1]))
    for other in (mask([1, 1]), mask([0, 2]), mask([0, 1], "stage2_dropout")):
        assert (first != other).any()
    assert set(np.unique(first)) == {0.0, np.float32(1 / 0.75)}
    assert (first == first[:, :1, :1]).all()  # whole feature maps
    assert abs((first == 0).mean() - 0.25) < 0.12


def test_without_a_key_it_is_keras_dropout():
    layer = models.SpatialDropout2D(0.5)
    assert isinstance(layer, tf_keras.layers.SpatialDropout2D)
    dropped = layer(tf.ones([8, 2, 2, 16]), training=True).numpy()
    assert 0 < (dropped == 0).mean() < 1


def test_random_weights_have_torchs_distribution():
    model = models.build("resnet18_cifar", num_classes=1000, seed=5)
    named = models.named_weights(model)
    for name, fan_in in {"stage4_block2_2_conv/kernel": 9 * 128, "head/kernel": 128, "head/bias": 128}.items():
        values, bound = named[name].numpy() * np.sqrt(fan_in), 1.0
        assert np.abs(values).max() <= bound
        # Uniform on [-1, 1]: mean 0, variance 1/3, fourth moment 1/5.
        tolerance = 5 / np.sqrt(values.size)
        assert abs(values.mean()) < tolerance
        assert abs((values**2).mean() - 1 / 3) < tolerance and abs((values**4).mean() - 1 / 5) < tolerance
    assert (named["stem_bn/gamma"].numpy() == 1).all() and (named["stem_bn/beta"].numpy() == 0).all()
    assert (named["stem_bn/moving_mean"].numpy() == 0).all() and (named["stem_bn/moving_variance"].numpy() == 1).all()


def test_random_weights_are_a_function_of_seed_and_name():
    small = {"width": 2, "depths": (1, 1, 1, 1)}
    a, b, c = (
        models.named_weights(models.build("resnet18_cifar", **small, seed=seed, num_classes=classes))
        for seed, classes in ((1, None), (1, 7), (2, None))
    )
    for name in a:
        np.testing.assert_array_equal(a[name], b[name])
    assert (a["stem_conv/kernel"].numpy() != c["stem_conv/kernel"].numpy()).all()
    assert a["stage1_block1_1_conv/kernel"].shape == a["stage1_block1_2_conv/kernel"].shape
    assert (a["stage1_block1_1_conv/kernel"].numpy() != a["stage1_block1_2_conv/kernel"].numpy()).all()


_SHIPPED = ("resnet18_cifar", "resnet34_cifar", "mobilenet_v2_cifar")


@pytest.mark.parametrize("name", _SHIPPED)
def test_shipped_teacher_is_the_manifests(name):
    entry = weights.manifest()[name]["glyphs"]
    path, digest = models.locate(name, "glyphs")
    assert digest == entry["sha256"]
    assert path.stat().st_size <= 6_000_000
    assert entry["accuracy"] >= 0.95
    assert entry["command"].startswith("python main.py --mode=pretrain")


@pytest.mark.long
@pytest.mark.parametrize("name", _SHIPPED)
def test_shipped_teacher_has_the_manifests_accuracy(name):
    from reno_tf import data
    from reno_tf.evaluation import rates as evaluation

    glyphs = data.load("glyphs")
    teacher = models.build(name, num_classes=62)
    weights.load(teacher, models.locate(name, "glyphs")[0], head=True)
    accuracy = np.mean(evaluation.predict(teacher, glyphs.test.floats()) == glyphs.test.labels)
    assert accuracy == pytest.approx(weights.manifest()[name]["glyphs"]["accuracy"], abs=0.002)


def test_altered_and_missing_weights_are_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(weights, "PRETRAINED", tmp_path)
    entry = {"file": "x.safetensors", "sha256": "0" * 64}
    (tmp_path / "manifest.json").write_text(json.dumps({"resnet18_cifar": {"mine": entry}}))
    with pytest.raises(UserError, match="no weights file"):
        models.build("resnet18_cifar", weights="mine")
    (tmp_path / "x.safetensors").write_bytes(models.save(tiny()))
    with pytest.raises(UserError, match="was altered"):
        models.build("resnet18_cifar", weights="mine")
    with pytest.raises(UserError, match="unknown weights .*'other'; choose one of: .*mine"):
        models.build("resnet18_cifar", weights="other")
    with pytest.raises(UserError, match="unknown backbone 'vgg'; did you mean keras_vgg16"):
        models.build("vgg")


def test_saved_weights_come_back_and_misfits_are_named(tmp_path):
    path = tmp_path / "weights.safetensors"
    source = tiny(num_classes=5, seed=9)
    path.write_bytes(models.save(source))
    again = tiny(num_classes=5, seed=1)
    weights.load(again, path, head=True)
    for a, b in zip(source.weights, again.weights, strict=True):
        np.testing.assert_array_equal(a, b)
    other_head = tiny(num_classes=3, seed=1)
    head = models.head_layer(other_head).get_weights()[0]
    weights.load(other_head, path, head=False)
    np.testing.assert_array_equal(models.head_layer(other_head).get_weights()[0], head)
    with pytest.raises(UserError, match=r"head/bias is \(5,\), not \(3,\)|head/kernel is"):
        weights.load(other_head, path, head=True)
    with pytest.raises(UserError, match="stem_conv/kernel is|is .* not"):
        weights.load(tiny(width=4), path, head=False)
    path.write_bytes(b"no safetensors")
    with pytest.raises(UserError, match="not a safetensors file"):
        weights.load(again, path, head=True)


def test_a_misfit_changes_no_weight(tmp_path):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(models.save(models.build("resnet18_cifar", width=4)))
    model = tiny(seed=1)
    before = [w.numpy() for w in model.weights]
    with pytest.raises(UserError):
        weights.load(model, path, head=False)
    for value, weight in zip(before, model.weights, strict=True):
        np.testing.assert_array_equal(value, weight)


def test_copied_backbone_gives_the_same_features(images):
    teacher, student = tiny(seed=1), tiny(num_classes=5, seed=2)
    models.copy_backbone(teacher, student)
    np.testing.assert_array_equal(teacher(images)["penultimate"], student(images)["penultimate"])
