"""Hostile files: none may do anything, each gets one line."""

import json
import shutil
import tempfile
import zipfile

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from conftest import long

from reno_tf import audit
from reno_tf.audit import safety
from reno_tf.errors import UserError

_SHAPE = (8, 8, 3)


def _good(library=keras):
    layers = library.layers
    return library.Sequential([library.Input(_SHAPE), layers.Flatten(), layers.Dense(3, activation="relu")])


def _members(library):
    """The files in a good model's .keras file."""
    with tempfile.TemporaryDirectory() as folder:
        _good(library).save(f"{folder}/good.keras")
        with zipfile.ZipFile(f"{folder}/good.keras") as archive:
            return {name: archive.read(name) for name in archive.namelist()}


def _config(library=keras):
    return json.loads(_members(library)["config.json"])


def _archive(path, config, library=keras, extra=()):
    """A .keras file with another config, and further members (name, content)."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in [*(_members(library) | {"config.json": json.dumps(config)}).items(), *extra]:
            archive.writestr(name, content)


def _hdf5(path, config):
    with tempfile.TemporaryDirectory() as folder:
        _good(tf_keras).save(f"{folder}/good.h5")
        with h5py.File(f"{folder}/good.h5", "r+") as file:
            file.attrs["model_config"] = json.dumps(config)
        shutil.move(f"{folder}/good.h5", path)


def _with(layer, library=keras):
    """A good config with `layer` in the place of its last layer."""
    config = _config(library)
    config["config"]["layers"][-1] = layer
    return config


def _layer(canary, function="io.write_file"):
    return {
        "class_name": "TFOpLambda",
        "module": "keras.layers",
        "config": {"name": "w", "function": function},
        "inbound_nodes": [[str(canary), 0, 0, {"contents": "x"}]],
    }


_SYSTEM = {"class_name": "function", "module": "os", "config": "system", "registered_name": "system"}
_LAMBDA = {
    "class_name": "Lambda",
    "module": "keras.layers",
    "config": {"function": {"module": "os", "config": "system"}},
}
_DENSE = {"class_name": "Dense", "module": "keras.layers", "registered_name": None}


def _signature(function):
    def write(path, canary):
        module = tf.Module()
        module.call = tf.function(lambda images: function(images, str(canary)), [tf.TensorSpec([None, *_SHAPE])])
        tf.saved_model.save(module, str(path), signatures={"serving_default": module.call})

    return write


def _touching(operation):
    """A SavedModel whose signature runs an operation on the way."""

    def call(images, canary):
        with tf.control_dependencies([operation(canary)]):
            return {"logits": tf.reduce_mean(images, [1, 2])}

    return _signature(call)


def _table(path, canary):
    (path.parent / "words.txt").write_text("a\nb\nc\n")
    whole, number = tf.lookup.TextFileIndex.WHOLE_LINE, tf.lookup.TextFileIndex.LINE_NUMBER
    words = tf.lookup.TextFileInitializer(str(path.parent / "words.txt"), tf.string, whole, tf.int64, number)
    module = tf.Module()
    module.table = tf.lookup.StaticHashTable(words, 0)
    mean = lambda images: {"logits": tf.reduce_mean(images, [1, 2])}  # noqa: E731
    module.call = tf.function(mean, [tf.TensorSpec([None, *_SHAPE])])
    tf.saved_model.save(module, str(path), signatures={"serving_default": module.call})


def _checkpoint(canary):
    return tf.raw_ops.SaveV2(prefix=canary, tensor_names=["a"], shape_and_slices=[""], tensors=[1.0])


def _external_link(path, canary):
    _good(tf_keras).save(path)
    with h5py.File(path, "r+") as file:
        file["model_weights/far"] = h5py.ExternalLink(str(canary), "/")


def _external_data(path, canary):
    _good(tf_keras).save(path)
    with h5py.File(path, "r+") as file:
        file.create_dataset("far", (4,), "f4", external=[(str(canary), 0, 16)])


def _claimed(path, canary):
    _good(tf_keras).save(path)
    with h5py.File(path, "r+") as file:
        file.create_dataset("far", (10**10,), "f4", chunks=(1000,))


def _of_keras(layer, **options):
    return lambda path, canary: _archive(path, _with(layer(canary) if callable(layer) else layer), **options)


def _of_hdf5(layer):
    return lambda path, canary: _hdf5(path, _with(layer(canary) if callable(layer) else layer, tf_keras))


def _deep(path, canary):
    text = '{"class_name": "Dense", "config": ' * 20000 + "1" + "}" * 20000
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", text)


def _nested(inner):
    return {"class_name": "TimeDistributed", "module": "keras.layers", "config": {"layer": inner}}


_HOSTILE = {
    "lambda of a module": ("m.keras", _of_keras(_LAMBDA), "class 'Lambda', which runs code of its own"),
    "lambda in another layer": ("m.keras", _of_keras(_nested(_LAMBDA)), "class 'Lambda'"),
    "lambda in HDF5": ("m.h5", _of_hdf5(_LAMBDA), "class 'Lambda'"),
    "HDF5 called .keras": ("m.keras", _of_hdf5(_LAMBDA), "class 'Lambda'"),
    "an operation that writes": ("m.keras", _of_keras(_layer), "operation 'io.write_file'"),
    "the same in HDF5": ("m.h5", _of_hdf5(_layer), "operation 'io.write_file'"),
    "one that runs Python": ("m.h5", _of_hdf5(lambda c: _layer(c, "py_function")), "operation 'py_function'"),
    "a class of another module": (
        "m.keras",
        _of_keras({"class_name": "Popen", "module": "subprocess", "config": {"args": "true"}}),
        "names the module 'subprocess', which is not Keras's",
    ),
    "a known class of another module": ("m.keras", _of_keras({**_DENSE, "module": "evil"}), "the module 'evil'"),
    "a function as an activation": (
        "m.keras",
        _of_keras({**_DENSE, "config": {"units": 3, "activation": _SYSTEM}}),
        "the module 'os'",
    ),
    "a builtin as an initializer": (
        "m.keras",
        _of_keras({**_DENSE, "config": {"kernel_initializer": {**_SYSTEM, "module": "builtins", "config": "exec"}}}),
        "the function 'exec'",
    ),
    "a layer of someone's own": (
        "m.keras",
        _of_keras({"class_name": "Mine", "module": None, "registered_name": "Custom>Mine", "config": {}}),
        "the class 'Mine', which is not one of Keras's",
    ),
    "a class without a name": ("m.keras", _of_keras({**_DENSE, "class_name": ["Dense"]}), r"the class \['Dense'\]"),
    "a SavedModel as a layer": (
        "m.keras",
        _of_keras({"class_name": "TFSMLayer", "module": "keras.layers", "config": {"filepath": "x"}}),
        "class 'TFSMLayer', which runs code",
    ),
    "a vocabulary from a file": (
        "m.keras",
        _of_keras({"class_name": "StringLookup", "module": "keras.layers", "config": {"vocabulary": "/etc/passwd"}}),
        "class 'StringLookup'",
    ),
    "a member outside": ("m.keras", _of_keras(_DENSE, extra=[("../x", "y")]), "'../x', outside of its folder"),
    "a member that grows": (
        "m.keras",
        _of_keras(_DENSE, extra=[("model.weights2.h5", bytes(2 * 10**8))]),
        "would grow to 200000000 bytes",
    ),
    "no config": ("m.keras", lambda path, _: zipfile.ZipFile(path, "w").writestr("a", "b"), "holds no config.json"),
    "a deep config": ("m.keras", _deep, "holds a config that is not JSON|nested too deeply"),
    "a link to another file": ("m.h5", _external_link, "holds the link 'far' to "),
    "arrays in another file": ("m.h5", _external_data, "keeps '/far' in another file"),
    "arrays that only claim their size": ("m.h5", _claimed, "claims 40000.* bytes of arrays"),
    "a write in a graph": (
        "m",
        _touching(lambda canary: tf.io.write_file(canary, "x")),
        "runs WriteFile, which does more",
    ),
    "a read": ("m", _touching(lambda canary: tf.io.read_file("/etc/hostname")), "runs ReadFile"),
    "Python": ("m", _touching(lambda canary: tf.py_function(lambda: 1, [], tf.int64)), "runs EagerPyFunc"),
    "a print into a file": (
        "m",
        _touching(lambda canary: tf.print("x", output_stream=f"file://{canary}")),
        "runs PrintV2",
    ),
    "a list of files": ("m", _touching(lambda canary: tf.io.matching_files("/*")), "runs MatchingFiles"),
    "a checkpoint that the model writes": ("m", _touching(_checkpoint), "runs SaveV2"),
    "a data set of files": (
        "m",
        _touching(lambda canary: next(iter(tf.data.TextLineDataset("/etc/hostname").take(1)))),
        "runs .*Dataset",
    ),
    "a table of a file": ("m", _table, "runs InitializeTableFromTextFileV2"),
}


@pytest.mark.parametrize(("name", "write", "message"), _HOSTILE.values(), ids=_HOSTILE)
def test_a_hostile_file_does_nothing_and_is_named(tmp_path, name, write, message):
    path, canary = tmp_path / name, tmp_path / "canary"
    write(path, canary)
    canary.unlink(missing_ok=True)  # Making some of them touches it.
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UserError, match=message) as raised:
        audit.open_model(str(path))
    assert len(str(raised.value).splitlines()) == 1
    assert not canary.exists() and sorted(tmp_path.rglob("*")) == before


def test_a_saved_model_that_is_trusted_opens(tmp_path):
    _touching(lambda canary: tf.io.write_file(canary, "x"))(tmp_path / "m", tmp_path / "canary")
    opened = audit.open_model(str(tmp_path / "m"), trust=True)
    opened.call(tf.zeros([1, *_SHAPE]))
    assert (tmp_path / "canary").read_text() == "x"


def _applications():
    inputs = tf_keras.Input((32, 32, 3))
    convnext = tf_keras.applications.MobileNetV3Small(include_top=False, weights=None, input_shape=(32, 32, 3))
    yield tf_keras.Model(inputs, tf_keras.layers.Dense(3)(tf_keras.layers.GlobalAveragePooling2D()(convnext(inputs))))
    inputs = keras.Input((32, 32, 3))
    x = keras.layers.RandomFlip()(keras.layers.Rescaling(1 / 255)(inputs))
    x = keras.layers.Conv2D(4, 3, activation="silu", kernel_regularizer=keras.regularizers.L2(0.1))(x)
    x = keras.ops.mean(keras.layers.BatchNormalization()(x) * 2 + 1, axis=(1, 2))
    yield keras.Model(inputs, keras.layers.Dense(3, activation="softmax", dtype="mixed_bfloat16")(x))


@pytest.mark.parametrize("number", [*long(0), 1])
def test_what_people_save_opens(tmp_path, number):
    model = list(_applications())[number]
    model.save(tmp_path / "m.keras")
    model.export(str(tmp_path / "m"))
    images = tf.constant(np.random.default_rng(0).uniform(size=[2, 32, 32, 3]), tf.float32)
    expected = np.asarray(model(images, training=False), np.float32)
    for name in ("m.keras", "m"):
        scores = audit.open_model(str(tmp_path / name)).call(images)
        np.testing.assert_allclose(np.asarray(scores, np.float32), expected, rtol=2e-2, atol=1e-3)


def test_every_mutant_of_a_config_opens_or_gets_one_line(tmp_path):
    from mutations import mutants  # A script of its own does more of them.

    for config in mutants(_config(), 60, seed=0):
        try:
            safety.check_config(config, "it")
        except UserError as mistake:
            assert len(str(mistake).splitlines()) == 1


@pytest.mark.parametrize(
    ("input_shape", "output_shape", "message"),
    [
        (None, [None, 3], "takes inputs of unknown shape; export it for images "),
        ([None, *_SHAPE], None, r"gives 'logits' in an unknown shape; export it with \[None, classes\]"),
    ],
)
def test_unknown_shapes_are_refused(tmp_path, input_shape, output_shape, message):
    def call(images):
        scores = tf.reduce_mean(tf.reshape(images, [-1, *_SHAPE]), [1, 2])
        return {
            "logits": tf.ensure_shape(scores, output_shape)
            if output_shape
            else tf.raw_ops.PlaceholderWithDefault(input=scores, shape=None)
        }

    module = tf.Module()
    module.call = tf.function(call, [tf.TensorSpec(input_shape)])
    tf.saved_model.save(module, str(tmp_path / "m"), signatures={"serving_default": module.call})
    with pytest.raises(UserError, match=message):
        audit.open_model(str(tmp_path / "m"))
