"""A model that reads the mean colour of 8x8 images in [0, 1], in every format that an audit opens."""

import functools
from pathlib import Path

import keras
import numpy as np
import onnx
import tensorflow as tf
import tf_keras
import tfjs

SIDE = 8
FORMS = ("savedmodel", "keras2", "keras3", "h5", "tfjs", "tflite", "onnx")
GAIN = 30 * np.eye(3, dtype=np.float32)
FEATURES = np.float32([[1, 0], [0, 1], [1, 1]])


def colours(count=60):
    """Images of one colour with noise, and their labels: the strongest channel."""
    labels = np.arange(count) % 3
    images = 0.5 * np.eye(3)[labels][:, None, None]
    images = images + np.random.default_rng(0).uniform(0, 0.5, (count, SIDE, SIDE, 3))
    return images.astype(np.float32), labels


def save(folder: Path, form: str, *, several: bool = False, batch: int | None = None) -> str:
    """The model's path. several: beside "scores" it gives "features"; batch: how many images it takes at once."""
    name, write = {
        "savedmodel": ("m", _saved_model),
        "keras2": ("m.keras", functools.partial(_keras, library=tf_keras)),
        "keras3": ("m.keras", functools.partial(_keras, library=keras)),
        "h5": ("m.h5", functools.partial(_keras, library=tf_keras)),
        "tfjs": ("m", _tfjs),
        "tflite": ("m.tflite", _tflite),
        "onnx": ("m.onnx", to_onnx),
    }[form]
    return write(folder / name, several=several, batch=batch)


def _keras(path, *, several, batch, library):
    _model(several, batch, library).save(path)
    return str(path)


def _tfjs(path, *, several, batch):
    return tfjs.save(path, *tfjs.describe(_model(several, batch, tf_keras)))


def _model(several, batch, library):
    images = library.Input(batch_shape=(batch, SIDE, SIDE, 3))
    mean = library.layers.GlobalAveragePooling2D()(images)
    outputs = {"scores": (GAIN, 3)} | ({"features": (FEATURES, 2)} if several else {})
    layers = {name: library.layers.Dense(width, use_bias=False, name=name) for name, (_, width) in outputs.items()}
    given = {name: layer(mean) for name, layer in layers.items()}
    model = library.Model(images, given if several else given["scores"])
    for name, (kernel, _) in outputs.items():
        layers[name].set_weights([kernel])
    return model


def _reader(several, batch):
    module = tf.Module()

    def read(images):
        mean = tf.reduce_mean(images, [1, 2])
        return {"scores": mean @ GAIN} | ({"features": mean @ FEATURES} if several else {})

    module.read = tf.function(read, [tf.TensorSpec([batch, SIDE, SIDE, 3], tf.float32, name="images")])
    return module


def _saved_model(path, *, several, batch):
    module = _reader(several, batch)
    tf.saved_model.save(module, str(path), signatures={"serving_default": module.read})
    return str(path)


def _tflite(path, *, several, batch):
    converter = tf.lite.TFLiteConverter.from_saved_model(
        _saved_model(path.parent / "made", several=several, batch=batch)
    )
    path.write_bytes(converter.convert())
    return str(path)


def to_onnx(path, *, several=False, batch=None, kernel=GAIN, location=None):
    """location: of the file that the kernel lies in, None: within."""
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    outputs = {"scores": 3} | ({"features": 2} if several else {})
    nodes = [helper.make_node("ReduceMean", ["images", "axes"], ["mean"], keepdims=0)]
    nodes += [helper.make_node("MatMul", ["mean", f"{name} kernel"], [name]) for name in outputs]
    tensors = {"axes": np.array([2, 3], np.int64), "scores kernel": kernel}
    tensors |= {"features kernel": FEATURES} if several else {}
    constants = [onnx.numpy_helper.from_array(values, name) for name, values in tensors.items()]
    if location is not None:
        outside(constants[1], path.parent, location)
    images = helper.make_tensor_value_info("images", kind, [batch, 3, SIDE, SIDE])
    given = [helper.make_tensor_value_info(name, kind, [batch, width]) for name, width in outputs.items()]
    graph = helper.make_graph(nodes, "colours", [images], given, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    path.write_bytes(model.SerializeToString())
    return str(path)


def outside(tensor, folder, location):
    """Moves the tensor's numbers into the file of that name below `folder`."""
    content = tensor.raw_data
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in {"location": location, "offset": 0, "length": len(content)}.items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, str(value)
    (folder / location).parent.mkdir(parents=True, exist_ok=True)
    (folder / location).write_bytes(content)
