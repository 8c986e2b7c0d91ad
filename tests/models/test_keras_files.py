"""Weights of Keras Applications in the files that people have."""

import functools

import keras
import numpy as np
import pytest
import tf_keras
from conftest import long

import modes
from configs.default import get_config
from reno_tf import models
from reno_tf.errors import UserError
from reno_tf.models import keras_files, weights

LIBRARIES = {"Keras 2": tf_keras, "Keras 3": keras}
FORMATS = {  # What is kept of the model, and how the file ends.
    "weights": ("save_weights", ".weights.h5"),
    "weights, older": ("save_weights", ".h5"),  # of Keras 2 alone
    "whole": ("save", ".keras"),
    "whole, older": ("save", ".h5"),
}


@pytest.fixture
def pretrained(monkeypatch, tmp_path):
    monkeypatch.setattr(weights, "PRETRAINED", tmp_path / "pretrained")
    return tmp_path / "pretrained"


def _import(backbone, file=None):
    config = get_config()
    config.model.backbone = backbone
    modes.start("import_weights", config, command="", file=file and str(file))


def _drawn(model):
    """With weights and statistics that no two layers share."""
    generator = np.random.default_rng(0)
    for layer in model.layers:
        layer.set_weights(
            [generator.uniform(0.5, 1.5, value.shape).astype(value.dtype) for value in layer.get_weights()]
        )
    return model


def _bare(image_size):
    return {"include_top": False, "input_shape": (image_size, image_size, 3)}


@functools.lru_cache(maxsize=1)
def _built(application, image_size):
    return getattr(tf_keras.applications, application)(weights=None, **_bare(image_size))


def _zeroed(model):
    model.set_weights([np.zeros_like(value) for value in model.get_weights()])
    return model


def check_a_file(folder, application, library, kept, top, *, image_size=None):
    """Such a file gives the weights of Keras's model."""
    options = {"include_top": True, "classes": 3} if top else _bare(image_size)
    model = _drawn(getattr(LIBRARIES[library].applications, application)(weights=None, **options))
    how, suffix = FORMATS[kept]
    file = folder / f"mine{suffix}"
    getattr(model, how)(file)
    network = _zeroed(_built(application, image_size))
    keras_files.load_keras_weights(network, str(file))
    theirs = [weight for layer in model.layers for weight in layer.weights]
    for ours, value in zip(network.weights, theirs, strict=not top):
        np.testing.assert_array_equal(ours, np.asarray(value), err_msg=ours.name)


_FILES = {
    f"{library}, {kept}, {'with top' if top else 'bare'}": (library, kept, top)
    for library in LIBRARIES
    for kept in FORMATS
    for top in (False, True)
    if (library, kept) != ("Keras 3", "weights, older")
}
_QUICK = ("Keras 2, weights, with top", "Keras 3, whole, bare")


@pytest.mark.parametrize("file", [*_QUICK, *long(*(file for file in _FILES if file not in _QUICK))])
def test_every_format_of_both_versions_is_read(tmp_path, file):
    library, kept, top = _FILES[file]
    check_a_file(tmp_path, "MobileNetV3Small", library, kept, top)


@pytest.mark.long
@pytest.mark.parametrize("name", ["mine.weights.h5", "mine.h5", "mine.keras"])
def test_an_import_gives_weights_by_name(pretrained, tmp_path, name):
    model = _drawn(tf_keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(96, 96, 3)))
    (model.save if name.endswith("keras") else model.save_weights)(tmp_path / name)
    _import("keras_mobilenetv2", tmp_path / name)
    imported = models.build("keras_mobilenetv2", weights="mine")
    for ours, theirs in zip(models.named_weights(imported).values(), model.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def _damaged(content):
    return content[: len(content) // 2]


@pytest.mark.long
def test_what_does_not_fit_is_named_and_nothing_written(pretrained, tmp_path):
    build = {"include_top": False, "weights": None}
    tf_keras.applications.VGG16(**build).save_weights(tmp_path / "older.h5")
    tf_keras.applications.VGG16(**build).save_weights(tmp_path / "vgg.weights.h5")
    keras.applications.VGG16(**build).save(tmp_path / "vgg.keras")
    whole = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
    whole.save(tmp_path / "other.keras")
    for name in ("older.h5", "vgg.keras"):
        (tmp_path / f"cut-{name}").write_bytes(_damaged((tmp_path / name).read_bytes()))
    (tmp_path / "pointer.h5").write_text("version https://git-lfs.github.com/spec/v1")
    (tmp_path / "x.pth").write_bytes(b"PK")
    said = {
        "older.h5": "does not fit MobilenetV3small: Conv has the shapes .*, and block1_conv1 in its place",
        "vgg.weights.h5": "gives no weights of MobilenetV3small",
        "vgg.keras": "gives no weights of MobilenetV3small",
        "other.keras": "gives no weights of MobilenetV3small",
        "cut-older.h5": "gives no weights|no .keras or .h5 file",
        "cut-vgg.keras": "not a .keras or .h5 file: it is cut short, or of another format",
        "pointer.h5": "is a Git LFS pointer",
        "x.pth": "must be a .h5 or .keras with weights of keras_mobilenetv3small",
        "none.h5": "must be a .h5 or .keras with weights of keras_mobilenetv3small",
    }
    for name, message in said.items():
        with pytest.raises(UserError, match=message) as caught:
            _import("keras_mobilenetv3small", tmp_path / name)
        assert "\n" not in str(caught.value)
    assert not pretrained.exists()


@pytest.mark.long
def test_efficientnets_published_weights_are_normalized_as_keras_does(pretrained, tmp_path, monkeypatch):
    """Keras divides by a second root where the weights are "imagenet", which the network here has no layer for."""
    published = tf_keras.applications.EfficientNetB0(include_top=False, weights=None, input_shape=(None, None, 3))
    norm = next(layer for layer in published.layers if isinstance(layer, tf_keras.layers.Normalization))
    norm.set_weights([np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225]), np.int64(0)])
    file = tmp_path / "efficientnetb0_notop.h5"
    published.save_weights(file)
    from tf_keras.src.applications import efficientnet

    monkeypatch.setattr(efficientnet.data_utils, "get_file", lambda *_, **__: str(file))
    theirs = tf_keras.applications.EfficientNetB0(include_top=False, weights="imagenet", input_shape=(None, None, 3))
    images = np.random.default_rng(0).uniform(size=(2, 64, 64, 3)).astype(np.float32)

    def stem(model):
        layer = model.get_layer("stem_conv")
        return tf_keras.Model(model.input, layer.get_output_at(len(layer._inbound_nodes) - 1))

    expected = stem(theirs)(255 * images)
    for chosen, name in ((None, "imagenet"), (file, "efficientnetb0_notop")):
        _import("keras_efficientnetb0", chosen)
        ours = models.build("keras_efficientnetb0", weights=name)
        np.testing.assert_allclose(stem(ours)(images), expected, rtol=1e-3, atol=1e-4)
