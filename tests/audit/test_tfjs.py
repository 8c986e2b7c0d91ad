"""TensorFlow.js layers models: read as their files say, and hostile ones refused in one line."""

import copy
import json
import shutil

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
import tfjs
from mutations import mutants

from reno_tf import audit
from reno_tf.errors import UserError

_SHAPE = (8, 8, 3)


@pytest.fixture(scope="module")
def model():
    """With what a fine-tuned MobileNet has: a network in a network, ReLU6, a depthwise kernel, statistics."""
    tf_keras.utils.set_random_seed(0)
    layers, inputs = tf_keras.layers, tf_keras.Input(_SHAPE)
    x = layers.Conv2D(4, 3, use_bias=False, name="block/conv")(layers.ZeroPadding2D(((0, 1), (0, 1)))(inputs))
    x = layers.ReLU(6.0)(layers.BatchNormalization(name="bn")(x))
    inner = tf_keras.Model(inputs, layers.DepthwiseConv2D(3, activation=tf.nn.relu6, name="dw")(x), name="mobilenet")
    features = tf_keras.Sequential([inner, layers.GlobalAveragePooling2D()])
    head = tf_keras.Sequential([layers.Dense(5, "relu", input_shape=(4,), name="d1"), layers.Dense(3, name="d2")])
    model = tf_keras.Sequential([features, head])
    generator = np.random.default_rng(0)
    model.set_weights([generator.uniform(0.02, 0.3, weight.shape) for weight in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def described(model):
    return tfjs.describe(model)


@pytest.fixture
def good(described):
    """A description to be changed, and its weights."""
    return copy.deepcopy(described[0]), described[1]


_IMAGES = np.random.default_rng(1).uniform(size=(4, *_SHAPE)).astype(np.float32)


@pytest.mark.parametrize(
    ("kind", "near", "modules"),
    [(None, 1e-5, False), ("float16", 1e-2, True), ("uint16", 1e-3, False), ("uint8", 0.1, True)],
)
def test_the_files_give_the_models_own_scores(tmp_path, model, kind, near, modules):
    path = tfjs.save(tmp_path / "m", *tfjs.describe(model, kind), cuts=(50, 101), modules=modules)
    opened, expected = audit.open_model(path), np.asarray(model(_IMAGES))
    np.testing.assert_allclose(opened.answer(_IMAGES)[0], expected, rtol=near)
    assert (opened.format, opened.height, opened.num_outputs) == ("TensorFlow.js", 8, 3)
    assert "mobilenet" in opened.layers
    file = tmp_path / "m" / ("model.min.js" if modules else "model.json")
    np.testing.assert_array_equal(audit.open_model(str(file)).answer(_IMAGES)[0], opened.answer(_IMAGES)[0])


def test_quantised_weights_are_the_stored_numbers_times_scale_plus_min(tmp_path):
    layers = [tf_keras.Input(_SHAPE), tf_keras.layers.GlobalAveragePooling2D(), tf_keras.layers.Dense(2, name="d")]
    description, _ = tfjs.describe(tf_keras.Sequential(layers))
    kernel, bias = description["weightsManifest"][0]["weights"]
    kernel["quantization"] = {"dtype": "uint8", "scale": 0.5, "min": -1.0}
    bias["quantization"] = {"dtype": "uint16", "scale": 0.25, "min": 0}
    path = tfjs.save(tmp_path / "m", description, bytes([0, 1, 2, 3, 4, 255]) + bytes([4, 0, 0, 1]))
    # Kernel [[-1, -.5], [0, .5], [1, 126.5]], bias [1, 64].
    np.testing.assert_allclose(audit.open_model(path).answer(np.ones((1, *_SHAPE)))[0], [[1, 190.5]])


def test_the_white_box_has_a_gradient(tmp_path, good):
    opened, images = audit.open_model(tfjs.save(tmp_path / "m", *good)), tf.constant(_IMAGES)
    with tf.GradientTape() as tape:
        tape.watch(images)
        score = tf.reduce_sum(opened.call(images)[:, 0])
    assert np.abs(tape.gradient(score, images)).max() > 0


def test_the_digest_of_a_description_is_of_its_weights_too(tmp_path, good):
    path, digests = tfjs.save(tmp_path / "m", *good), set()
    for content in (good[1], good[1][::-1]):
        (tmp_path / "m" / "weights.bin").write_bytes(content)
        digests |= {audit.digest_model(path), audit.digest_model(f"{path}/model.json")}
    assert len(digests) == 4


def _layers(description):
    """Those of the head."""
    return description["modelTopology"]["model_config"]["config"]["layers"][-1]["config"]["layers"]


def _with_layer(layer):
    return lambda description: _layers(description).append(layer)


def _with_paths(*paths):
    return lambda description: description["weightsManifest"][0].update(paths=list(paths))


def _with_weight(**fields):
    return lambda description: description["weightsManifest"][0]["weights"][0].update(fields)


def _larger(description):
    """A layer that only claims its size: 40 TB."""
    _layers(description)[-2]["config"]["units"] = 10**12
    _layers(description)[-1]["config"]["units"] = 10


def _huge_images(description):
    """A model without weights, of images of 12 TB."""
    config = {"batch_input_shape": [None, 10**6, 10**6, 3], "name": "pool"}
    pool = {"class_name": "GlobalAveragePooling2D", "config": config}
    description["modelTopology"] = {"class_name": "Sequential", "config": {"name": "m", "layers": [pool]}}
    description["weightsManifest"] = []


def _without_last(description):
    del description["weightsManifest"][0]["weights"][-1]


def _renamed(description):
    description["weightsManifest"][0]["weights"][0]["name"] = "other/kernel"


def _twice(description):
    weights = description["weightsManifest"][0]["weights"]
    weights[1]["name"] = weights[0]["name"]


_HOSTILE = {
    "a graph model": (lambda d: d.update(format="graph-model"), "is a graph model of TensorFlow.js, and only layers"),
    "its nodes": (lambda d: d.update(modelTopology={"node": []}), "is a graph model of TensorFlow.js"),
    "no model": (lambda d: d.pop("modelTopology"), "has no modelTopology with a weightsManifest"),
    "no class": (lambda d: d.update(modelTopology={"a": 1}), "describes no model of Keras"),
    "a layer alone": (
        lambda d: d.update(modelTopology={"class_name": "ReLU", "config": {}}, weightsManifest=[]),
        "is not a model, but a ReLU",
    ),
    "Lambda": (_with_layer({"class_name": "Lambda", "config": {}}), "the class 'Lambda', which runs code of its own"),
    "unknown class": (_with_layer({"class_name": "Mine", "config": {}}), "'Mine', which is not one of Keras's"),
    "a module": (_with_layer({"class_name": "Dense", "module": "os", "config": {}}), "the module 'os', which is not"),
    "above": (_with_paths("../weights.bin"), "'../weights.bin', outside of its folder"),
    "absolute": (_with_paths("/etc/hostname"), "'/etc/hostname', outside of its folder"),
    "Windows": (_with_paths("..\\weights.bin"), "outside of its folder"),
    "address": (_with_paths("https://example.com/weights.bin"), "outside of its folder"),
    "missing": (_with_paths("gone.bin"), "'gone.bin', which is not beside it"),
    "a folder": (_with_paths("."), "'.', which is not beside it"),
    "zero": (_with_paths("a\0b"), "which is not beside it"),
    "long": (_with_paths("a" * 5000), "which is not beside it"),
    "number": (_with_paths(3), "outside of its folder"),
    "twice": (_with_paths("weights.bin", "./weights.bin"), "names one file of weights twice"),
    "a link": (_with_paths("link.bin"), "'link.bin', a link that leads outside of its folder"),
    "no paths": (lambda d: d["weightsManifest"][0].pop("paths"), "has a weightsManifest without paths"),
    "too few": (_without_last, r"describes \d+ bytes of weights, its files hold \d+"),
    "too many": (_with_weight(shape=[10**6]), r"weights 'block/conv/kernel' wrongly: it needs 4000000 bytes, and its"),
    "huge": (_with_weight(shape=[10**30] * 8), "wrongly: it needs 4000"),
    "negative": (_with_weight(shape=[-1, 5]), r"wrongly: it has the shape \[-1, 5\]"),
    "many sides": (_with_weight(shape=[1] * 10**5), "wrongly: it has the shape"),
    "another shape": (_with_weight(shape=[3, 3, 4, 3]), "of shape .3, 3, 4, 3., and its layer wants .3, 3, 3, 4."),
    "another type": (_with_weight(dtype="string"), "wrongly: it is of type string"),
    "no scale": (_with_weight(quantization={"dtype": "float32", "scale": None, "min": 0}), "'block/conv/kernel' wrong"),
    "another name": (_renamed, "has no weights: 'block/conv/kernel'"),
    "one name twice": (_twice, "describes two weights of the name"),
    "huge images": (_huge_images, "takes images of 1000000x1000000 pixels, more than 4096"),
    "layers that claim their size": (_larger, "describes layers with more weights than its files hold"),
}


@pytest.mark.parametrize(("change", "message"), _HOSTILE.values(), ids=_HOSTILE)
def test_a_hostile_description_is_refused_in_one_line(tmp_path, good, change, message):
    description, content = good
    path = tfjs.save(tmp_path / "m", description, content)
    change(description)
    (tmp_path / "weights.bin").write_bytes(content)
    (tmp_path / "m" / "link.bin").symlink_to(tmp_path / "weights.bin")
    (tmp_path / "m" / "model.json").write_text(json.dumps(description))
    with pytest.raises(UserError, match=message) as raised:
        audit.open_model(path)
    assert len(str(raised.value).splitlines()) == 1


def test_a_store_of_links_opens(tmp_path, good):
    """As a cache keeps what it fetched: names link to contents, all in one folder."""
    tfjs.save(tmp_path / "contents", *good)
    (tmp_path / "names").mkdir()
    for name in ("model.json", "weights.bin"):
        (tmp_path / "names" / name).symlink_to(tmp_path / "contents" / name)
    assert audit.open_model(str(tmp_path / "names")).num_outputs == 3


def _cut(name, length):
    return lambda folder: (folder / name).write_text((folder / name).read_text()[:length])


_DAMAGED = {
    "truncated base64": (_cut("weights.bin.min.js", -30), "wrongly: it needs|holds nothing in base64, or not all"),
    "wrong padding": (
        lambda folder: (folder / "weights.bin.min.js").write_text('exports="AAAAAAAAAAAAAAAAA"'),
        "weights.bin.min.js holds nothing in base64, or not all",
    ),
    "no weights": (
        lambda folder: (folder / "weights.bin.min.js").write_text("x"),
        "holds nothing in base64, or not all",
    ),
    "truncated object": (_cut("model.min.js", 900), "holds a config that is not JSON"),
    "code in the object": (
        lambda folder: (folder / "model.min.js").write_text("exports={modelTopology:require('fs')}"),
        "holds a config that is not JSON",
    ),
    "no object": (lambda folder: (folder / "model.min.js").write_text("alert()"), "holds no object that begins with"),
    "bytes": (lambda folder: (folder / "model.min.js").write_bytes(b"\xff\xfe"), "is not a text"),
    "a page": (lambda folder: (folder / "model.min.js").write_text("<!doctype html>"), "is a web page, not the file"),
}


@pytest.mark.parametrize(("damage", "message"), _DAMAGED.values(), ids=_DAMAGED)
def test_a_damaged_module_is_refused_in_one_line(tmp_path, good, damage, message):
    path = tfjs.save(tmp_path / "m", *good, modules=True)
    damage(tmp_path / "m")
    with pytest.raises(UserError, match=message) as raised:
        audit.open_model(path)
    assert len(str(raised.value).splitlines()) == 1


def test_a_folder_of_both_forms_is_a_saved_model(tmp_path, good):
    path = tfjs.save(tmp_path / "m", *good)
    (tmp_path / "m" / "saved_model.pb").write_bytes(b"x")
    with pytest.raises(UserError, match="is not a SavedModel"):
        audit.open_model(path)
    shutil.rmtree(path)
    (tmp_path / "m").mkdir()
    with pytest.raises(UserError, match="is not a SavedModel"):
        audit.open_model(path)


def test_every_mutant_of_a_description_opens_or_gets_one_line(tmp_path, good):
    description, content = good
    path = tfjs.save(tmp_path / "m", description, content)
    for mutant in mutants(description, 25, seed=0):
        (tmp_path / "m" / "model.json").write_text(json.dumps(mutant))
        try:
            audit.open_model(path)
        except UserError as mistake:
            assert len(str(mistake).splitlines()) == 1
