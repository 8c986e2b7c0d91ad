"""Networks of Keras Applications against Keras's own, with Keras's own preprocessing."""

import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import tf_keras
from conftest import long

from reno_tf import models
from reno_tf.errors import UserError
from reno_tf.models import keras_applications, weights

# One of each family that is quick to build, and the layers that end its stages.
_TAPS = {
    "ResNet50": ("conv2_block3_out", "conv3_block4_out", "conv4_block6_out", "conv5_block3_out"),
    "ResNet50V2": ("conv2_block2_out", "conv3_block3_out", "conv4_block5_out", "post_relu"),
    "MobileNetV2": ("block_2_add", "block_5_add", "block_9_add", "block_15_add", "out_relu"),
    "DenseNet121": ("pool2_relu", "pool3_relu", "pool4_relu", "relu"),
    "EfficientNetB0": (
        *("block3a_expand_activation", "block4a_expand_activation"),
        *("block6a_expand_activation", "top_activation"),
    ),
    "VGG16": ("block3_conv3", "block4_conv3", "block5_conv3"),
    "ConvNeXtTiny": None,
    "MobileNetV3Small": None,
}


def _taps(model):
    return tuple(model.output[stage]._keras_history.layer.name for stage in models.stage_names(model))


_QUICK = ("MobileNetV2", "VGG16")


@pytest.mark.parametrize("application", [*_QUICK, *long(*(name for name in _TAPS if name not in _QUICK))])
def test_gives_keras_features_and_takes_dropout(application):
    taps = check_against_keras(application)
    assert taps == (_TAPS[application] or taps)


def check_against_keras(application, *, image_size=None):
    """Builds `application` with dropout beside Keras's own, with the same weights; returns the tapped layers."""
    ours = models.build(f"keras_{application.lower()}", dropout=0.1, seed=1, image_size=image_size)
    assert len(_taps(ours)) >= 3
    sizes = [height for height, *_ in models.stage_shapes(ours)]
    assert sizes == sorted(sizes, reverse=True)

    build = getattr(tf_keras.applications, application)
    tf_keras.backend.reset_uids()
    keras = build(include_top=False, weights=None, input_shape=(image_size, image_size, 3))
    named = {weight.name.removesuffix(":0"): weight for weight in keras.weights}
    assert named.keys() == models.named_weights(ours).keys()  # The dropout adds and renames none.
    for key, weight in models.named_weights(ours).items():
        named[key].assign(weight)
    images = np.random.default_rng(0).uniform(size=(2, 96, 96, 3)).astype(np.float32)
    preprocess = sys.modules[build.__module__].preprocess_input
    expected = keras(preprocess(255 * images), training=False).numpy().mean((1, 2))
    found = ours(images, training=False)["penultimate"].numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())
    return _taps(ours)


@pytest.mark.long
def test_where_paths_cross_nowhere_the_last_activation_is_tapped():
    nasnet = models.build("keras_nasnetmobile", image_size=96)
    assert _taps(nasnet) == ("adjust_relu_1_0", "adjust_relu_1_5", "adjust_relu_1_9", "activation_187")


def test_every_classifier_is_there():
    assert len(keras_applications.KERAS_APPLICATIONS) >= 70
    assert {"keras_resnet152v2", "keras_efficientnetv2s", "keras_inceptionv3"} <= models.BACKBONES.keys()


@pytest.mark.long
def test_momentum_taps_and_normalization():
    model = models.build("keras_resnet50", taps=("conv2_block1_out", "conv5_block3_out"), momentum=0.8)
    assert models.stage_names(model) == ["stage1", "stage2"]
    norms = [layer for layer in model.layers if isinstance(layer, tf_keras.layers.BatchNormalization)]
    assert {layer.momentum for layer in norms} == {0.8}
    mean, std = models.normalization(model)  # Of red, green, blue, though Caffe's order is the reverse.
    np.testing.assert_allclose(mean, np.array([123.68, 116.779, 103.939]) / 255, rtol=1e-5)
    np.testing.assert_allclose(std, [1 / 255] * 3, rtol=1e-5)
    momenta = {getattr(layer, "momentum", 0.9) for layer in models.build("keras_mobilenetv2").layers}
    assert momenta == {0.9}


@pytest.mark.long
def test_a_teacher_and_a_student_pair_up_by_name():
    images = np.random.default_rng(0).uniform(size=(1, 64, 64, 3)).astype(np.float32)
    teacher = models.build("keras_mobilenetv3small", seed=1)  # Its layers have no names of their own.
    student = models.build("keras_mobilenetv3small", num_classes=3, dropout=0.1, seed=2)
    models.copy_backbone(teacher, student)
    np.testing.assert_array_equal(teacher(images)["penultimate"], student(images)["penultimate"])


@pytest.mark.long
def test_mistakes_are_named():
    with pytest.raises(UserError, match="VGG16 has no layer block9 to tap"):
        models.build("keras_vgg16", taps=["block9"])
    with pytest.raises(UserError, match="give its builder image_size"):
        models.build("keras_nasnetmobile")


@pytest.mark.long
def test_weights_that_are_scalars_are_written_and_read():
    check_weights_file("keras_efficientnetb0")


def check_weights_file(backbone, **options):
    """A file of the network's weights gives them to another."""
    model, other = (models.build(backbone, num_classes=2, seed=seed, **options) for seed in (1, 2))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.safetensors"
        path.write_bytes(models.save(model))
        weights.load(other, path, head=True)
    found = weights.values(other)
    for name, value in weights.values(model).items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
