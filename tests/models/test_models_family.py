"""A family in TensorFlow's form, of this file alone: SAME padding, epsilon 1e-3 and published names of its own."""

import functools

import numpy as np
import pytest
import safetensors.numpy
import tensorflow as tf
from tf_keras import layers

import modes
from benchmarks.peers.states import random_state
from configs.default import get_config
from reno_tf import models
from reno_tf.models import torch_import, weights
from reno_tf.models.backbone import Backbone
from reno_tf.models.layers import IMAGENET, conv_norm, conv_norm_names, normalize

_BLOCKS = ((1, 8, 1), (3, 12, 2))  # Expansion, channels and stride.
_conv_norm = functools.partial(conv_norm, padding="same", epsilon=1e-3)


def lite(images, stages):
    x = layers.ReLU(6.0)(_conv_norm(normalize(images, **IMAGENET), 8, 3, 2, "stem"))
    for number, (expansion, channels, stride) in enumerate(_BLOCKS):
        name = f"block{number}"
        if expansion > 1:
            x = layers.ReLU(6.0)(_conv_norm(x, expansion * x.shape[-1], 1, 1, f"{name}_expand"))
        x = layers.ReLU(6.0)(_conv_norm(x, None, 5, stride, f"{name}_depthwise"))
        x = stages(_conv_norm(x, channels, 1, 1, f"{name}_project"))
    return stages(layers.ReLU(6.0)(_conv_norm(x, 16, 1, 1, "last")))


def published_names():
    names = conv_norm_names("stem", "_conv_stem", "_bn0")
    for number, _ in enumerate(_BLOCKS):
        for place, part in enumerate(("expand", "depthwise", "project")):
            module = f"_blocks.{number}"
            names |= conv_norm_names(f"block{number}_{part}", f"{module}._{part}_conv", f"{module}._bn{place}")
    return names | conv_norm_names("last", "_conv_head", "_bn1") | {"head": "_fc"}


@pytest.fixture
def family(monkeypatch, tmp_path):
    monkeypatch.setitem(models.BACKBONES, "lite", Backbone(lite, (published_names(),)))
    monkeypatch.setattr(weights, "PRETRAINED", tmp_path / "pretrained")


def _expected(state, images):
    """The penultimate features by TensorFlow's own operations, from the state dict alone."""
    x = tf.constant((images - IMAGENET["mean"]) / IMAGENET["std"], tf.float32)

    def conv(x, conv, bn, stride=1):
        kernel = state[f"{conv}.weight"]
        if "depthwise" in conv:
            x = tf.nn.depthwise_conv2d(x, kernel.transpose(2, 3, 0, 1), [1, stride, stride, 1], "SAME")
        else:
            x = tf.nn.conv2d(x, kernel.transpose(2, 3, 1, 0), stride, "SAME")
        mean, variance, beta, gamma = (
            state[f"{bn}.{key}"] for key in ("running_mean", "running_var", "bias", "weight")
        )
        return (x - mean) / np.sqrt(variance + 1e-3) * gamma + beta

    x = tf.nn.relu6(conv(x, "_conv_stem", "_bn0", 2))
    x = tf.nn.relu6(conv(x, "_blocks.0._depthwise_conv", "_blocks.0._bn1"))
    x = conv(x, "_blocks.0._project_conv", "_blocks.0._bn2")
    x = tf.nn.relu6(conv(x, "_blocks.1._expand_conv", "_blocks.1._bn0"))
    x = tf.nn.relu6(conv(x, "_blocks.1._depthwise_conv", "_blocks.1._bn1", 2))
    x = conv(x, "_blocks.1._project_conv", "_blocks.1._bn2")
    return np.mean(tf.nn.relu6(conv(x, "_conv_head", "_bn1")), (1, 2))


@pytest.mark.parametrize("side", [32, 33])
def test_an_imported_state_dict_gives_the_published_networks_features(family, tmp_path, side):
    assert "lite" in torch_import.importable()
    state = random_state(torch_import.state_shapes(models.build("lite", num_classes=3)))
    assert {"_blocks.1._bn0.running_var", "_fc.bias"} <= state.keys() and len(state) == 7 * 5 + 2
    (tmp_path / "mine.safetensors").write_bytes(safetensors.numpy.save(state))
    config = get_config()
    config.model.backbone = "lite"
    modes.start("import_weights", config, command="", file=str(tmp_path / "mine.safetensors"))

    images = np.random.default_rng(0).uniform(size=(2, side, side, 3)).astype(np.float32)
    model = models.build("lite", weights="mine", image_size=side, dropout=0.1)
    found = model(images, training=False)["penultimate"]
    np.testing.assert_allclose(found, _expected(state, images), rtol=1e-4, atol=1e-5)
    assert models.stage_names(model) == ["stage1", "stage2", "stage3"]


def test_an_unknown_padding_is_refused():
    with pytest.raises(ValueError, match='padding must be "torch" or "same", not \'valid\''):
        conv_norm(tf.zeros([1, 4, 4, 3]), 2, 3, 2, "stem", padding="valid")
