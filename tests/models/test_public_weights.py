"""Digests of public weights: which layers of a network they are of, and in which stage."""

import numpy as np
import pytest
import tf_keras

from reno_tf.errors import UserError
from reno_tf.models import public_weights, weights


def test_layers_inside_of_a_layer_have_its_stage():
    """As ConvNeXt's stem and KerasHub's parts are: their weights have names of their own."""
    images = tf_keras.Input([8, 8, 3])
    stem = tf_keras.Sequential([tf_keras.layers.Conv2D(4, 3, name="inner_conv")], name="stem")
    first = stem(images)
    second = tf_keras.layers.Conv2D(5, 3, name="conv2")(first)
    outputs = {"stage1": first, "stage2": second, "penultimate": tf_keras.layers.GlobalAveragePooling2D()(second)}
    network = public_weights.describe(tf_keras.Model(images, outputs, name="nested"), "made")
    stages = {unit.layer: unit.stage for unit in network.units if unit.is_kernel}
    assert set(stages.values()) == {1, 2} and stages["conv2"] == 2 and len(stages) == 2
    assert network.name == "nested/made" and network.num_stages == 2


def test_weights_that_are_stated_and_not_here_are_asked_for_by_their_command(tmp_path, monkeypatch):
    entry = {"file": "none.safetensors", "sha256": "0" * 64, "command": "COMMAND", "url": "URL"}
    monkeypatch.setattr(weights, "manifest", lambda: {"toy": {"imagenet": entry}})
    monkeypatch.setattr(weights, "PRETRAINED", tmp_path)
    with pytest.raises(UserError, match="the weights imagenet of toy are not here; COMMAND imports them"):
        weights.locate("toy", "imagenet")
    (tmp_path / "none.safetensors").write_bytes(np.zeros(4).tobytes())
    with pytest.raises(UserError, match="was altered"):
        weights.locate("toy", "imagenet")
