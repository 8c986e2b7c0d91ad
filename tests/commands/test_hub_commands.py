"""A ViT of KerasHub from its preset to a student, attacks, an export and an audit."""

import json

import hubs
import keras
import keras_hub
import numpy as np
import pytest
import tensorflow as tf
from sklearn.linear_model import LogisticRegression

import modes
from configs.default import get_config
from reno_tf import commands, data, models


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    """A classifier of digits on a ViT with random weights, whose head was fitted, with its preprocessor."""
    keras.utils.set_random_seed(0)
    backbone = keras_hub.models.ViTBackbone(
        image_shape=(32, 32, 3), patch_size=8, num_layers=2, num_heads=2, hidden_dim=32, mlp_dim=32
    )
    model = hubs.classified(backbone, "vit", num_classes=10)
    digits = data.load("digits").train
    features = backbone.predict(2 * digits.floats()[:] - 1, verbose=0)[:, 0]
    mean, std = features.mean(0), features.std(0)
    head = LogisticRegression(max_iter=1000).fit((features - mean) / std, digits.labels)
    kernel = (head.coef_ / std).T
    model.output_dense.set_weights([kernel, head.intercept_ - mean @ kernel])
    folder = tmp_path_factory.mktemp("vit") / "digits"
    model.save_to_preset(str(folder))
    return str(folder)


@pytest.fixture
def config(preset):
    config = get_config()
    config.model.update(backbone="kerashub", weights=preset)
    config.split = "validation"
    config.data.validation_per_class = 3
    config.attack.update(core=("disruption stage1",), steps=4, step_size=0.025, cache="")
    config.curve.update(images=10, factors=())
    config.update(batch_size=16, interval=50)
    config.data.shots = 40
    config.steps.update(train=100)
    config.optimizer.learning_rate = 0.01
    return config


@pytest.mark.long
def test_a_student_is_trained_attacked_and_exported(config, preset, tmp_path):
    results = commands.run(config, method="finetune", workdir=str(tmp_path), command="")
    assert results["teacher"] == {"name": f"kerashub/{preset}", "sha256": models.locate("kerashub", preset)[1]}
    assert results["clean_accuracy"] > 0.25 and results["weight_distance"] > 0
    assert [row["name"] for row in results["suite"]] == ["pixel", "disruption stage1"]
    served = tf.saved_model.load(str(tmp_path / "export" / "finetune-digits" / "1"))
    split = data.load("digits", validation_per_class=3, shots=40, seed=0).validation
    logits = served.signatures["floats"](images=tf.constant(split.floats()[:]))["logits"]
    assert np.mean(np.argmax(logits, axis=1) == split.labels) == pytest.approx(results["clean_accuracy"])


@pytest.mark.long
def test_a_classifier_is_audited_through_its_own_public_network(config, preset, tmp_path, capsys):
    config.attack.update(suite=("pixel", "disruption stage2", "white_box"), images=30)
    modes.start("audit", config, student=preset, workdir=str(tmp_path / "run"), command="")
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert "KerasHub preset; fed in the range -1..1; it gives logits; " in capsys.readouterr().out
    assert (results["audit"]["format"], results["audit"]["input_range"]) == ("KerasHub preset", "-1..1")
    assert results["audit"]["has_gradient"] and results["clean_accuracy"] > 0.5
    white_box = next(row for row in results["suite"] if row["name"] == "white_box")
    assert results["worst_case_success_rate"] > 0.3 and white_box["attack_success_rate"] > 0.5
