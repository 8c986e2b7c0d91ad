"""Models that can only be asked: made with TensorFlow's converter and ONNX's helper, read by their runtimes."""

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import tensorflow as tf
import tf_keras

from reno_tf import audit as foreign
from reno_tf import evaluation
from reno_tf.errors import UserError

_SIZE = 8


def _colours(count=60):
    """Images of one colour with noise; the label is the strongest channel."""
    labels = np.arange(count) % 3
    images = 0.5 * np.eye(3)[labels][:, None, None]
    images = images + np.random.default_rng(0).uniform(0, 0.5, (count, _SIZE, _SIZE, 3))
    return images.astype(np.float32), labels


def _keras():
    """Reads the mean colour of images in 0 to 255; darker ones are all one to it."""
    layers = tf_keras.layers
    model = tf_keras.Sequential([tf_keras.Input((_SIZE, _SIZE, 3)), layers.Rescaling(1 / 255)])
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(3, activation="relu"))
    model.layers[-1].set_weights([30 * np.eye(3, dtype=np.float32), np.full(3, -9, np.float32)])
    model.add(layers.Softmax())
    return model


def _tflite(path, kind):
    converter = tf.lite.TFLiteConverter.from_keras_model(_keras())
    if kind != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind in ("int8", "uint8"):
        converter.representative_dataset = lambda: ([255 * image[None]] for image in _colours()[0])
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = getattr(tf, kind)
    path.write_bytes(converter.convert())
    return str(path)


def _onnx(path, *, channels_first=True, batch=None, kind=onnx.TensorProto.FLOAT, names=("images",)):
    """Reads the mean colour of images in 0 to 1, and gives logits."""
    helper, axes = onnx.helper, [2, 3] if channels_first else [1, 2]
    shape = [batch, 3, _SIZE, _SIZE] if channels_first else [batch, _SIZE, _SIZE, 3]
    nodes = [
        helper.make_node("Cast", ["images"], ["floats"], to=onnx.TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats", "axes"], ["mean"], keepdims=0),
        helper.make_node("MatMul", ["mean", "kernel"], ["logits"]),
    ]
    constants = [
        onnx.numpy_helper.from_array(np.array(axes, np.int64), "axes"),
        onnx.numpy_helper.from_array(30 * np.eye(3, dtype=np.float32), "kernel"),
    ]
    inputs = [helper.make_tensor_value_info(name, kind, shape) for name in names]
    outputs = [helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, [batch, 3])]
    graph = helper.make_graph(nodes, "colours", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    path.write_bytes(model.SerializeToString())
    return str(path)


@pytest.mark.parametrize("kind", ["float32", "dynamic", "int8", "uint8"])
def test_tflite_is_read_whatever_its_numbers_are(tmp_path, kind):
    images, labels = _colours()
    opened = foreign.open_model(_tflite(tmp_path / "m.tflite", kind))
    assert (opened.format, opened.height, opened.width, opened.num_outputs) == ("TFLite", _SIZE, _SIZE, 3)
    near = 1e-5 if kind == "float32" else 0.05
    np.testing.assert_allclose(opened.call(tf.constant(255 * images)), _keras()(255 * images), atol=near)
    convention = foreign.detect(opened, {"": images}, labels)
    assert (convention.input_range, convention.outputs) == ("0..255", "probabilities")
    accuracy = (evaluation.predict(foreign.Student(opened, convention), images) == labels).mean()
    assert accuracy == convention.chosen.accuracy > 0.9


@pytest.mark.parametrize("shape", [[7, _SIZE, _SIZE, 3], [1, None, None, 3], [None, None, None, 3]])
def test_tflite_is_read_whatever_it_leaves_open(tmp_path, shape):
    path, images = tmp_path / "m.tflite", _colours(10)[0]
    mean = tf.function(lambda images: tf.reduce_mean(images, [1, 2]), input_signature=[tf.TensorSpec(shape)])
    path.write_bytes(tf.lite.TFLiteConverter.from_concrete_functions([mean.get_concrete_function()]).convert())
    opened = foreign.open_model(str(path))
    assert (opened.height, opened.width, opened.num_outputs) == (*shape[1:3], 3)
    for seen in (images, *[images[:2, :4], images[:, :4, :6]] * (shape[1] is None)):
        np.testing.assert_allclose(opened.answer(seen)[0], seen.mean((1, 2)), rtol=1e-5)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda images: images[:, :, 0, 0], r"it gives numbers of shape \[2, 8\], not scores \[2, 3\]"),
        (lambda images: images[:1, 0, 0], r"it gives numbers of shape \[1, 3\], not scores \[2, 3\]"),
        (lambda images: None, "it gives numbers of shape "),
        (lambda images: 1 / 0, "division by zero"),
    ],
)
def test_what_does_not_answer_is_told_in_one_line(answer, message):
    opened = foreign.from_function(answer, name="mine", size=(_SIZE, _SIZE), num_outputs=3)
    with pytest.raises(UserError, match=f"the model does not answer images of 8x8 pixels: {message}") as caught:
        opened.answer(_colours(2)[0])
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="the model does not answer images of 8x8 pixels"):
        foreign.detect(opened, {"": _colours()[0]}, _colours()[1])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"channels_first": False},
        {"batch": 1},
        {"batch": 7},
        {"kind": onnx.TensorProto.FLOAT16},
        {"kind": onnx.TensorProto.UINT8},
    ],
    ids=["channels first", "channels last", "one by one", "in sevens", "half precision", "whole numbers"],
)
def test_onnx_is_read_whatever_its_layout_is(tmp_path, options):
    images, labels = _colours()
    opened = foreign.open_model(_onnx(tmp_path / "m.onnx", **options))
    assert (opened.format, opened.height, opened.width, opened.num_outputs) == ("ONNX", _SIZE, _SIZE, 3)
    convention = foreign.detect(opened, {"": images}, labels)
    assert convention.outputs == "logits" and convention.chosen.accuracy == 1.0
    assert convention.input_range == ("0..255" if opened.integers else "0..1")
    assert (evaluation.predict(foreign.Student(opened, convention), images) == labels).all()


def test_what_is_damaged_or_not_a_classifier_is_refused_in_one_line(tmp_path):
    whole = _onnx(tmp_path / "whole.onnx")
    for name in ("cut.onnx", "cut.tflite"):
        source = whole if name.endswith("onnx") else _tflite(tmp_path / "whole.tflite", "float32")
        content = Path(source).read_bytes()
        (tmp_path / name).write_bytes(content[: len(content) // 2])
    (tmp_path / "text.onnx").write_text("no model")
    (tmp_path / "text.tflite").write_text("no model")
    (tmp_path / "empty.tflite").write_bytes(b"")
    for name in ("cut.onnx", "cut.tflite", "text.onnx", "text.tflite", "empty.tflite"):
        with pytest.raises(UserError, match="cannot be opened") as caught:
            foreign.open_model(str(tmp_path / name))
        assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="takes images, more, not one batch of images"):
        foreign.open_model(_onnx(tmp_path / "two.onnx", names=("images", "more")))
    with pytest.raises(UserError, match=r"takes tensor\(int64\); allowed are "):
        foreign.open_model(_onnx(tmp_path / "long.onnx", kind=onnx.TensorProto.INT64))


@pytest.mark.parametrize(
    ("name", "module", "extra"),
    [("m.tflite", "ai_edge_litert.interpreter", "tflite"), ("m.onnx", "onnxruntime", "onnx")],
)
def test_without_its_runtime_the_extra_is_named(tmp_path, monkeypatch, name, module, extra):
    (tmp_path / name).write_bytes(b"x")
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError, match=rf"pip install 'reno-tf\[{extra}\]'"):
        foreign.open_model(str(tmp_path / name))
