"""KerasHub's classifiers: opened under the allow-list of all Keras files, and everything else in KerasHub refused."""

import importlib.util
import json
import shutil
import zipfile

import h5py
import hubs
import keras
import numpy as np
import pytest
import tensorflow as tf

from reno_tf import audit
from reno_tf.audit import safety
from reno_tf.errors import UserError


def _save(model, path):
    model.save(f"{path}.keras")
    return f"{path}.keras"


def _save_preset(model, path):
    model.save_to_preset(str(path))
    return str(path)


_FORMS = {
    "a classifier": (lambda: hubs.classifier("vit"), _save, "Keras 3"),
    "a preset": (lambda: hubs.classifier("deit"), _save_preset, "KerasHub preset"),
    "a model around a backbone": (lambda: hubs.around(hubs.vit()), _save, "Keras 3"),
}


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).uniform(size=(3, hubs.SIDE, hubs.SIDE, 3)).astype(np.float32)


@pytest.mark.parametrize(("make", "save", "form"), _FORMS.values(), ids=_FORMS)
def test_every_form_gives_the_models_own_scores_and_gradients(tmp_path, images, make, save, form):
    model = make()
    opened = audit.open_model(save(model, tmp_path / "model"))
    assert (opened.format, opened.height, opened.num_classes) == (form, hubs.SIDE, 3)
    with tf.GradientTape() as tape:
        tape.watch(x := tf.constant(images))
        scores = opened.call(x)
        best = tf.reduce_sum(tf.reduce_max(scores, axis=1))
    np.testing.assert_allclose(scores, np.asarray(model(images)), rtol=1e-5, atol=1e-6)
    assert np.abs(tape.gradient(best, x)).max() > 0
    assert any("tiny" in name for name in opened.layers)


def test_the_network_takes_what_its_preprocessor_gives(tmp_path, images):
    model = hubs.classifier("vit")
    opened = audit.open_model(_save(model, tmp_path / "model"))
    preprocessed = model.predict(255 * images, verbose=0)
    scores = opened.call(audit.RANGES["-1..1"](tf.constant(images)))
    np.testing.assert_allclose(scores, preprocessed, rtol=1e-4, atol=1e-5)
    assert np.abs(opened.call(tf.constant(images)) - preprocessed).max() > 1e-3


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """The members of a good classifier's .keras."""
    path = _save(hubs.classifier("vit"), tmp_path_factory.mktemp("good") / "good")
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


def _object(module, name, **config):
    return {"module": module, "class_name": name, "config": config, "registered_name": f"keras_hub>{name}"}


_DENSE = {"module": "keras.layers", "class_name": "Dense", "config": {"units": 3}}
# What takes the place of the classifier's preprocessor -> what the line says.
_HOSTILE = {
    "a tokenizer": (_object("keras_hub.src.tokenizers.byte_tokenizer", "ByteTokenizer"), "ByteTokenizer', which"),
    "a family's tokenizer": (
        _object("keras_hub.src.models.bert.bert_tokenizer", "BertTokenizer", vocabulary="/etc/passwd"),
        "BertTokenizer', which is not a layer, backbone or image classifier of KerasHub",
    ),
    "a preprocessor of text": (
        _object("keras_hub.src.models.bert.bert_text_classifier_preprocessor", "BertTextClassifierPreprocessor"),
        "BertTextClassifierPreprocessor', which is not",
    ),
    "a task on text": (
        _object("keras_hub.src.models.bert.bert_text_classifier", "BertTextClassifier"),
        "BertTextClassifier', which is not",
    ),
    "a function": (_object("keras_hub.src.utils.preset_utils", "get_file", preset="kaggle://a"), "get_file', which"),
    "a function as such": (
        {"module": "keras_hub.src.utils.preset_utils", "class_name": "function", "config": "get_file"},
        "preset_utils.function', which is not",
    ),
    "a class in another module": (_object("keras_hub.src.models.deit.deit_backbone", "ViTBackbone"), "which is not"),
    "a module that is not there": (_object("keras_hub.src.models.evil.evil", "ViTBackbone"), "which is not"),
    "a tokenizer under a layer's name": (
        _object("keras_hub.src.models.vit.vit_layers", "MLP") | {"registered_name": "keras_hub>BertTokenizer"},
        "MLP', which is not",
    ),
    "a tokenizer under a Keras layer's name": (
        _DENSE | {"registered_name": "keras_hub>BertTokenizer"},
        "gives the class 'Dense' another registered name, 'keras_hub>BertTokenizer'",
    ),
    "a tokenizer as an activation": (
        _DENSE | {"config": {"units": 3, "activation": "keras_nlp>BertTokenizer"}},
        "names the registered object 'keras_nlp>BertTokenizer' in a value",
    ),
    "code in a backbone": (
        _object("keras_hub.src.models.vit.vit_image_classifier_preprocessor", "ViTImageClassifierPreprocessor")
        | {"config": {"image_converter": {"module": "keras.layers", "class_name": "Lambda", "config": {}}}},
        "class 'Lambda', which runs code of its own",
    ),
}


@pytest.mark.parametrize(("inserted", "message"), _HOSTILE.values(), ids=_HOSTILE)
def test_a_hostile_file_is_named_in_one_line(tmp_path, archive, inserted, message):
    config = json.loads(archive["config.json"])
    config["config"]["preprocessor"] = inserted
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "w") as file:
        for name, content in (archive | {"config.json": json.dumps(config)}).items():
            file.writestr(name, content)
    with pytest.raises(UserError, match=message) as raised:
        audit.open_model(str(path))
    assert len(str(raised.value).splitlines()) == 1 and list(tmp_path.iterdir()) == [path]


@pytest.fixture(scope="module")
def good_preset(tmp_path_factory):
    return _save_preset(hubs.classifier("vit"), tmp_path_factory.mktemp("good") / "preset")


@pytest.fixture
def preset(tmp_path, good_preset):
    return shutil.copytree(good_preset, tmp_path / "preset")


def _change_task(folder):
    task = json.loads((folder / "task.json").read_text())
    task["config"]["preprocessor"] = _HOSTILE["a family's tokenizer"][0]
    (folder / "task.json").write_text(json.dumps(task))


def _link(folder):
    with h5py.File(folder / "task.weights.h5", "r+") as file:
        file["far"] = h5py.ExternalLink("/etc/hostname", "/")


_BROKEN = {
    "a tokenizer": (_change_task, "BertTokenizer', which is not"),
    "a link out of the weights": (_link, "task.weights.h5 holds the link 'far'"),
    "no head": (lambda folder: (folder / "task.weights.h5").unlink(), "there is no task.weights.h5 in "),
    "no task": (lambda folder: (folder / "task.json").unlink(), "is a backbone of KerasHub without a head"),
    "no JSON": (lambda folder: (folder / "task.json").write_text("{"), "holds a config that is not JSON"),
    "no object": (lambda folder: (folder / "task.json").write_text("{}"), "cannot be opened"),
    "several files": (lambda folder: (folder / "model.weights.json").write_text("{}"), "weights in several files"),
}


@pytest.mark.parametrize(("change", "message"), _BROKEN.values(), ids=_BROKEN)
def test_a_preset_that_is_broken_or_hostile_is_named_in_one_line(preset, change, message):
    change(preset)
    with pytest.raises(UserError, match=message) as raised:
        audit.open_model(str(preset))
    assert len(str(raised.value).splitlines()) == 1


def test_a_folder_with_the_name_of_a_published_preset_is_the_folder(preset, monkeypatch):
    monkeypatch.chdir(preset.parent)
    preset.rename("vit_base_patch16_224_imagenet")
    assert audit.open_model("vit_base_patch16_224_imagenet").height == hubs.SIDE


def test_nothing_in_a_preset_is_ever_trusted(preset):
    with pytest.raises(UserError, match="is a preset, and no code in it is ever run"):
        audit.open_model(str(preset), trust=True)


def test_every_mutant_of_a_config_passes_or_gets_one_line(archive):
    from mutations import mutants  # A script of its own opens them too.

    good, passed, refused = json.loads(archive["config.json"]), 0, 0
    del good["compile_config"]  # As in an archive: it is not built.
    for config in mutants(good, 60, seed=0):
        try:
            safety.check_config(config, "it")
            passed += 1
        except UserError as mistake:
            refused += 1
            assert len(str(mistake).splitlines()) == 1
    assert passed and refused


def test_without_keras_hub_one_line_says_what_to_install(tmp_path, archive, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"^it needs KerasHub: pip install 'reno-tf\[hub\]'$"):
        safety.check_config(json.loads(archive["config.json"]), "it")


def test_a_model_of_keras_alone_needs_no_keras_hub(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(3)])
    safety.check_config(keras.saving.serialize_keras_object(model), "it")
